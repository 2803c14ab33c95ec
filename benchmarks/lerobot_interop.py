"""Datasets both ways between Tacit and the real lerobot package, in an environment of its own.

Run from the repository root, with uv and a Python 3.12 or newer that uv can find; it installs about 5 GB into a
temporary folder and deletes it at the end::

    uv run benchmarks/lerobot_interop.py [--python 3.12] [--lerobot 0.6.1] [--environment FOLDER]

It writes 52 episodes with two cameras of different size, over at least three chunks each, with Tacit (once as
video, once losslessly) and reads every frame with lerobot's ``LeRobotDataset``, windows included; then lerobot
writes 52 such episodes, Tacit reads them all and trains a world model on them. The result is
``benchmarks/results/lerobot_interop.json``; the exit status is 1 if a check fails.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sides import environment

EPISODES, FPS, ACTIONS, STATE = 52, 10, 3, 6  # a state is position and velocity, and an action the next velocity
TRAIN_STEPS = 300
CAMERAS = {"front": (120, 160), "wrist": (96, 96)}
RESULT = Path(__file__).parent / "results" / "lerobot_interop.json"
VIDEO_MEAN, VIDEO_WORST = 3.0, 40.0  # grey levels that a lossy codec may change, on average and anywhere
DECODER = 2  # grey levels between two conversions of the same frame to RGB


def recording(index: int) -> dict[str, np.ndarray]:
    """Episode ``index``: a bright spot on a gradient, seen by two cameras, with a state and actions.

    The spot is soft: both codecs halve the resolution of colour, which moves a hard coloured edge by up to 157
    grey levels in what lerobot itself writes, and would hide a real difference.
    """
    rng = np.random.default_rng(index)
    length = int(rng.integers(12, 24))
    action = rng.uniform(-1.0, 1.0, (length, ACTIONS)).astype(np.float32)
    velocity = np.concatenate([np.zeros((1, ACTIONS), np.float32), action[:-1]])
    arrays = {"state": np.concatenate([velocity.cumsum(axis=0), velocity], axis=1), "action": action}
    steps = np.arange(length)[:, None, None]
    for name, (height, width) in CAMERAS.items():
        y, x = np.arange(height)[:, None], np.arange(width)[None, :]
        ramp = 140.0 * x / width + 40.0 * y / height
        squared = (y - (20 + (3 * steps + index) % (height - 40))) ** 2
        squared = squared + (x - (20 + (5 * steps + 2 * index) % (width - 40))) ** 2
        spot = np.exp(-squared / 200.0)[:, None]
        colour, floor = np.array([220.0, 200.0, 40.0]), np.array([1.0, 0.7, 0.4])
        frames = (1 - spot) * ramp * floor[:, None, None] + spot * colour[:, None, None]
        arrays[name] = frames.astype(np.uint8)
    return arrays


def task(index: int) -> str:
    """One of three tasks."""
    return ["reach the cup", "push the box", "open the drawer"][index % 3]


def chunks(root: Path) -> dict[str, int]:
    """The number of chunk folders of the data and of every camera."""
    counts = {"data": len(list(root.glob("data/chunk-*")))}
    return counts | {folder.name: len(list(folder.glob("chunk-*"))) for folder in root.glob("videos/*")}


def difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Mean and largest absolute difference in grey levels."""
    gap = np.abs(a.astype(np.int16) - b.astype(np.int16))
    return float(gap.mean()), float(gap.max())


def is_own_frame(picture: np.ndarray, frames: np.ndarray, step: int) -> bool:
    """Whether ``picture`` is nearer to the recorded frame ``step`` than to its neighbours."""
    near = range(max(step - 1, 0), min(step + 2, len(frames)))
    return min(near, key=lambda other: difference(picture, frames[other])[0]) == step


# ---- the Tacit side


def tacit_write(root: Path, lossless: bool) -> None:
    """Write every recording with Tacit."""
    import tacit as tc

    cameras = {name: tc.Modality("pixels", (3, *size)) for name, size in CAMERAS.items()}
    series = tc.Modality("series", (2,), rate=25.0)
    spec = tc.Spec(
        {**cameras, "state": tc.Modality("vector", (STATE,)), "audio": series},
        tc.Box((-1.0,) * ACTIONS, (1.0,) * ACTIONS),
        fps=FPS,
    )
    size = 0.6 if lossless else 0.01
    layout = tc.data.formats.LeRobot(lossless=lossless, files_per_chunk=2, data_mb=size, video_mb=0.06)
    with tc.data.Writer(root, spec, layout) as writer:
        for index in range(EPISODES):
            arrays = recording(index)
            length = len(arrays["state"])
            observation = {name: arrays[name] for name in (*CAMERAS, "state")}
            observation["audio"] = np.ones((spec.samples("audio", length), 2), np.float32)
            episode = tc.Episode(
                observation,
                arrays["action"][:-1],
                final_action=arrays["action"][-1],
                labels={"step": np.arange(length)},
                seed=index,
                task=task(index),
            )
            writer.add(episode)


def tacit_read(root: Path) -> dict[str, Any]:
    """Read what lerobot wrote; compare with the recordings and with lerobot's own decoding."""
    import tacit as tc

    episodes = tc.data.open(root)
    exact, own, pixels, decoder = True, True, [], []
    for index, episode in enumerate(episodes):
        arrays = recording(index)
        assert episode.final_action is not None
        actions = np.concatenate([episode.action, episode.final_action[None]])
        exact &= np.array_equal(episode.observation["state"], arrays["state"]) and episode.task == task(index)
        exact &= np.array_equal(actions, arrays["action"])
        with np.load(root.parent / "decoded" / f"{index}.npz") as decoded:
            for name in CAMERAS:
                came = episode.observation[name]
                pixels.append(difference(came, arrays[name]))
                own &= all(is_own_frame(came[step], arrays[name], step) for step in range(len(came)))
                decoder.append(difference(came, decoded[name])[1])
    box: Any = episodes.spec.action
    actions = np.concatenate([recording(index)["action"] for index in range(EPISODES)])
    clip = episodes.clips(4, frameskip=2).batch(seed=0, step=0, size=16)
    mean, worst = (float(value) for value in np.max(pixels, axis=0))
    report: dict[str, Any] = {
        "episodes": len(episodes),
        "chunks": chunks(root),
        "states_actions_tasks_exact": bool(exact),
        "action_box_is_range": bool(np.allclose(box.low, actions.min(0)) and np.allclose(box.high, actions.max(0))),
        "every_frame_is_its_own": own,
        "pixels_mean_difference": mean,
        "pixels_largest_difference": worst,
        "largest_difference_from_lerobots_decoding": max(decoder),
        "findings_of_check": [str(finding) for finding in tc.data.check(root)],
        "clip_shapes": {name: list(value.shape) for name, value in clip.observation.items()},
    }
    good = exact and report["action_box_is_range"] and not report["findings_of_check"] and len(episodes) == EPISODES
    good &= own and mean <= VIDEO_MEAN and worst <= VIDEO_WORST and max(decoder) <= DECODER
    return report | {"passed": bool(good and min(report["chunks"].values()) >= 3)}


def tacit_train(root: Path) -> dict[str, Any]:
    """Train a world model, cameras and state, from what lerobot wrote; compare its forecasts with copying."""
    import torch

    import tacit as tc

    torch.set_num_threads(1)
    train, held_out = tc.data.open(root).split(0.8, seed=0)
    model = tc.models.WorldModel.for_spec(train.spec, "tiny", latent=16)
    objective = tc.objectives.Prediction(steps=3) + tc.objectives.VICReg(over="pooled")
    with tempfile.TemporaryDirectory() as to:
        tc.train(model, objective, train.clips(4), steps=TRAIN_STEPS, seed=0, to=to, batch_size=16)
    found = tc.evaluation.open_loop(model, held_out, horizon=3)
    error, copy = found.error[-1], found.copy_last[-1]
    return {
        "steps": TRAIN_STEPS,
        "held_out_episodes": len(held_out),
        "open_loop_error": tc.reports.plain(error),
        "copy_last": tc.reports.plain(copy),
        "passed": bool(error.high < copy.low),
    }


# ---- the lerobot side: nothing of Tacit is imported here


def lerobot_read(root: Path, lossless: bool) -> dict[str, Any]:
    """Read every frame, with windows that reach over the ends of the episodes, and compare."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    steps: dict[str, tuple[int, ...]] = {"observation.images.front": (-1, 0), "observation.images.wrist": (0, 2)}
    steps |= {"observation.state": (-2, 0), "action": (0, 1, 2)}
    windows = {key: [offset / FPS for offset in offsets] for key, offsets in steps.items()}
    data = LeRobotDataset("tacit/interop", root=root, video_backend="pyav", delta_timestamps=windows)
    names = {f"observation.images.{name}": name for name in CAMERAS} | {
        "observation.state": "state",
        "action": "action",
    }
    exact = padding = tasks = labels = own = True
    pixels, row = [], 0
    for index in range(EPISODES):
        arrays = recording(index)
        length = len(arrays["state"])
        for step in range(length):
            item = data[row]
            row += 1
            tasks &= item["task"] == task(index) and int(item["episode_index"]) == index
            labels &= int(item["label.step"]) == step and item["observation.audio"].shape == (6,)
            for key, offsets in steps.items():
                wanted = [min(max(step + offset, 0), length - 1) for offset in offsets]
                outside = [not 0 <= step + offset < length for offset in offsets]
                padding &= item[f"{key}_is_pad"].tolist() == outside
                expected, came = arrays[names[key]][wanted], item[key].numpy()
                if key.startswith("observation.images"):
                    came = np.round(came * 255).astype(np.uint8)
                    pixels.append(difference(came, expected))
                    own &= all(is_own_frame(*pair) for pair in zip(came, [arrays[names[key]]] * 2, wanted, strict=True))
                else:
                    exact &= bool(np.array_equal(came, expected))
    states = np.concatenate([recording(index)["state"] for index in range(EPISODES)])
    statistics = np.allclose(data.meta.stats["observation.state"]["mean"], states.mean(0), atol=1e-5)
    statistics &= np.allclose(data.meta.stats["observation.state"]["std"], states.std(0), atol=1e-5)
    mean, worst = (float(value) for value in np.max(pixels, axis=0))
    report = {
        "episodes": data.meta.total_episodes,
        "frames": row,
        "frames_in_dataset": len(data),
        "chunks": chunks(root),
        "states_and_actions_exact": exact,
        "window_padding_correct": padding,
        "tasks_and_indices_correct": tasks,
        "labels_and_series_present": labels,
        "statistics_correct": bool(statistics),
        "every_frame_is_its_own": own,
        "pixels_mean_difference": mean,
        "pixels_largest_difference": worst,
    }
    good = exact and padding and tasks and labels and own and statistics and row == len(data)
    good &= (worst == 0) if lossless else (mean <= VIDEO_MEAN and worst <= VIDEO_WORST)
    return report | {"passed": bool(good and min(report["chunks"].values()) >= 3)}


def lerobot_write(root: Path) -> dict[str, Any]:
    """Write every recording with lerobot, and what lerobot decodes of it next to the dataset."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    features: dict[str, Any] = {
        f"observation.images.{name}": {"dtype": "video", "shape": (*size, 3), "names": ["height", "width", "channels"]}
        for name, size in CAMERAS.items()
    }
    features["observation.state"] = {"dtype": "float32", "shape": (STATE,), "names": None}
    features["action"] = {"dtype": "float32", "shape": (ACTIONS,), "names": None}
    data = LeRobotDataset.create("tacit/interop", fps=FPS, features=features, root=root, video_backend="pyav")
    data.meta.update_chunk_settings(chunks_size=2, data_files_size_in_mb=0.01, video_files_size_in_mb=0.02)
    for index in range(EPISODES):
        arrays = recording(index)
        for step in range(len(arrays["state"])):
            frame = {f"observation.images.{name}": arrays[name][step].transpose(1, 2, 0) for name in CAMERAS}
            frame |= {"observation.state": arrays["state"][step], "action": arrays["action"][step]}
            data.add_frame({**frame, "task": task(index)})
        data.save_episode(parallel_encoding=False)
    data.finalize()
    (root.parent / "decoded").mkdir()
    data, row = LeRobotDataset("tacit/interop", root=root, video_backend="pyav", return_uint8=True), 0
    for index in range(EPISODES):
        frames: dict[str, list[np.ndarray]] = {name: [] for name in CAMERAS}
        for _ in recording(index)["state"]:
            item = data[row]
            row += 1
            for name in CAMERAS:
                frames[name].append(item[f"observation.images.{name}"].numpy())
        decoded: dict[str, Any] = {name: np.stack(value) for name, value in frames.items()}
        np.savez(root.parent / "decoded" / f"{index}.npz", **decoded)
    return {"codec": data.meta.features["observation.images.front"]["info"]["video.codec"]}


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """The installed version of each package."""
    from importlib.metadata import version

    return {"python": sys.version.split()[0], **{name: version(name) for name in names}}


# ---- both


def other(python: Path, action: str, root: Path) -> dict[str, Any]:
    """Run one of the functions above in lerobot's environment."""
    command = [str(python), __file__, "--do", action, "--root", str(root)]
    quiet = {**os.environ, "SVT_LOG": "1", "HF_HUB_OFFLINE": "1"}
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=quiet).stdout
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    return report


def main() -> int:
    """Run the whole comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.12", help="for lerobot's environment")
    parser.add_argument("--lerobot", default="0.6.1", help="release of lerobot")
    parser.add_argument("--environment", type=Path, help="use or make lerobot's environment here and keep it")
    parser.add_argument("--do", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        actions: dict[str, Callable[[], Any]] = {
            "read video": lambda: lerobot_read(options.root, lossless=False),
            "read lossless": lambda: lerobot_read(options.root, lossless=True),
            "write": lambda: lerobot_write(options.root),
            "versions": lambda: versions(("lerobot", "torch", "datasets", "av", "pyarrow", "numpy")),
        }
        sys.stdout.write("\n" + json.dumps(actions[options.do]()) + "\n")
        return 0
    from tacit.checkpoint import provenance

    start = time.time()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = environment(
            options.environment or folder / "environment",
            [f"lerobot[dataset]=={options.lerobot}"],
            options.python,
            pinned=False,
        )
        tacit_write(folder / "video", lossless=False)
        tacit_write(folder / "lossless", lossless=True)
        written = other(python, "write", folder / "theirs")
        result = {
            "command": "uv run benchmarks/lerobot_interop.py",
            "cameras": {camera: list(size) for camera, size in CAMERAS.items()},
            "versions": {
                "tacit": versions(("tacit-world", "torch", "av", "pyarrow", "numpy")),
                "lerobot": other(python, "versions", folder),
            },
            "tacit_writes_video_lerobot_reads": other(python, "read video", folder / "video"),
            "tacit_writes_lossless_lerobot_reads": other(python, "read lossless", folder / "lossless"),
            "lerobot_writes_tacit_reads": written | tacit_read(folder / "theirs"),
            "tacit_trains_on_what_lerobot_wrote": tacit_train(folder / "theirs"),
            "seconds": round(time.time() - start),
            "made_by": provenance(),
        }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    passed = [part["passed"] for part in result.values() if isinstance(part, dict) and "passed" in part]
    sys.stdout.write(f"{sum(passed)} of {len(passed)} directions passed; see {RESULT}\n")
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())

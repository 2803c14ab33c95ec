"""Work of `lerobot_data.py` in the environment of either package: `lerobot_work.py ACTION ARGUMENTS`."""

import resource
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from environments import answer

FPS, ACTIONS, STATE = 10, 3, 6  # a state is position and velocity, and an action the next velocity
CAMERAS = {"front": (120, 160), "wrist": (96, 96)}
LARGE = {"top": (480, 640), "wrist": (480, 640)}
TASKS = ("reach the cup", "push the box", "open the drawer")
VIDEO_MEAN, VIDEO_WORST = 3.0, 40.0  # grey levels that a lossy codec may change, on average and anywhere
DECODER = 2  # grey levels between two conversions of the same frame to RGB
MOST = 4e9
Arrays = dict[str, np.ndarray]


def recording(index: int, cameras: Mapping[str, tuple[int, int]], length: int) -> Arrays:
    """Return states, actions and images of an episode: a soft bright spot on a gradient, seen by each camera.

    Both codecs halve the resolution of colour, which would move a hard coloured edge by up to 157 grey levels.
    """
    rng = np.random.default_rng(index)
    length = length or int(rng.integers(12, 24))
    action = rng.uniform(-1.0, 1.0, (length, ACTIONS)).astype(np.float32)
    velocity = np.concatenate([np.zeros((1, ACTIONS), np.float32), action[:-1]])
    arrays = {"state": np.concatenate([velocity.cumsum(axis=0), velocity], axis=1), "action": action}
    for name, size in cameras.items():
        arrays[name] = np.stack([frame(index, step, *size) for step in range(length)])
    return arrays


def frame(index: int, step: int, height: int, width: int) -> np.ndarray:
    """Return one image ``[3, height, width]`` of an episode."""
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    ramp = 140.0 * x / width + 40.0 * y / height
    row, column = 20 + (3 * step + index) % (height - 40), 20 + (5 * step + 2 * index) % (width - 40)
    squared = (y - row) ** 2 + (x - column) ** 2
    spot, colour, ground = np.exp(-squared / 200.0), np.array([220.0, 200.0, 40.0]), np.array([1.0, 0.7, 0.4])
    pixels = (1 - spot) * ramp * ground[:, None, None] + spot * colour[:, None, None]
    return np.asarray(pixels.astype(np.uint8))


def chunks(root: Path) -> dict[str, int]:
    """Count the chunk folders of the data and of every camera."""
    counts = {"data": len(list(root.glob("data/chunk-*")))}
    return counts | {folder.name: len(list(folder.glob("chunk-*"))) for folder in root.glob("videos/*")}


def difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return mean and largest absolute difference in grey levels."""
    gap = np.abs(a.astype(np.int16) - b.astype(np.int16))
    return float(gap.mean()), float(gap.max())


def is_own_frame(image: np.ndarray, frames: np.ndarray, step: int) -> bool:
    """Return whether an image is nearer to the recorded frame ``step`` than to its neighbours."""
    near = range(max(step - 1, 0), min(step + 2, len(frames)))
    return min(near, key=lambda other: difference(image, frames[other])[0]) == step


def pixel_report(root: Path, pixels: list[Any], own: bool, checks: dict[str, bool], lossless: bool = False) -> Any:
    """Return the checks of a direction, and whether all passed."""
    mean, worst = (float(value) for value in np.max(pixels, axis=0))
    near = worst == 0 if lossless else mean <= VIDEO_MEAN and worst <= VIDEO_WORST
    counts = chunks(root)
    return {
        **checks,
        "chunks": counts,
        "every_frame_is_its_own": own,
        "pixels_mean_difference": mean,
        "pixels_largest_difference": worst,
        "passed": bool(all(checks.values()) and own and near and min(counts.values()) >= 3),
    }


def tacit_write(root: Path, episodes: int, lossless: bool) -> None:
    import tacit as tc

    cameras = {name: tc.Modality("pixels", (3, *size)) for name, size in CAMERAS.items()}
    series = tc.Modality("series", (2,), rate=25.0)
    box = tc.Box((-1.0,) * ACTIONS, (1.0,) * ACTIONS)
    spec = tc.Spec({**cameras, "state": tc.Modality("vector", (STATE,)), "audio": series}, box, fps=FPS)
    size = 0.6 if lossless else 0.01
    layout = tc.data.formats.LeRobot(lossless=lossless, files_per_chunk=2, data_mb=size, video_mb=0.06)
    with tc.data.Writer(root, spec, layout) as writer:
        for index in range(episodes):
            arrays = recording(index, CAMERAS, 0)
            action, length = arrays.pop("action"), len(arrays["state"])
            audio = np.ones((spec.samples("audio", length), 2), np.float32)
            labels = {"step": np.arange(length)}
            about: dict[str, Any] = {"labels": labels, "seed": index, "task": TASKS[index % 3]}
            writer.add(tc.Episode({**arrays, "audio": audio}, action[:-1], final_action=action[-1], **about))


def tacit_read(root: Path, count: int) -> dict[str, Any]:
    """Read what lerobot wrote, and compare with the recordings and with lerobot's own decoding."""
    import tacit as tc

    episodes = tc.data.open(root)
    exact, own, pixels, decoder, every = True, True, [], [], []
    for index, episode in enumerate(episodes):
        arrays = recording(index, CAMERAS, 0)
        every.append(arrays["action"])
        assert episode.final_action is not None
        actions = np.concatenate([episode.action, episode.final_action[None]])
        exact &= np.array_equal(episode.observation["state"], arrays["state"]) and episode.task == TASKS[index % 3]
        exact &= np.array_equal(actions, arrays["action"])
        with np.load(root.parent / "decoded" / f"{index}.npz") as decoded:
            for name in CAMERAS:
                came = episode.observation[name]
                pixels.append(difference(came, arrays[name]))
                own &= all(is_own_frame(came[step], arrays[name], step) for step in range(len(came)))
                decoder.append(difference(came, decoded[name])[1])
    box: Any = episodes.spec.action
    low, high = np.concatenate(every).min(0), np.concatenate(every).max(0)
    checks = {
        "states_actions_tasks_exact": bool(exact),
        "action_box_is_range": bool(np.allclose(box.low, low) and np.allclose(box.high, high)),
        "no_findings_of_check": not [*tc.data.check(root)],
        "decoded_like_lerobot": max(decoder) <= DECODER,
        "all_episodes": len(episodes) == count,
    }
    return {"episodes": len(episodes), **pixel_report(root, pixels, own, checks)}


def tacit_train(root: Path, steps: int) -> dict[str, Any]:
    """Train a world model on cameras and state, and compare its forecasts with repeating the last latent."""
    import tacit as tc

    train, held_out = tc.data.open(root).split(0.8, seed=0)
    model = tc.models.WorldModel.for_spec(train.spec, "tiny", latent=16)
    objective = tc.objectives.Prediction(steps=3) + tc.objectives.VICReg(over="pooled")
    with tempfile.TemporaryDirectory() as to:
        tc.train(model, objective, train.clips(4), steps=steps, seed=0, to=to, batch_size=16)
    found = tc.evaluation.open_loop(model, held_out, horizon=3)
    error, copy = found.error[-1], found.copy_last[-1]
    passed = bool(error.high < copy.low)
    counts = {"steps": steps, "held_out_episodes": len(held_out)}
    return {**counts, "open_loop_error": vars(error), "copy_last": vars(copy), "passed": passed}


def lerobot_read(root: Path, episodes: int, lossless: int) -> dict[str, Any]:
    """Read every frame with lerobot, with windows that reach over the ends of the episodes, and compare."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    steps: dict[str, tuple[int, ...]] = {"observation.images.front": (-1, 0), "observation.images.wrist": (0, 2)}
    steps |= {"observation.state": (-2, 0), "action": (0, 1, 2)}
    windows = {key: [offset / FPS for offset in offsets] for key, offsets in steps.items()}
    data = LeRobotDataset("tacit/interop", root=root, video_backend="pyav", delta_timestamps=windows)
    exact = padding = tasks = labels = own = True
    pixels, states, row = [], [], 0
    for index in range(episodes):
        arrays = recording(index, CAMERAS, 0)
        states.append(arrays["state"])
        length = len(arrays["state"])
        for step in range(length):
            item = data[row]
            row += 1
            tasks &= item["task"] == TASKS[index % 3] and int(item["episode_index"]) == index
            labels &= int(item["label.step"]) == step and item["observation.audio"].shape == (6,)
            for key, offsets in steps.items():
                wanted = [min(max(step + offset, 0), length - 1) for offset in offsets]
                padding &= item[f"{key}_is_pad"].tolist() == [not 0 <= step + offset < length for offset in offsets]
                recorded, came = arrays[key.split(".")[-1]], item[key].numpy()
                if key.startswith("observation.images"):
                    came = np.round(came * 255).astype(np.uint8)
                    pixels.append(difference(came, recorded[wanted]))
                    own &= all(is_own_frame(image, recorded, at) for image, at in zip(came, wanted, strict=True))
                else:
                    exact &= bool(np.array_equal(came, recorded[wanted]))
    every, stats = np.concatenate(states), data.meta.stats["observation.state"]
    checks = {
        "states_and_actions_exact": exact,
        "window_padding_correct": padding,
        "tasks_and_indices_correct": tasks,
        "labels_and_series_present": labels,
        "statistics_correct": all(
            np.allclose(stats[name], found, atol=1e-5)
            for name, found in (("mean", every.mean(0)), ("std", every.std(0)))
        ),
        "all_frames": row == len(data),
    }
    return {
        "episodes": data.meta.total_episodes,
        "frames": row,
        **pixel_report(root, pixels, own, checks, bool(lossless)),
    }


def lerobot_write(root: Path, episodes: int, large: int) -> dict[str, Any]:
    """Write recordings with lerobot, and for small ones what lerobot decodes of them next to the dataset."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    cameras, length = (LARGE, 100) if large else (CAMERAS, 0)

    video = {"dtype": "video", "names": ["height", "width", "channels"]}
    features: dict[str, Any] = {
        f"observation.images.{name}": {**video, "shape": (*size, 3)} for name, size in cameras.items()
    }
    features["observation.state"] = {"dtype": "float32", "shape": (STATE,), "names": None}
    features["action"] = {"dtype": "float32", "shape": (ACTIONS,), "names": None}
    data = LeRobotDataset.create("tacit/interop", fps=FPS, features=features, root=root, video_backend="pyav")
    if not length:
        data.meta.update_chunk_settings(chunks_size=2, data_files_size_in_mb=0.01, video_files_size_in_mb=0.02)
    lengths = []
    for index in range(episodes):
        arrays = recording(index, cameras, length)
        lengths.append(len(arrays["state"]))
        for step in range(lengths[-1]):
            frame = {f"observation.images.{name}": arrays[name][step].transpose(1, 2, 0) for name in cameras}
            frame |= {"observation.state": arrays["state"][step], "action": arrays["action"][step]}
            data.add_frame({**frame, "task": TASKS[index % 3]})
        data.save_episode(parallel_encoding=False)
    data.finalize()
    if not length:
        (root.parent / "decoded").mkdir()
        data = LeRobotDataset("tacit/interop", root=root, video_backend="pyav", return_uint8=True)
        decoded = (data[row] for row in range(len(data)))
        for index, count in enumerate(lengths):
            items = [next(decoded) for _ in range(count)]
            frames = {key: np.stack([item[f"observation.images.{key}"].numpy() for item in items]) for key in cameras}
            np.savez(root.parent / "decoded" / f"{index}.npz", allow_pickle=False, **frames)
    return {"written": episodes}


def memory_train(root: Path, size: int, steps: int) -> dict[str, Any]:
    """Train at the small size, and return the time, cache and peak of memory of this process."""
    import tacit as tc

    started = time.perf_counter()
    info = tc.data.info(root)
    episodes = tc.data.open(root, size=size)
    clips = episodes.clips(4)
    filled = time.perf_counter() - started
    model = tc.models.WorldModel.for_spec(episodes.spec, "tiny")
    objective = tc.objectives.Prediction() + tc.objectives.VICReg(over="pooled")
    with tempfile.TemporaryDirectory() as to:
        tc.train(model, objective, clips, steps=steps, seed=0, to=to, batch_size=64)
    usage = [resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "episodes": info.episodes,
        "observations": info.observations,
        "dataset_bytes": info.bytes,
        "decoded_bytes_recorded_size": info.observations * sum(height * width * 3 for height, width in LARGE.values()),
        "cache_bytes": tc.data.info(root, size=size).cache_bytes,
        "seconds_decoding": round(filled, 1),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_bytes": sum(usage),
    }


def memory_refused(root: Path) -> dict[str, Any]:
    """Ask for the training at the recorded size with 4 GB of free memory, and return the error; empty if it trains."""
    import tacit as tc

    clips = tc.data.open(root)[:1].clips(4)
    model = tc.models.WorldModel.for_spec(clips.spec, "tiny")
    objective = tc.objectives.Prediction() + tc.objectives.VICReg(over="pooled")
    free = mock.patch("tacit.training.memory.available_memory", return_value=int(MOST))
    try:
        with free, tempfile.TemporaryDirectory() as to:
            tc.train(model, objective, clips, steps=1, seed=0, to=to, batch_size=64)
    except tc.errors.TacitError as error:
        return {"available_bytes": MOST, "error": str(error)}
    return {"available_bytes": MOST, "error": ""}


if __name__ == "__main__":
    actions = (tacit_train, lerobot_read, lerobot_write, memory_train, memory_refused)
    answer(**{action.__name__: action for action in actions})

"""The memory and the disk that training on large LeRobot videos takes, written by the real lerobot package.

Run from the repository root, with uv and a Python 3.12 or newer that uv can find; it installs about 5 GB into a
temporary folder and deletes it at the end::

    uv run benchmarks/lerobot_memory.py [--python 3.12] [--lerobot 0.6.1] [--environment FOLDER]

lerobot writes 20 episodes of two cameras of 480 x 640. A process of its own opens them at size=64, trains a world model
on both and says what it took at the most. The same training at the recorded size is asked for too, as if 4 GB of memory
were free, and is refused. The result is ``benchmarks/results/lerobot_memory.json``; the exit status is 1 above 4 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from sides import environment

EPISODES, LENGTH, FPS, ACTIONS, STATE = 20, 100, 30, 6, 6
HEIGHT, WIDTH, SIZE = 480, 640, 64
CAMERAS = ("top", "wrist")
STEPS, CLIP, BATCH = 100, 4, 64
MOST = 4e9
RESULT = Path(__file__).parent / "results" / "lerobot_memory.json"


def frame(camera: int, position: np.ndarray) -> np.ndarray:
    """A soft bright spot at a position in [0, 1] on a gradient, ``[H, W, 3]``."""
    y, x = np.arange(HEIGHT)[:, None], np.arange(WIDTH)[None]
    squared = (y - HEIGHT * position[camera]) ** 2 + (x - WIDTH * position[camera + 1]) ** 2
    spot = np.exp(-squared / 2000.0)[..., None]
    ramp = (120.0 * x / WIDTH + 60.0 * y / HEIGHT)[..., None] * np.array([1.0, 0.7, 0.4])
    pixels: np.ndarray = ((1 - spot) * ramp + spot * np.array([220.0, 200.0, 40.0])).astype(np.uint8)
    return pixels


def write(root: Path) -> None:
    """Write the dataset with lerobot."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    names = ["height", "width", "channels"]
    features: dict[str, Any] = {
        f"observation.images.{name}": {"dtype": "video", "shape": (HEIGHT, WIDTH, 3), "names": names}
        for name in CAMERAS
    }
    features["observation.state"] = {"dtype": "float32", "shape": (STATE,), "names": None}
    features["action"] = {"dtype": "float32", "shape": (ACTIONS,), "names": None}
    data = LeRobotDataset.create("tacit/memory", fps=FPS, features=features, root=root, video_backend="pyav")
    for index in range(EPISODES):
        rng = np.random.default_rng(index)
        state = rng.uniform(0.3, 0.7, STATE)
        for _ in range(LENGTH):
            action = rng.uniform(-1.0, 1.0, ACTIONS)
            seen = {f"observation.images.{name}": frame(number, state) for number, name in enumerate(CAMERAS)}
            row = {**seen, "observation.state": state.astype(np.float32), "action": action.astype(np.float32)}
            data.add_frame({**row, "task": "move"})
            state = np.clip(state + 0.02 * action, 0.0, 1.0)
        data.save_episode(parallel_encoding=False)
    data.finalize()


def train(root: Path) -> dict[str, Any]:
    """Train on the dataset at ``root`` at the small size; what it took."""
    import torch

    import tacit as tc

    torch.set_num_threads(1)
    started = time.perf_counter()
    info = tc.data.info(root)
    episodes = tc.data.open(root, size=SIZE)
    clips = episodes.clips(CLIP)
    filled = time.perf_counter() - started
    model = tc.models.WorldModel.for_spec(episodes.spec, "tiny")
    objective = tc.objectives.Prediction() + tc.objectives.VICReg(over="pooled")
    with tempfile.TemporaryDirectory() as to:
        tc.train(model, objective, clips, steps=STEPS, seed=0, to=to, batch_size=BATCH)
    usage = [resource.getrusage(who).ru_maxrss * 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "episodes": info.episodes,
        "observations": info.observations,
        "dataset_bytes": info.bytes,
        "decoded_bytes_recorded_size": info.observations * len(CAMERAS) * HEIGHT * WIDTH * 3,
        "cache_bytes": tc.data.info(root, size=SIZE).cache_bytes,
        "seconds_decoding": round(filled, 1),
        "seconds": round(time.perf_counter() - started, 1),
        "peak_bytes": sum(usage),
    }


def refused(root: Path) -> dict[str, Any]:
    """Ask for the same training at the recorded size, as if 4 GB were free; what Tacit says, empty where it trains."""
    import tacit as tc
    from tacit.errors import TacitError

    found = ""
    try:
        clips = tc.data.open(root)[:1].clips(CLIP)
        model = tc.models.WorldModel.for_spec(clips.spec, "tiny")
        objective = tc.objectives.Prediction() + tc.objectives.VICReg(over="pooled")
        free = mock.patch("tacit.training.memory.available_memory", return_value=int(MOST))
        with free, tempfile.TemporaryDirectory() as to:
            tc.train(model, objective, clips, steps=1, seed=0, to=to, batch_size=BATCH)
    except TacitError as error:
        found = str(error)
    return {"available_bytes": MOST, "said": found}


def apart(action: str, root: Path, cache: Path) -> dict[str, Any]:
    """Run one of the functions above in a process of its own, whose memory is its own."""
    command = [sys.executable, __file__, "--do", action, "--root", str(root)]
    environ = {**os.environ, "TACIT_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environ).stdout
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    return report


def main() -> int:
    """Write, train and record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="3.12", help="for lerobot's environment")
    parser.add_argument("--lerobot", default="0.6.1", help="release of lerobot")
    parser.add_argument("--environment", type=Path, help="use or make lerobot's environment here and keep it")
    parser.add_argument("--do", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do == "write":
        write(options.root)
        return 0
    if options.do:
        sys.stdout.write("\n" + json.dumps({"train": train, "refused": refused}[options.do](options.root)) + "\n")
        return 0
    from tacit.checkpoint import provenance

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages = [f"lerobot[dataset]=={options.lerobot}"]
        python = environment(options.environment or folder / "environment", packages, options.python, pinned=False)
        quiet = {**os.environ, "SVT_LOG": "1", "HF_HUB_OFFLINE": "1"}
        command = [str(python), __file__, "--do", "write", "--root", str(folder / "data")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=quiet)
        result = {
            "command": "uv run benchmarks/lerobot_memory.py",
            "lerobot": options.lerobot,
            "cameras": {camera: [HEIGHT, WIDTH] for camera in CAMERAS},
            "settings": {"size": SIZE, "steps": STEPS, "clip": CLIP, "batch_size": BATCH},
            "training": apart("train", folder / "data", folder / "cache"),
            "recorded_size": apart("refused", folder / "data", folder / "cache"),
            "made_by": provenance(),
        }
    result["passed"] = result["training"]["peak_bytes"] < MOST and bool(result["recorded_size"]["said"])
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    sys.stdout.write(f"peak {result['training']['peak_bytes'] / 1e9:.2f} GB; see {RESULT}\n")
    return 0 if result["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())

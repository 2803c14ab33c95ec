"""Datasets both ways between Tacit and the real lerobot package, of two cameras of different size over several chunks.

lerobot needs an environment of its own with Python 3.12 and about 5 GB of disk, which is made in the folder that the
variable ``TACIT_LEROBOT`` names; without it these tests are skipped.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tacit as tc
from oracles.lerobot_work import load, recording, save
from tacit.studies.environments import Script, install

FPS = 10
CAMERAS = {"front": (120, 160), "wrist": (96, 96)}
MEAN, WORST = 3.0, 40.0  # grey levels that a lossy codec may change, on average and anywhere
DECODER = 2  # grey levels between two conversions of the same frame to RGB
Arrays = dict[str, np.ndarray]

pytestmark = pytest.mark.skipif("TACIT_LEROBOT" not in os.environ, reason="TACIT_LEROBOT names no folder")


@pytest.fixture(scope="module")
def lerobot() -> Script:
    folder = Path(os.environ["TACIT_LEROBOT"]).absolute()
    python = install(folder, ["lerobot[dataset]==0.6.1"], python="3.12", pinned=False)
    return Script(Path(__file__).with_name("lerobot_work.py"), python, {"SVT_LOG": "1", "HF_HUB_OFFLINE": "1"})


@pytest.fixture(scope="module")
def made() -> list[Arrays]:
    return [recording(index, CAMERAS) for index in range(52)]


def tacit_write(root: Path, episodes: Sequence[Arrays], lossless: bool) -> None:
    cameras = {name: tc.Modality("pixels", (3, *size)) for name, size in CAMERAS.items()}
    others = {"state": tc.Modality("vector", (6,)), "audio": tc.Modality("series", (2,), rate=25.0)}
    spec = tc.Spec({**cameras, **others}, tc.Box((-1.0,) * 3, (1.0,) * 3), fps=FPS)
    size = 0.6 if lossless else 0.01
    layout = tc.data.formats.LeRobot(lossless=lossless, files_per_chunk=2, data_mb=size, video_mb=0.06)
    with tc.data.Writer(root, spec, layout) as writer:
        for index, arrays in enumerate(episodes):
            length, action = len(arrays["state"]), arrays["action"]
            observation = {name: arrays[name] for name in (*CAMERAS, "state")}
            observation["audio"] = np.ones((spec.samples("audio", length), 2), np.float32)
            about: dict[str, Any] = {"labels": {"step": np.arange(length)}, "seed": index, "task": str(arrays["task"])}
            writer.add(tc.Episode(observation, action[:-1], final_action=action[-1], **about))


def tacit_read(root: Path) -> list[Arrays]:
    found = []
    for episode in tc.data.open(root):
        assert episode.final_action is not None
        action = np.concatenate([episode.action, episode.final_action[None]])
        found.append({**episode.observation, "action": action, "task": np.array(episode.task)})
    return found


def chunks(root: Path) -> list[int]:
    folders = [root / "data", *root.glob("videos/*")]
    return [len(list(folder.glob("chunk-*"))) for folder in folders]


def gap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(np.int16) - b.astype(np.int16))


def check_same(found: Sequence[Arrays], made: Sequence[Arrays], *, lossless: bool) -> None:
    """Expect exact numbers and tasks, and images that are those of their own step."""
    for one, other in zip(found, made, strict=True):
        for name in ("state", "action", "task"):
            np.testing.assert_array_equal(one[name], other[name])
        for name in CAMERAS:
            difference = gap(one[name], other[name])
            assert difference.mean() <= (0 if lossless else MEAN)
            assert difference.max() <= (0 if lossless else WORST)
            for step, image in enumerate(one[name]):
                near = range(max(step - 1, 0), min(step + 2, len(other[name])))
                assert min(near, key=lambda at: gap(image, other[name][at]).mean()) == step


@pytest.mark.parametrize("lossless", [False, True])
def test_lerobot_reads_what_tacit_writes(lerobot: Script, made: list[Arrays], tmp_path: Path, lossless: bool) -> None:
    tacit_write(tmp_path / "data", made, lossless)
    found = lerobot.call("read", tmp_path / "data", save(tmp_path / "read", []), FPS)
    assert all(found.pop("checks").values()), found
    assert found == {"episodes": 52, "frames": sum(len(one["state"]) for one in made)}
    check_same(load(tmp_path / "read"), made, lossless=lossless)
    assert min(chunks(tmp_path / "data")) >= 3


def test_tacit_reads_what_lerobot_writes(lerobot: Script, made: list[Arrays], tmp_path: Path) -> None:
    root = tmp_path / "data"
    lerobot.call("write", save(tmp_path / "made", made), root, FPS, True)
    lerobot.call("read", root, save(tmp_path / "read", []), FPS)
    found = tacit_read(root)
    check_same(found, made, lossless=False)
    for one, other in zip(found, load(tmp_path / "read"), strict=True):
        assert all(gap(one[name], other[name]).max() <= DECODER for name in CAMERAS)
    box: Any = tc.data.open(root).spec.action
    every = np.concatenate([one["action"] for one in made])
    np.testing.assert_allclose([box.low, box.high], [every.min(0), every.max(0)])
    assert not [*tc.data.check(root)]
    assert min(chunks(root)) >= 3

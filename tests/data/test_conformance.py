"""Every format and reader passes its conformance suite, and the suites notice broken ones."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

from data import robot_files, test_rosbag
from data.test_videos import write_video
from tacit.data import formats, readers
from tacit.data.formats import Hdf5
from tacit.data.readers import Images
from tacit.data.readers.images import _ImageStorage
from tacit.data.storage import Storage
from tacit.testing.data import check_format, check_reader
from tacit.types import Episode, Spec


def images(folder: Path) -> Path:
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def videos(folder: Path) -> Path:
    for number in range(2):
        write_video(folder / f"{number}.mp4")
    return folder


def signals(folder: Path) -> Path:
    for number in range(2):
        lines = [f"{step / 10:.1f},{number + step}" for step in range(20)]
        (folder / f"{number}.csv").write_text("\n".join(["time,lead", *lines]))
    return folder


def robomimic(folder: Path) -> Path:
    robot_files.robomimic(folder / "a.hdf5")
    return folder / "a.hdf5"


def aloha(folder: Path) -> Path:
    robot_files.aloha(folder)
    return folder


def d4rl(folder: Path) -> Path:
    robot_files.d4rl(folder / "a.hdf5")
    return folder / "a.hdf5"


def minari(folder: Path) -> Path:
    spaces = gym.spaces.Box(-9, 9, (3,), np.float64), gym.spaces.Box(-2, 2, (2,), np.float32)
    return robot_files.minari(folder, "arm-v0", spaces, [robot_files.steps(seed, 4) for seed in (0, 1)])


def replay_buffer(folder: Path) -> Path:
    robot_files.replay_buffer(folder / "a.zarr")
    return folder / "a.zarr"


def rosbag(folder: Path) -> Path:
    for number in range(2):
        test_rosbag.write(folder / f"run_{number}", test_rosbag.robot())
    return folder


EXAMPLES: dict[str, Callable[[Path], Path]] = {
    "images": images,
    "videos": videos,
    "signals": signals,
    "robomimic": robomimic,
    "aloha": aloha,
    "d4rl": d4rl,
    "minari": minari,
    "replay_buffer": replay_buffer,
    "rosbag": rosbag,
}


@pytest.mark.parametrize("name", formats.names())
def test_a_format_conforms(name: str, tmp_path: Path) -> None:
    check_format(formats.load(name)(), tmp_path)


@pytest.mark.filterwarnings("ignore:.*does not say how many steps a second")
@pytest.mark.parametrize("name", readers.names())
def test_a_reader_conforms(name: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    check_reader(readers.load(name)(), EXAMPLES[name](tmp_path / "files"), tmp_path)


@dataclass(frozen=True)
class Broken(Hdf5):
    """A format with one fault."""

    fault: str = ""

    def stage(self, folder: Path, episodes: Sequence[Episode], spec: Spec, labels: object) -> None:
        if self.fault == "task":
            episodes = [replace(episode, task="") for episode in episodes]
        if self.fault == "final_action":
            episodes = [replace(episode, final_action=None) for episode in episodes]
        super().stage(folder, episodes, spec, labels)

    def build(self, target: Path, spec: Spec, labels: object, staged: Sequence[Path], base: Path | None) -> None:
        super().build(target, spec, labels, staged, None if self.fault == "append" else base)


@pytest.mark.parametrize(
    ("fault", "promise"),
    [
        ("task", "must keep 'task'"),
        ("final_action", "must keep its final action"),
        ("append", "expected 5 episodes; got 1"),
    ],
)
def test_the_suite_notices_a_broken_format(fault: str, promise: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_format(Broken(fault=fault), tmp_path)


class BrokenStorage(_ImageStorage):
    """Images with one fault."""

    fault: str
    reads = 0

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        episode = super().read(index, modalities)
        self.reads += 1
        pixels = episode.observation["pixels"]
        if self.fault == "state":
            pixels = pixels + np.uint8(self.reads)
        if self.fault == "spec":
            pixels = pixels[:, :1]
        if self.fault == "writes":
            self.found.files[index].with_suffix(".seen").touch()
        if self.fault == "length":
            pixels = np.concatenate([pixels, pixels])
        return replace(episode, observation={"pixels": pixels})


@dataclass(frozen=True)
class BrokenImages(Images):
    """A reader with one fault."""

    fault: str = ""

    def recognises(self, path: Path) -> bool:
        return True if self.fault == "greedy" else super().recognises(path)

    def open(self, path: Path) -> Storage:
        storage = super().open(path)
        storage.__class__ = BrokenStorage
        storage.fault = self.fault
        return storage


@pytest.mark.parametrize(
    ("fault", "promise"),
    [
        ("state", "must not depend on the other modalities"),
        ("spec", "must fit their spec"),
        ("length", "must fit their spec"),
        ("writes", "must not change the files"),
        ("greedy", "must not recognise"),
    ],
)
def test_the_suite_notices_a_broken_reader(fault: str, promise: str, tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    with pytest.raises(AssertionError, match=promise):
        check_reader(BrokenImages(fault=fault), images(tmp_path / "files"), tmp_path)

"""``fps`` is a finite number above zero wherever it is given or read."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
from PIL import Image

import tacit as tc
from data.recordings import SPEC, recordings
from tacit._config import from_json
from tacit._files import add_checksum, verified
from tacit.cli import main
from tacit.data.readers import Signals, Videos
from tacit.envs import GymnasiumEnvironment
from tacit.errors import TacitError

WRONG = [math.nan, math.inf, -math.inf, 0, 0.0, -10, True, "10"]


class Named(gymnasium.Env[Any, Any]):
    """An environment whose metadata say the rate."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,))
    action_space = gymnasium.spaces.Box(-1, 1, (1,))

    def __init__(self, fps: object) -> None:
        self.metadata = {"render_fps": fps}


def spec(fps: Any, _folder: Path) -> object:
    return tc.Spec({"x": tc.Modality("vector", (1,))}, fps=fps)


def rate(fps: Any, _folder: Path) -> object:
    return tc.Modality("series", (1,), rate=fps)


def spec_of_a_file(fps: Any, _folder: Path) -> object:
    return from_json(tc.Spec, {"modalities": {"x": {"kind": "vector", "shape": [1]}}, "fps": fps})


def videos(fps: Any, _folder: Path) -> object:
    return Videos(fps=fps)


def signals(fps: Any, _folder: Path) -> object:
    return Signals(fps=fps)


def signals_rate(fps: Any, _folder: Path) -> object:
    return Signals(rate=fps)


def csv(fps: Any, folder: Path) -> object:
    (folder / "a.csv").write_text("time,x\n0,1\n0.1,2\n")
    return tc.data.open(folder / "a.csv", fps=fps)


def frames(fps: Any, folder: Path) -> object:
    (folder / "clip").mkdir()
    for number in range(2):
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(folder / "clip" / f"{number}.png")
    return tc.data.open(folder, reader="videos", fps=fps)


def gym(fps: Any, _folder: Path) -> object:
    return GymnasiumEnvironment("CartPole-v1", fps=fps)


def gym_by_name(fps: Any, _folder: Path) -> object:
    return tc.envs.make(f"gymnasium:CartPole-v1,fps={json.dumps(fps)}")


def gym_metadata(fps: Any, _folder: Path) -> object:
    return GymnasiumEnvironment(lambda: Named(fps))


def lerobot(fps: Any, folder: Path) -> object:
    tc.data.save(tc.data.from_episodes(recordings(2), SPEC), folder / "data")
    info = folder / "data" / "meta" / "info.json"
    info.write_text(json.dumps({**json.loads(info.read_text()), "fps": fps}))
    return tc.data.open(folder / "data")


def hdf5(fps: Any, folder: Path) -> object:
    tc.data.save(tc.data.from_episodes(recordings(2), SPEC), folder / "data.h5", "hdf5")
    with h5py.File(folder / "data.h5", "a") as file:
        about = verified(file.attrs["tacit"])
        about["spec"]["fps"] = fps
        file.attrs["tacit"] = add_checksum(about)
    return tc.data.open(folder / "data.h5")


PLACES = [
    spec, rate, spec_of_a_file, videos, signals, signals_rate, csv, frames, gym, gym_by_name, gym_metadata, lerobot,
    hdf5,
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_what_is_no_rate_is_refused(place: Callable[[Any, Path], object], tmp_path: Path) -> None:
    for number, fps in enumerate(WRONG):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(TacitError, match=r"fps|rate"):
            place(fps, folder)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_a_rate_is_taken(place: Callable[[Any, Path], object], tmp_path: Path) -> None:
    place(10.0, tmp_path)


@pytest.mark.parametrize("word", ["nan", "NaN", "Infinity", "-Infinity", "0", "-10", "true", "1e999"])
def test_it_is_refused_on_the_command_line(word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.csv").write_text("time,x\n0,1\n0.1,2\n")
    train = ("train", str(tmp_path), "--recipe", "vjepa", "--to", str(tmp_path / "run"), "--read", f"fps={word}")
    for words in (("data", "info", str(tmp_path), "--set", f"fps={word}"), train):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 1
        error = capsys.readouterr().err
        assert "fps" in error and error.count("\n") == 1

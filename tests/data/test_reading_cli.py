"""Images, videos and signals on the command line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tacit as tc
from tacit.cli import main


def run(*words: str) -> int:
    try:
        main(words)
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number, kind in enumerate(("cat", "dog")):
        (folder / kind).mkdir(parents=True)
        Image.fromarray(np.full((20, 30 + number, 3), 100 * number, np.uint8)).save(folder / kind / "a.png")
    return folder


def test_images_are_looked_at_checked_and_converted(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tacit._progress.interactive", lambda: True)
    assert run("data", "info", str(photos), "--set", "size=8", "--set", "channels=1") == 0
    assert "format        images" in capsys.readouterr().out
    assert run("data", "check", str(photos), "--set", "size=8") == 0
    assert run("data", "check", str(photos)) == 1
    assert run("data", "convert", str(photos), str(tmp_path / "b"), "--set", "size=[8,12]") == 0
    shown = capsys.readouterr()
    assert "written" in shown.out
    assert "episodes" in shown.err  # the progress bar
    assert tc.data.open(tmp_path / "b")[1].observation["pixels"].shape == (1, 3, 8, 12)
    assert run("data", "check", str(tmp_path / "b")) == 0


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("sise=8", "Did you mean 'size'?"),
        ("size", "NAME=VALUE"),
        ("path=x", "give the path"),
        ("reader=video", "readers"),
    ],
)
def test_what_is_wrong_is_said(photos, tmp_path, capsys, word, message):
    for verb in (("info", str(photos)), ("check", str(photos)), ("convert", str(photos), str(tmp_path / "b"))):
        assert run("data", *verb, "--set", word) == 1
        assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "b").exists()

"""Clips are cut from a dataset on a disk that is read only; nothing is ever written into a dataset."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tacit as tc
from cases.lerobot_layout import vector, write_lerobot
from tacit.errors import DataError


def photos(base: Path) -> Path:
    (base / "photos").mkdir(parents=True)
    for number in range(6):
        image = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(image).save(base / f"photos/{number}.png")
    return base / "photos"


@pytest.fixture
def mounted(tmp_path):
    """A disk that can be made read only, where this process may mount one; otherwise a folder without that right."""
    base = tmp_path / "disk"
    base.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(base)]
    mounts = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    if os.geteuid() == 0 and not mounts:
        pytest.skip("root may write everywhere, and no disk can be mounted here")

    def lock() -> None:
        if mounts:
            subprocess.run(["mount", "-o", "remount,ro", str(base)], check=True)
        else:
            for folder in [base, *(item for item in base.rglob("*") if item.is_dir())]:
                folder.chmod(0o555)

    yield base, lock
    if mounts:
        subprocess.run(["umount", str(base)], check=True)
    else:
        for folder in [base, *(item for item in base.rglob("*") if item.is_dir())]:
            folder.chmod(0o755)


def test_clips_are_cut_from_a_read_only_disk(mounted):
    base, lock = mounted
    path = photos(base)
    lock()
    assert tc.data.open(path).clips(1).batch(0, 0, 4).observation["pixels"].shape == (4, 1, 3, 16, 16)


def test_nothing_is_written_into_a_dataset(tmp_path):
    rng = np.random.default_rng(0)
    features = {"observation.state": vector(6), "action": vector(6)}
    write_lerobot(tmp_path / "set", features, [{name: rng.normal(size=(12, 6)) for name in features}])
    path = photos(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for dataset in (tmp_path / "set", path):
        episodes = tc.data.open(dataset)
        episodes.clips(1).batch(0, 0, 4)
        tc.data.check(dataset)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_cache_is_where_it_is_asked_to_be(tmp_path, monkeypatch):
    path = photos(tmp_path)
    tc.data.open(path, cache=tmp_path / "mine")[:3].clips(1)
    assert list((tmp_path / "mine").glob("photos-*/*/pixels.raw"))
    monkeypatch.setenv("TACIT_CACHE", str(tmp_path / "variable"))
    tc.data.open(path).clips(1)
    assert list((tmp_path / "variable").glob("photos-*/*/pixels.raw"))
    monkeypatch.delenv("TACIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    tc.data.open(path).clips(1)
    assert list((tmp_path / "xdg").glob("tacit/photos-*/*/pixels.raw"))
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    tc.data.open(path).clips(1)
    assert list((tmp_path / "home").glob(".cache/tacit/photos-*/*/pixels.raw"))


def test_a_place_that_cannot_be_written_is_refused_with_the_way_out(tmp_path):
    path = photos(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written .*cache=FOLDER.*TACIT_CACHE"):
        tc.data.open(path, cache=tmp_path / "file").clips(1)

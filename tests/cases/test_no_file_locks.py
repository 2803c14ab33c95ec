"""Clips are cut on a file system without locks, as Lustre and some NFS mounts are."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

import tacit as tc
from tacit import _files


def test_clips_are_cut_without_locks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    rng = np.random.default_rng(0)
    spec = tc.Spec({"state": tc.Modality("vector", (3,))}, tc.Box((-1.0,), (1.0,)))
    recorded = [
        tc.Episode(
            {"state": rng.normal(size=(20, 3)).astype(np.float32)},
            rng.uniform(-1, 1, (19, 1)).astype(np.float32),
        )
        for _ in range(4)
    ]
    tc.data.save(tc.data.from_episodes(recorded, spec), tmp_path / "robot")
    monkeypatch.setattr(_files.fcntl, "flock", refuse)
    clip = tc.data.open(tmp_path / "robot").clips(3).batch(0, 0, 4)
    for row in range(4):
        start, episode = int(clip.start[row]), int(clip.episode[row])
        expected = recorded[episode].observation["state"][start : start + 3]
        np.testing.assert_array_equal(clip.observation["state"][row].numpy(), expected)

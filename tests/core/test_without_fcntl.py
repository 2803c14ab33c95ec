"""Tacit without ``fcntl``, which Windows lacks: it imports, writes and opens datasets, and trains."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tacit._files import sync

SCRIPT = """
import sys

sys.modules["fcntl"] = None  # an import of it raises ImportError
import numpy as np
import tacit as tc

rng = np.random.default_rng(0)
spec = tc.Spec({"state": tc.Modality("vector", (3,))}, tc.Box((-1.0,), (1.0,)))
with tc.data.Writer("data", spec) as writer:
    for _ in range(4):
        state, action = rng.normal(size=(20, 3)), rng.uniform(-1, 1, (19, 1))
        writer.add(tc.Episode({"state": state.astype(np.float32)}, action.astype(np.float32)))
episodes = tc.data.open("data")
assert tc.data.check("data") == [] and len(episodes) == 4
model = tc.models.WorldModel.for_spec(spec, size="tiny", latent=8)
objective = tc.objectives.Prediction(steps=1) + tc.objectives.VICReg(over="pooled")
print(tc.train(model, objective, episodes.clips(3), steps=2, seed=0, to="run", batch_size=8))
tc.checkpoint.load_model("run")
assert sys.modules["fcntl"] is None
"""


def test_it_works_without_the_module(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("2 steps")


def test_files_that_cannot_be_pushed_to_the_disk_are_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on Windows, where ``fsync`` refuses what was opened to read; other failures are raised."""
    (tmp_path / "file").write_text("x")

    def refuse(number: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", lambda _: refuse(errno.EBADF))
    sync(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda _: refuse(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        sync(tmp_path)

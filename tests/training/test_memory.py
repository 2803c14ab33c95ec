"""Batches that do not fit the memory are refused before anything is trained."""

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.data import clips as cutting
from tacit.errors import ConfigError
from tacit.training import memory

SPEC = tc.Spec({"front": tc.Modality("pixels", (3, 32, 32))}, tc.Box((-1.0,), (1.0,)))


@pytest.fixture(scope="module")
def clips() -> tc.data.Clips:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (12, 3, 32, 32), dtype=np.uint8)
    episodes = [tc.Episode({"front": frames}, rng.uniform(-1, 1, (11, 1)).astype(np.float32)) for _ in range(4)]
    return tc.data.from_episodes(episodes, SPEC).clips(3)


def train(clips: tc.data.Clips, to: Path, batch_size: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    model = tc.models.WorldModel.for_spec(SPEC)
    objective = tc.objectives.Prediction() + tc.objectives.VICReg()
    tc.train(model, objective, clips, steps=2, seed=0, to=to, batch_size=batch_size)
    return model.state_dict()


def test_the_refusal_says_which_batch_fits_and_leaves_nothing(clips, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 40_000_000)
    with pytest.raises(ConfigError, match=r"of 512 clips takes about .* Use batch_size=\d+, .*size=64") as found:
        train(clips, tmp_path / "run", 512)
    fits = int(str(found.value).split("batch_size=")[1].split(",")[0])
    assert 4 <= fits < 512
    assert math.log2(fits).is_integer()
    train(clips, tmp_path / "run", fits)
    monkeypatch.setattr(memory, "available_memory", lambda: 1000)
    with pytest.raises(ConfigError, match="Use shorter clips, images"):
        train(clips, tmp_path / "other", 4)


def test_what_is_counted_leaves_the_model_as_it_was(clips):
    torch.manual_seed(0)
    model = tc.models.WorldModel.for_spec(SPEC).train()
    before = copy.deepcopy(model.state_dict())
    objective = tc.objectives.Prediction() + tc.objectives.VICReg()
    objective.prepare(model.latent_size, model.action_size)

    def judge(size: int) -> object:
        return objective(model.forecast(clips.batch(0, 0, size), objective.request()), 0, 0.5)

    total = memory._kept((model, objective), judge)
    assert total > 4 * clips.bytes(memory.SAMPLE)  # the input as float32, at the least
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_training_that_was_looked_at_is_the_same(clips, tmp_path, monkeypatch):
    plain = train(clips, tmp_path / "plain", 8)
    monkeypatch.setattr(memory, "MUCH", 10**9)
    looked = train(clips, tmp_path / "looked", 8)
    assert all(torch.equal(value, looked[name]) for name, value in plain.items())


def test_a_batch_that_cannot_be_cut_is_refused(clips, monkeypatch):
    monkeypatch.setattr(cutting, "LARGE", 10_000)
    monkeypatch.setattr(cutting, "available_memory", lambda: 100_000)
    assert clips.bytes(5) == clips.batch(0, 0, 5).observation["front"].nbytes
    with pytest.raises(ConfigError, match=r"a batch of 50 clips takes 460.8 kB .* 100.0 kB are available"):
        clips.batch(0, 0, 50)

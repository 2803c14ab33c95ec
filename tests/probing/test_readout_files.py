"""Readouts on disk."""

import json

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.errors import CheckpointError
from tacit.nn.readout import LinearReadout
from tacit.probing import fit, fit_features, load_readout, save_readout

EPISODES = tc.collect("point_mass", episodes=8, steps=12, seed=0)


@pytest.fixture
def model():
    return tc.models.WorldModel.for_spec(EPISODES.spec, latent=8, seed=0)


@pytest.fixture
def readout():
    return LinearReadout("position", torch.randn(8, 2), torch.randn(2), (0.1, 0.2), (0.9, float("nan")))


def test_a_readout_is_read_as_it_was_written(model, readout, tmp_path):
    for _ in range(2):  # the second replaces the first
        save_readout(readout, tmp_path / "position", model)
    again = load_readout(tmp_path / "position", model)
    latents = torch.randn(5, 8)
    assert torch.equal(again(latents), readout(latents))
    assert (again.target, again.error, again.r2[0]) == ("position", (0.1, 0.2), 0.9) and np.isnan(again.r2[1])


def test_a_readout_of_another_model_is_refused(model, readout, tmp_path):
    save_readout(readout, tmp_path / "position", model)
    other = tc.models.WorldModel.for_spec(EPISODES.spec, latent=8, seed=1)
    with pytest.raises(CheckpointError, match=r"belongs to another model.*tacit probe RUN --target position"):
        load_readout(tmp_path / "position", other)


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "readout.json").unlink(),
        lambda folder: (folder / "readout.json").write_text("[1]"),
        lambda folder: (folder / "readout.json").write_text("[" * 100_000),
        lambda folder: (folder / "readout.safetensors").write_bytes(b"damage"),
        lambda folder: edit(folder, "error", ["much"]),
        lambda folder: edit(folder, "error", 3),
        lambda folder: edit(folder, "error", [0.1]),
        lambda folder: edit(folder, "code", "os.system"),
    ],
)
def test_damage_is_refused(change, model, readout, tmp_path):
    save_readout(readout, tmp_path / "position", model)
    change(tmp_path / "position")
    with pytest.raises(CheckpointError, match="not a readable readout"):
        load_readout(tmp_path / "position", model)


def edit(folder, key, value):
    values = json.loads((folder / "readout.json").read_text())
    (folder / "readout.json").write_text(json.dumps({**values, key: value}))


def test_another_directory_is_not_replaced(model, readout, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    with pytest.raises(CheckpointError, match="no readout, and is not replaced"):
        save_readout(readout, tmp_path / "notes", model)
    assert (tmp_path / "notes" / "mine.txt").read_text() == "keep"


def test_a_readout_of_features_is_that_of_their_episodes(model):
    train, held_out = EPISODES.split(0.7, seed=0)
    parts = [tc.probing.features(model, episodes) for episodes in (train, held_out)]
    one, two = fit(model, train, "position", held_out=held_out), fit_features(*parts, "position")
    assert torch.equal(one.weight, two.weight) and one.error == two.error

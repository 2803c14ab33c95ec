"""Violation of expectation with models whose surprise is known."""

from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from probing.exact import Exact, recordings
from tacit.envs import TableAndBook
from tacit.errors import ConfigError, DataError, SpecError
from tacit.evaluation.expectation import Triples, frame_surprise, violation_of_expectation
from tacit.evaluation.physics_scenes import SCENES, physics_triples


def walks(count=6, jump=5.0, event=4):
    """Walks, the same with another third number (which Exact does not encode), and the same with a jump."""
    episodes = list(recordings(count, length=10))
    normal = np.stack([episode.observation["vector"] for episode in episodes])
    appearance, impossible = normal.copy(), normal.copy()
    appearance[:, event:, 2] += 1
    impossible[:, event:, 0] += jump
    action = np.stack([episode.action for episode in episodes])
    scene = ("a", "b") * (count // 2)
    videos = ({"vector": one} for one in (normal, appearance, impossible))
    return Triples(*videos, action, scene, np.full(count, event))


@pytest.mark.parametrize("history", [1, 3])
def test_only_the_impossible_surprises_a_model_that_is_right(history):
    triples = walks()
    found = violation_of_expectation(Exact(history=history), triples, steps=3)
    assert np.isnan(found.surprise["normal"][:, 0]).all()
    assert np.nanmax(found.surprise["normal"]) < 1e-9 and np.nanmax(found.surprise["appearance"]) < 1e-9
    # A jump of 5 in one of two components: 12.5 in every prediction that crosses it, 3, then 2, then 1 of 3.
    expected = np.array([0, 0, 0, 12.5, 12.5 * 2 / 3, 12.5 / 3, 0, 0, 0])
    np.testing.assert_allclose(found.surprise["impossible"][:, 1:], np.tile(expected, (6, 1)), atol=1e-4)
    assert found.impossible.paired.rate == found.over_appearance.rate == found.impossible.auroc.mean == 1
    assert {name: rate.n for name, rate in found.scenes.items()} == {"a": 3, "b": 3}
    assert found.p_impossible == found.p_over_appearance == pytest.approx(2 / 2**6)
    assert "all scenes" in str(found)


def test_equal_surprise_is_a_miss():
    found = violation_of_expectation(Exact(), walks(jump=0.0))
    assert found.impossible.paired.rate == 0 and found.p_impossible == 1


def test_bad_input_is_refused():
    triples = walks()
    with pytest.raises(ConfigError, match="steps of at least 1; got 0"):
        violation_of_expectation(Exact(), triples, steps=0)
    with pytest.raises(SpecError, match="one block between each"):
        frame_surprise(Exact(), triples.normal, triples.action[:, 1:])
    with pytest.raises(DataError, match="not finite"):
        frame_surprise(Exact(gain=np.nan), triples.normal, triples.action)
    with pytest.raises(ConfigError, match="videos need the shapes"):
        replace(triples, impossible={"vector": triples.normal["vector"][:, 1:]})
    with pytest.raises(ConfigError, match="a scene each"):
        replace(triples, scene=("a",))
    with pytest.raises(ConfigError, match="from 1 to 9"):
        replace(triples, event=np.zeros(6, np.int64))
    env = TableAndBook(size=16)
    with pytest.raises(ConfigError, match="Did you mean 'gravity'"):
        physics_triples(env, 1, 0, scenes=("gravty",))
    with pytest.raises(ConfigError, match="steps >= 8"):
        physics_triples(env, 1, 0, steps=4)


@pytest.fixture(scope="module")
def scenes():
    """The environment and triples of every scene."""
    env = TableAndBook(size=32, stacked=True, shapes=("book", "ball"))
    return env, physics_triples(env, 3, 5)


def test_triples_match_until_the_event(scenes):
    _, triples = scenes
    assert triples.scene == tuple(name for name in SCENES for _ in range(3)) and len(triples) == 12
    for row, event in enumerate(triples.event):
        normal, other, broken = (one["pixels"][row] for one in (triples.normal, triples.appearance, triples.impossible))
        np.testing.assert_array_equal(normal[:event], other[:event])
        np.testing.assert_array_equal(normal[:event], broken[:event])
        assert (normal[event] != broken[event]).any()
        np.testing.assert_array_equal(broken[1:, :3], broken[:-1, 3:])  # the image before is the one that was shown
        assert (normal != other).any(), triples.scene[row]


def test_triples_are_a_function_of_the_seed(scenes):
    env, triples = scenes
    again = physics_triples(env, 3, 5)
    np.testing.assert_array_equal(triples.impossible["pixels"], again.impossible["pixels"])
    assert (physics_triples(env, 3, 6).normal["pixels"] != triples.normal["pixels"]).any()


class Remembering(TableAndBook):
    """The environment, which keeps the state of each image that it shows."""

    known: ClassVar = {}

    def observe(self, state):
        shown = super().observe(state)
        for row, image in enumerate(shown["pixels"]):
            self.known[image.tobytes()] = {name: np.array(values[row : row + 1]) for name, values in state.items()}
        return shown


class TrueDynamics(nn.Module):
    """The latent is the position of the object in the state that an image shows, and the dynamics are the true ones."""

    frameskip = history = 1
    device = torch.device("cpu")

    def __init__(self, env):
        super().__init__()
        self.config = SimpleNamespace(spec=env.spec, frameskip=1, history=1, inputs=("pixels",))
        self.env, self.states = env, {}

    def encode(self, observation):
        images = np.asarray(observation["pixels"])
        states = [self.env.known[image.tobytes()] for image in images.reshape(-1, *images.shape[2:])]
        latents = np.concatenate([state["book"][:, :2] for state in states])
        self.states |= {latent.tobytes(): state for latent, state in zip(latents, states, strict=True)}
        return torch.from_numpy(latents).reshape(*images.shape[:2], 2)

    encode_target = encode

    def rollout(self, context, blocks):
        found = [self.states[latent.numpy().tobytes()] for latent in context.latents[:, -1]]
        start = {name: np.concatenate([state[name] for state in found]) for name in found[0]}
        return torch.from_numpy(self.env.simulate(start, blocks.numpy())["book"][:, :, :2])


def test_true_physics_are_surprised_by_the_impossible_alone():
    env = Remembering(size=32, shapes=("book", "ball"))
    triples = physics_triples(env, 3, 1, scenes=("continuity", "solidity", "gravity"))
    found = violation_of_expectation(TrueDynamics(env), triples, steps=2)
    assert np.nanmax(found.surprise["normal"]) < 1e-4 and np.nanmax(found.surprise["appearance"]) < 1e-4
    for row, event in enumerate(triples.event):
        assert np.nanmax(found.surprise["impossible"][row, :event]) < 1e-4
        assert np.nanmax(found.surprise["impossible"][row, event:]) > 1, triples.scene[row]
    assert found.impossible.paired.rate == found.over_appearance.rate == 1

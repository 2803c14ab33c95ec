"""Critics learn the distances of worlds in which they are known."""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
import torch

import tacit as tc
from tacit.costs import TemporalCritic, TemporalCriticConfig
from tacit.data import Episodes
from tacit.errors import ConfigError, DataError
from tacit.models import WorldModel
from tacit.statistics import rank_correlation
from tacit.testing.worlds import LineWorld
from tacit.training import train_critic
from tacit.types import Box, Episode, Modality, Spec

Floats = npt.NDArray[np.float32]
TOWARDS = Spec({"state": Modality("vector", (2,))}, Box((-1.0,), (1.0,)))
CORRIDOR = 12
"""Cells of a corridor that is folded in two, so that its ends are next to each other in space."""


def identity(spec: Spec, frameskip: int = 1) -> WorldModel:
    """An encoder that is the identity of the only modality."""
    (name,) = spec.modalities
    size = spec.modalities[name].shape[0]
    made = WorldModel.for_spec(spec, latent=size, frameskip=frameskip, encoders={name: "identity"})
    with torch.no_grad():
        for key, parameter in made.encoder.named_parameters():
            parameter.copy_(torch.eye(size) if key.endswith("weight") else torch.zeros(size))
    return made


def folded(cell: Floats) -> Floats:
    """The place in the plane of a cell of the corridor."""
    half = CORRIDOR / 2
    place = np.stack([np.minimum(cell, CORRIDOR - cell), np.where(cell < half, 0.0, 2.0)], axis=-1)
    return np.asarray(place, np.float32)


def around(phase: Floats) -> Floats:
    """The place on a circle of one of twelve phases."""
    return np.asarray(np.stack([np.cos(phase * np.pi / 6), np.sin(phase * np.pi / 6)], axis=-1), np.float32)


def walks(
    place: Callable[[Floats], Floats], move: Callable[[float, float], float], first: float, steps: int
) -> Episodes:
    """Random walks, shown by their place."""
    rng, made = np.random.default_rng(0), []
    for index in range(120):
        action = rng.uniform(-1, 1, (steps, 1)).astype(np.float32)
        cells = [rng.uniform(0, first)]
        for one in action[:, 0]:
            cells.append(move(cells[-1], one))
        made.append(Episode({"state": place(np.array(cells, np.float32))}, action, index=index))
    return tc.data.from_episodes(made, TOWARDS)


def critic(method: str, latent: int = 2, **options: int) -> TemporalCritic:
    torch.manual_seed(0)
    sizes = {"width": 32, "embedding": 8, **options}
    return TemporalCritic(TemporalCriticConfig(latent, method, **sizes))  # type: ignore[arg-type]


def distances(critic: TemporalCritic, place: Callable[[Floats], Floats], pairs: Floats) -> Floats:
    with torch.no_grad():
        return critic(*(torch.from_numpy(place(cells)) for cells in pairs)).numpy()


@pytest.mark.parametrize("method", ["expectile", "quasimetric"])
def test_a_line_is_as_long_as_the_steps_that_it_takes(method: str) -> None:
    world, found = LineWorld(), critic(method)

    def shown(x: Floats) -> Floats:
        return np.asarray(world.observe({"x": x[:, None]})["vector"])

    episodes = walks(shown, lambda x, action: float(np.clip(x + action, 0, 10)), 10, 60)
    train_critic(identity(TOWARDS), found, episodes.clips(2, 1), steps=300, seed=0, lr=2e-3, gamma=0.9)
    pairs = np.random.default_rng(1).uniform(0.5, 9.5, (2, 500)).astype(np.float32)
    assert rank_correlation(distances(found, shown, pairs), np.abs(pairs[0] - pairs[1])) > 0.97
    assert found.distance_at(1) < found.distance_at(4) < found.distance_at(16)


def test_the_way_counts_and_not_the_distance_in_space() -> None:
    along = partial(walks, folded, lambda cell, action: float(np.clip(cell + action, 0, CORRIDOR)), CORRIDOR)
    found = critic("expectile")
    train_critic(
        identity(TOWARDS), found, along(80).clips(2, 1), steps=500, seed=0, lr=3e-3, gamma=0.95, goals=4, follow=0.03
    )
    rng = np.random.default_rng(1)
    pairs = rng.uniform(0.5, CORRIDOR - 0.5, (2, 1000)).astype(np.float32)
    true, space = np.abs(pairs[0] - pairs[1]), np.linalg.norm(folded(pairs[0]) - folded(pairs[1]), axis=-1)
    assert rank_correlation(space, true) < 0.7
    assert rank_correlation(distances(found, folded, pairs), true) > 0.95
    ends, near = distances(found, folded, np.array([[0.5, 0.5], [CORRIDOR - 0.5, 3.0]], np.float32))
    assert ends > 2 * near


def test_a_regression_learns_how_long_the_recorded_ways_took() -> None:
    steady = walks(folded, lambda cell, _: min(cell + 0.25, CORRIDOR), 0.25, 4 * CORRIDOR)
    found = critic("pair")
    train_critic(identity(TOWARDS), found, steady.clips(2, 1), steps=300, seed=0, lr=2e-3)
    pairs = np.random.default_rng(1).uniform(0.0, CORRIDOR, (2, 500)).astype(np.float32)
    apart, blocks = distances(found, folded, pairs), 4 * np.abs(pairs[0] - pairs[1])
    assert rank_correlation(apart, blocks) > 0.95 and np.abs(apart - blocks).mean() < 4
    assert np.abs(distances(found, folded, pairs[::-1]) - blocks).mean() < 4, "there and back alike"


def test_a_quasimetric_knows_a_one_way_street() -> None:
    forward = walks(around, lambda phase, action: (phase + abs(action)) % 12, 12, 60)
    there, back = (
        np.array([[0.0, 3.0, 6.0], [3.0, 6.0, 9.0]], np.float32),
        np.array([[3.0, 6, 9], [0, 3, 6]], np.float32),
    )
    found = critic("quasimetric")
    train_critic(identity(TOWARDS), found, forward.clips(2, 1), steps=500, seed=0, lr=3e-3)
    ratio = distances(found, around, back) / distances(found, around, there)
    assert (ratio > 1.8).all(), "three phases ahead, nine back"
    symmetric = critic("expectile")
    train_critic(identity(TOWARDS), symmetric, forward.clips(2, 1), steps=50, seed=0)
    np.testing.assert_allclose(distances(symmetric, around, back), distances(symmetric, around, there), rtol=1e-5)


@pytest.mark.parametrize("method", ["expectile", "pair", "quasimetric"])
def test_a_critic_is_a_function_of_its_seed(method: str) -> None:
    episodes = walks(folded, lambda cell, action: float(np.clip(cell + action, 0, CORRIDOR)), CORRIDOR, 40)
    found = [critic(method) for _ in range(3)]
    reports = [
        train_critic(identity(TOWARDS, 2), one, episodes.clips(2, 2), steps=20, seed=seed)
        for one, seed in zip(found, (0, 0, 1), strict=True)
    ]
    assert reports[0].losses == reports[1].losses != reports[2].losses
    assert reports[0].steps == 20 == len(reports[0].losses)
    first, again, other = (one.state_dict() for one in found)
    assert all(torch.equal(first[name].nan_to_num(), again[name].nan_to_num()) for name in first)
    assert not torch.equal(found[0].net.linears[0].weight, found[2].net.linears[0].weight), other.keys()


@pytest.mark.parametrize("method", ["expectile", "pair", "quasimetric"])
def test_a_critic_is_calibrated_up_to_the_end_of_the_episodes(method: str) -> None:
    episodes = walks(folded, lambda cell, _: float(min(cell + 1, CORRIDOR)), 1, 10)
    found = critic(method, calibrated=12)
    train_critic(identity(TOWARDS, 2), found, episodes.clips(2, 2), steps=5, seed=0)
    assert found.distances.isfinite().tolist() == [True] * 5 + [False] * 7
    assert found.square_at(2) == pytest.approx(8.0, rel=1e-3), "four steps along x, the mean square over two components"
    with pytest.raises(ConfigError, match="calibrated up to 5 blocks; got 6"):
        found.distance_at(6)
    with pytest.raises(ConfigError, match="calibrated up to 5 blocks; got 13"):
        found.square_at(13)


def test_what_does_not_fit_is_refused() -> None:
    episodes = walks(folded, lambda cell, _: cell, CORRIDOR, 3)
    model = identity(TOWARDS, 2)
    for wrong, clips, message in (
        (critic("pair", latent=3), episodes.clips(2, 2), "latents of 3 numbers; the model has 2"),
        (critic("pair"), episodes.clips(2, 1), "frameskip=2"),
    ):
        with pytest.raises(ConfigError, match=message):
            train_critic(model, wrong, clips, steps=1, seed=0)
    with pytest.raises(ConfigError, match="Did you mean 'gamma'"):
        train_critic(model, critic("pair"), episodes.clips(2, 2), steps=1, seed=0, gama=0.9)
    with pytest.raises(ConfigError, match="tau is between 0 and 1"):
        train_critic(model, critic("pair"), episodes.clips(2, 2), steps=1, seed=0, tau=1.5)
    short = walks(folded, lambda cell, _: cell, CORRIDOR, 1)
    with pytest.raises(DataError, match="no episode is longer than a block of 2 steps"):
        train_critic(model, critic("pair"), short.clips(1, 2), steps=1, seed=0)

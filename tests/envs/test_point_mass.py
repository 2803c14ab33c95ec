"""The point mass against its closed form."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.envs import PointMass
from tacit.errors import ConfigError


@given(seed=st.integers(0, 10_000), horizon=st.integers(1, 30), damping=st.sampled_from([0.0, 0.5, 0.8, 0.99]))
@settings(max_examples=40, deadline=None)
def test_positions_follow_the_closed_form(seed: int, horizon: int, damping: float) -> None:
    env = PointMass(5, damping=damping)
    rng = np.random.default_rng(seed)
    state = {"position": rng.normal(size=(5, 2)), "velocity": rng.normal(size=(5, 2))}
    actions = rng.uniform(-1, 1, (5, horizon, 2)).astype(np.float32)
    last = env.simulate(state, actions)["position"][:, -1]
    expected = env.drift(state, horizon) + np.einsum("k,bka->ba", env.gains(horizon), actions)
    np.testing.assert_allclose(last, expected, atol=1e-9)


def test_no_plan_ends_nearer_than_the_optimal_one() -> None:
    env = PointMass(1)
    tasks = env.tasks(30, seed=0)
    best = env.optimal(tasks.start, tasks.goal, 12)
    last = {name: values[:, -1] for name, values in env.simulate(tasks.start, best).items()}
    distance = env.distance(last, tasks.goal)
    reachable = (np.abs(tasks.goal["position"] - env.drift(tasks.start, 12)) <= env.gains(12).sum()).all(axis=1)
    assert reachable.any() and not reachable.all()
    assert (distance[reachable] < 1e-6).all() and (distance[~reachable] > 1e-3).all()
    rng = np.random.default_rng(1)
    for _ in range(50):
        other = np.clip(best + rng.normal(0, 0.3, best.shape), -1, 1).astype(np.float32)
        last = {name: values[:, -1] for name, values in env.simulate(tasks.start, other).items()}
        assert (env.distance(last, tasks.goal) >= distance - 1e-6).all()


def test_the_expert_solves_every_task_within_the_budget_and_does_not_overshoot() -> None:
    env = PointMass(1)
    tasks = env.tasks(200, seed=1)
    state, side = tasks.start, np.sign(tasks.goal["position"] - tasks.start["position"])
    for _ in range(env.rules.budget):
        action = env.expert(state, tasks.goal)
        state = {name: values[:, 0] for name, values in env.simulate(state, action[:, None]).items()}
        assert ((tasks.goal["position"] - state["position"]) * side > -1e-6).all()
    assert (env.distance(state, tasks.goal) <= env.rules.radius).all()


def test_the_image_shows_the_position() -> None:
    env = PointMass(3, size=64)
    state = {"position": np.array([[0.0, 0.0], [0.8, 0.0], [5.0, 5.0]]), "velocity": np.zeros((3, 2))}
    ink = 236 - env.observe(state)["pixels"][:, 1].astype(np.float64)
    middle = np.arange(64) + 0.5
    np.testing.assert_allclose([(ink[0] * middle).sum(), (ink[0].T * middle).sum()] / ink[0].sum(), [32, 32], atol=0.1)
    np.testing.assert_allclose([(ink[1] * middle).sum(), (ink[1].T * middle).sum()] / ink[1].sum(), [48, 32], atol=0.1)
    assert ink[2].sum() == 0, "a mass outside the image is not drawn"


@pytest.mark.parametrize("options", [{"num_envs": 0}, {"size": 3}, {"damping": 1.0}, {"force": 0.0}])
def test_options_are_checked(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="Point mass needs"):
        PointMass(**options)  # type: ignore[arg-type]

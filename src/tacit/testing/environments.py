"""Conformance suite for environments.

In the tests of an extension::

    from tacit.testing.environments import check_environment

    def test_mine_is_an_environment():
        check_environment(MyEnvironment(num_envs=3))
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tacit._check import has_expert, has_goals, has_simulation
from tacit._states import rows_of
from tacit.errors import SpecError
from tacit.types import (
    Array,
    Box,
    Environment,
    GoalEnvironment,
    Observation,
    SimulatedEnvironment,
    Spec,
    State,
    Transition,
)

__all__ = ["actions", "check_environment", "check_goal_environment"]

STEPS = 8


def actions(spec: Spec, num_envs: int, seed: int, steps: int = STEPS) -> npt.NDArray[np.float32]:
    """Draw uniform random actions ``[steps, num_envs, A]``, one-hot for choices."""
    return spec.action.sample(np.random.default_rng(seed), (steps, num_envs))


def check_environment(env: Environment) -> None:
    """Check the promises of :class:`tacit.types.Environment`, and of its goals where it has some.

    Args:
        env: An environment of at least two worlds.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    _require(env.num_envs >= 2, "the check needs an environment of at least two worlds")
    _check_shapes(env)
    _check_seeds(env)
    _check_steps(env)
    if has_goals(env):
        check_goal_environment(env)


def check_goal_environment(env: GoalEnvironment) -> None:
    """Check the promises of :class:`tacit.types.GoalEnvironment`, with ``simulate`` and ``expert`` if present.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    tasks = env.tasks(16, seed=3)
    _require(len(tasks) == 16, "tasks gives as many pairs as asked for")
    _require(_same(tasks.start, env.tasks(16, seed=3).start), "tasks is a function of the seed")
    _require(not _same(tasks.start, env.tasks(16, seed=4).start), "another seed draws other tasks")
    apart = env.distance(tasks.start, tasks.goal)
    _require(apart.shape == (16,) and bool((apart > env.rules.radius).all()), "no task is solved at the start")
    _require(bool((env.distance(tasks.goal, tasks.goal) == 0).all()), "a state is at distance 0 of itself")
    _check_images(env, tasks.start)
    if has_simulation(env):
        _check_simulation(env, tasks.start)
    if has_expert(env):
        expert = env.expert(tasks.start, tasks.goal)
        _require(_inside(env.spec, expert), "the expert stays in the action space")


def _check_shapes(env: Environment) -> None:
    spec, count = env.spec, env.num_envs
    _check_observation(spec, count, env.reset(0))
    transition = env.step(actions(spec, count, 0)[0])
    _check_observation(spec, count, transition.observation)
    for flag in (transition.terminated, transition.truncated):
        _require(flag.shape == (count,) and flag.dtype == np.bool_, "flags are bool [B]")
    for name, label in env.labels().items():
        _require(len(label) == count, f"label {name!r} has a row for each world")
    for wrong in (np.zeros((count, spec.action.size + 1)), np.full((count, spec.action.size), np.nan)):
        try:
            env.step(wrong.astype(np.float32))
        except SpecError:
            continue
        raise AssertionError("step refuses actions of another shape, and NaN, with a SpecError")


def _check_observation(spec: Spec, count: int, observation: Observation) -> None:
    _require(set(observation) == set(spec.modalities), "an observation has the modalities of the spec")
    for name, modality in spec.modalities.items():
        _require(observation[name].shape == (count, *modality.shape), f"{name} is [B, {modality.shape}]")
        _require(observation[name].dtype == modality.dtype, f"{name} is {modality.dtype}")
        if modality.kind != "pixels":
            _require(bool(np.isfinite(observation[name].astype(np.float64)).all()), f"{name} is finite")


def _check_seeds(env: Environment) -> None:
    seeds = list(range(20, 20 + env.num_envs))
    first, again, other = env.reset(5), env.reset(5), env.reset(6)
    _require(_same(first, again), "reset is a function of the seed")
    _require(not _same(first, other), "another seed starts other episodes")
    plan = actions(env.spec, env.num_envs, 1)
    forward, labels = _run(env, seeds, plan), env.labels()
    backward = _run(env, seeds[::-1], plan[:, ::-1])
    for one, two in zip(forward, backward, strict=True):
        flipped = {name: batch[::-1] for name, batch in two.items()}
        _require(_same(one, flipped), "with a seed each, an episode does not depend on the rest of the batch")
    _require(_same(labels, {k: v[::-1] for k, v in env.labels().items()}), "nor do its labels")


def _check_steps(env: Environment) -> None:
    """Check that actions are clipped to the space and that an ended world stays unchanged."""
    if isinstance(env.spec.action, Box):
        high = np.tile(np.asarray(env.spec.action.high, np.float32), (env.num_envs, 1))
        env.reset(1)
        inside = env.step(high).observation
        env.reset(1)
        _require(_same(inside, env.step(high + 1).observation), "actions outside the box are clipped to it")
    env.reset(2)
    before: Transition | None = None
    for action in actions(env.spec, env.num_envs, 2, steps=40):
        now = env.step(action)
        if before is not None:
            for world in np.flatnonzero(before.terminated | before.truncated):
                held = all(
                    np.array_equal(now.observation[n][world], before.observation[n][world]) for n in now.observation
                )
                flags = (
                    now.terminated[world] == before.terminated[world]
                    and now.truncated[world] == before.truncated[world]
                )
                _require(bool(held and flags), "a world that has ended stays as it ended")
        before = now


def _check_images(env: GoalEnvironment, states: State) -> None:
    batch = env.observe(states)
    _require(_same(batch, env.begin(states)), "begin shows what observe shows")
    _require(env.num_envs == 16, "begin takes the size of the states")
    _require(_same(env.state(), states), "state gives back what begin was given")
    for world in (0, 7, 15):
        alone = env.observe(rows_of(states, slice(world, world + 1)))
        part = {name: values[world : world + 1] for name, values in batch.items()}
        _require(_same(alone, part), "a state looks the same alone and in a batch")
    _require(_same(env.state(), states), "observe leaves the running episodes alone")


def _check_simulation(env: SimulatedEnvironment, states: State) -> None:
    env.begin(states)
    plan = actions(env.spec, 16, 9).swapaxes(0, 1)
    imagined = env.simulate(states, plan)
    _require(_same(env.state(), states), "simulate leaves the running episodes alone")
    for step in range(STEPS):
        shown = env.step(plan[:, step]).observation
        there = {name: values[:, step] for name, values in imagined.items()}
        _require(_same(env.state(), there), "simulate goes where step goes")
        _require(_same(shown, env.observe(there)), "step shows the state that it leads to")


def _run(env: Environment, seeds: list[int], plan: npt.NDArray[np.float32]) -> list[Observation]:
    return [env.reset(seeds), *(env.step(action).observation for action in plan)]


def _inside(spec: Spec, action: npt.NDArray[np.float32]) -> bool:
    return bool(spec.action.contains(action).all())


def _same(one: Mapping[str, Array], two: Mapping[str, Array]) -> bool:
    return set(one) == set(two) and all(np.array_equal(one[name], two[name]) for name in one)


def _require(true: bool, promise: str) -> None:
    if not true:
        raise AssertionError(f"broken promise: {promise}")

"""Scores of an actor over whole episodes of any environment: return, success and length."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit._html import html_table
from tacit.collection import Acting
from tacit.errors import ConfigError, SpecError
from tacit.evaluation._actors import AnyActor, Goal, as_actor
from tacit.evaluation.reached import Reached
from tacit.evaluation.trace import Trace, trace
from tacit.statistics.intervals import Estimate, Rate, bootstrap, wilson
from tacit.types import Array, Environment, Observation, Spec, Transition

__all__ = ["EpisodeScores", "Near", "score_episodes"]

Floats = npt.NDArray[np.float64]
Success: TypeAlias = Literal["info", "terminated"] | Reached | Callable[[Observation], npt.NDArray[np.bool_]]
"""Criterion of success: the report of the environment, its own end of an episode, a goal in its labels, or a function
of observations."""


@dataclass(frozen=True)
class Near:
    """Success where an observation is near a goal: each modality of the goal within ``radius``, Euclidean.

    Args:
        goal: A value ``[...]`` for each modality that counts.
        radius: The largest distance, in the units of the modality.

    Raises:
        ConfigError: if the radius is not above 0.
    """

    goal: Observation
    radius: float

    def __post_init__(self) -> None:
        if not self.radius > 0:
            raise ConfigError(f"Near needs a radius above 0; got {self.radius}.")

    def __call__(self, observation: Observation) -> npt.NDArray[np.bool_]:
        """Return for each observation ``[B, ...]`` whether it is near, ``[B]``."""
        inside = np.ones(len(next(iter(observation.values()))), np.bool_)
        for name, value in self.goal.items():
            difference = np.asarray(observation[name], np.float64) - np.asarray(value, np.float64)
            inside &= np.linalg.norm(difference.reshape(len(inside), -1), axis=1) <= self.radius
        return inside


@dataclass(frozen=True, eq=False)
class EpisodeScores:
    """Scores of an actor in whole episodes.

    Attributes:
        mean_return: Mean sum of rewards, with a bootstrap interval over episodes; None where the environment gives no
            rewards.
        solved: ``[n]`` whether each episode was solved; None where nothing reports it.
        success: Share of solved episodes.
        success_at: ``last``: solved at the last step; ``any``: at some step.
        trace: The record of all steps, with the decisions of each world.
    """

    mean_return: Estimate | None
    solved: npt.NDArray[np.bool_] | None = field(repr=False)
    success: Rate | None
    success_at: Literal["last", "any"]
    trace: Trace = field(repr=False)

    @property
    def returns(self) -> Floats | None:
        """Return the sum of rewards of each episode ``[n]``; None where the environment gives none."""
        return self.trace.returns

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of steps of each episode ``[n]``."""
        return self.trace.lengths

    @property
    def not_ok(self) -> int:
        """Return the number of steps of single episodes whose decision was not ``act``."""
        return int(self.trace.not_acted.sum())

    @property
    def seed(self) -> int:
        """Return the seed of the episodes."""
        return self.trace.seed

    def __str__(self) -> str:
        parts = [] if self.mean_return is None else [f"return {self.mean_return}"]
        parts += [] if self.success is None else [f"solved {self.success}"]
        steps = f"{self.lengths.mean():.1f} steps an episode, {len(self.lengths)} episodes"
        return ", ".join([*parts, steps])

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        rows: list[tuple[object, ...]] = [] if self.mean_return is None else [("return", self.mean_return)]
        if self.success is not None:
            rows.append((f"solved at {'the last' if self.success_at == 'last' else 'some'} step", self.success))
        rows.append(("steps of an episode", f"{self.lengths.mean():.1f}"))
        return html_table(f"{len(self.lengths)} episodes", ("score", "value"), rows)


def score_episodes(
    actor: AnyActor,
    env: Environment,
    episodes: int = 200,
    seed: int = 1,
    *,
    steps: int = 1000,
    goal: Goal | None = None,
    success: Success | None = None,
    success_at: Literal["last", "any"] = "last",
    progress: bool | None = None,
) -> EpisodeScores:
    """Let an actor act in whole episodes of an environment. The environment needs no goals of its own.

    An episode ends where the environment ends it, or after ``steps`` steps. Episode ``i`` is a function of
    ``(seed, i)``, for any number of worlds.

    Args:
        actor: An agent, a baseline such as :class:`tacit.agent.RandomActor`, or a function; see
            :func:`tacit.evaluation.trace`.
        env: The environment; its worlds act together.
        episodes: The number of episodes.
        seed: Seed of the episodes and of the actor.
        steps: The largest number of steps of an episode.
        goal: Goal of the actor, if it takes one: the observation of one world, or a function of first observations
            ``[B, ...]``. By default ``desired_goal`` if the environment has it, as goal environments of Gymnasium.
        success: Criterion of success; see :data:`Success`. By default the report of the environment, if it has one.
        success_at: Step at which success counts: the last one or any.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if a number is out of range, or ``success`` needs a report that the environment does not give.
        SpecError: if actions do not fit, or the goal does not.
    """
    if episodes < 1 or steps < 1:
        raise ConfigError(f"score_episodes needs episodes >= 1 and steps >= 1; got {episodes} and {steps}.")
    if success_at not in ("last", "any"):
        raise ConfigError(f"success_at is 'last' or 'any'; got {success_at!r}.")
    found, own = as_actor(actor, env.spec.action)
    desired = desired_goal if "desired_goal" in env.spec.modalities else None
    acting = Acting(found, goal if goal is not None else own if own is not None else desired)
    world = env if success is None else _Judged(env, success)
    record = trace(acting, world, episodes, seed, steps=steps, progress=progress)
    returns, solved = record.returns, record.solved(success_at)
    return EpisodeScores(
        mean_return=None if returns is None else bootstrap(returns, seed),
        solved=solved,
        success=None if solved is None else wilson(int(solved.sum()), episodes),
        success_at=success_at,
        trace=record,
    )


def desired_goal(observation: Observation) -> Observation:
    """Return the goal of a goal environment, with ``achieved_goal`` equal to ``desired_goal``."""
    goal = {name: np.asarray(value) for name, value in observation.items() if name != "observation"}
    return {**goal, "achieved_goal": np.asarray(observation["desired_goal"])}


class _Judged:
    """Environment whose success is defined by a criterion of the caller."""

    def __init__(self, env: Environment, success: Success) -> None:
        self._env, self._success = env, success

    @property
    def spec(self) -> Spec:
        """Return the Spec of the environment."""
        return self._env.spec

    @property
    def num_envs(self) -> int:
        """Return its number of worlds."""
        return self._env.num_envs

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Start episodes."""
        return self._env.reset(seed)

    def labels(self) -> Mapping[str, Array]:
        """Return its labels."""
        return self._env.labels()

    def close(self) -> None:
        """Close it."""
        self._env.close()

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Step, and judge the result."""
        now = self._env.step(action)
        return replace(now, success=self._judge(now))

    def _judge(self, now: Transition) -> npt.NDArray[np.bool_]:
        if callable(self._success):
            given = self._env.labels() if isinstance(self._success, Reached) else now.observation
            solved = np.asarray(self._success(given))
            if solved.shape != (self.num_envs,):
                raise SpecError(
                    f"success must return one truth value for each of {self.num_envs} worlds; got shape "
                    f"{list(solved.shape)}."
                )
            return solved.astype(np.bool_)
        if self._success == "terminated":
            return now.terminated
        if now.success is None:
            raise ConfigError(
                "success='info' needs an environment that reports is_success in its info; this one does not. Give "
                "success='terminated', or a function of observations such as tc.evaluation.Near(goal, radius)."
            )
        return now.success

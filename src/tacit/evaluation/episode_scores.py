"""Scores of an actor over whole episodes of any environment: return, success and length."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit._progress import track
from tacit.errors import ConfigError, SpecError
from tacit.evaluation._interaction import checked_actions, shown
from tacit.statistics.intervals import Estimate, Rate, bootstrap, wilson
from tacit.types import Actor, Array, Environment, Observation, Transition

__all__ = ["EpisodeScores", "Near", "Success", "desired_goal", "score_episodes"]

Floats = npt.NDArray[np.float64]
Success: TypeAlias = Literal["info", "terminated"] | Callable[[Observation], npt.NDArray[np.bool_]]
"""Criterion of success: the report of the environment, its own end of an episode, or a function of observations."""
Goal: TypeAlias = Observation | Callable[[Observation], Observation]
"""The observation of a goal for one world, or a function of first observations ``[B, ...]`` to goals ``[B, ...]``."""

STREAM = 0x5C0FE
"""Apart from the seeds of collections, so that an episode that is scored was not recorded."""


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


@dataclass(frozen=True)
class EpisodeScores:
    """Scores of an actor in whole episodes.

    Attributes:
        returns: ``[n]`` sum of rewards of each episode; None where the environment gives none.
        mean_return: Their mean, with a bootstrap interval over episodes.
        solved: ``[n]`` whether each episode was solved; None where nothing says so.
        success: The share that was.
        lengths: ``[n]`` steps of each episode.
        success_at: ``last``: solved at the last step; ``any``: at some step.
        not_ok: Steps of single worlds whose decision was not ``act``.
        seed: Of the episodes.
    """

    returns: Floats | None = field(repr=False)
    mean_return: Estimate | None
    solved: npt.NDArray[np.bool_] | None = field(repr=False)
    success: Rate | None
    lengths: npt.NDArray[np.int64] = field(repr=False)
    success_at: Literal["last", "any"]
    not_ok: int
    seed: int

    def __str__(self) -> str:
        parts = [] if self.mean_return is None else [f"return {self.mean_return}"]
        parts += [] if self.success is None else [f"solved {self.success}"]
        steps = f"{self.lengths.mean():.1f} steps an episode, {len(self.lengths)} episodes"
        return ", ".join([*parts, steps])


def score_episodes(
    actor: Actor,
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
    ``(seed, i)``, whatever the number of worlds.

    Args:
        actor: An agent, a policy or a baseline such as :class:`tacit.agent.RandomActor`.
        env: The environment; its worlds act together.
        episodes: How many.
        seed: Of the episodes and of the actor.
        steps: The most steps of an episode.
        goal: Goal of the actor, if it takes one; see :data:`Goal`. By default ``desired_goal`` where the
            environment shows one, as goal environments of Gymnasium do.
        success: Criterion of success; see :data:`Success`. By default the report of the environment, if it has one.
        success_at: When it counts.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if a number is out of range, or ``success`` needs a report that the environment does not give.
        SpecError: if actions do not fit, or the goal does not.
    """
    if episodes < 1 or steps < 1:
        raise ConfigError(f"score_episodes needs episodes >= 1 and steps >= 1; got {episodes} and {steps}.")
    if success_at not in ("last", "any"):
        raise ConfigError(f"success_at is 'last' or 'any'; got {success_at!r}.")
    goal = goal if goal is not None or "desired_goal" not in env.spec.modalities else desired_goal
    batches = [range(first, min(first + env.num_envs, episodes)) for first in range(0, episodes, env.num_envs)]
    parts = []
    for batch in track(batches, len(batches), "batches of episodes", show=progress):
        seeds = [_episode_seed(seed, index) for index in batch]
        seeds += seeds[-1:] * (env.num_envs - len(seeds))
        episode = _Episodes(env, steps, success, success_at)
        parts.append(episode.run(actor, seeds, goal).first(len(batch)))
    returns = np.concatenate([part.returns for part in parts])
    solved = np.concatenate([part.solved for part in parts])
    rewarded, judged = all(part.rewarded for part in parts), all(part.judged for part in parts)
    return EpisodeScores(
        returns=returns if rewarded else None,
        mean_return=bootstrap(returns, seed) if rewarded else None,
        solved=solved if judged else None,
        success=wilson(int(solved.sum()), episodes) if judged else None,
        lengths=np.concatenate([part.lengths for part in parts]),
        success_at=success_at,
        not_ok=sum(part.not_ok for part in parts),
        seed=seed,
    )


def desired_goal(observation: Observation) -> Observation:
    """Return the goal of a goal environment: what is achieved is to be what is desired."""
    goal = {name: np.asarray(value) for name, value in observation.items() if name != "observation"}
    return {**goal, "achieved_goal": np.asarray(observation["desired_goal"])}


def _episode_seed(seed: int, index: int) -> int:
    return int(np.random.SeedSequence([seed, STREAM, index]).generate_state(1)[0])


@dataclass
class _Outcome:
    """Outcome of one batch of episodes."""

    returns: Floats
    solved: npt.NDArray[np.bool_]
    lengths: npt.NDArray[np.int64]
    rewarded: bool
    judged: bool
    not_ok: int

    def first(self, count: int) -> _Outcome:
        """Return the first episodes; the others repeat the last one to fill the batch."""
        return _Outcome(
            self.returns[:count],
            self.solved[:count],
            self.lengths[:count],
            self.rewarded,
            self.judged,
            self.not_ok,
        )


class _Episodes:
    """Batch of episodes in lock-step."""

    def __init__(self, env: Environment, steps: int, success: Success | None, success_at: str) -> None:
        self.env, self.steps, self.success, self.success_at = env, steps, success, success_at

    def run(self, actor: Actor, seeds: list[int], goal: Goal | None) -> _Outcome:
        count = self.env.num_envs
        observation = self.env.reset(seeds)
        state = actor.start(seed=seeds, batch=count, goal=_goal_of(self.env, goal, observation))
        out = _Outcome(np.zeros(count), np.zeros(count, np.bool_), np.zeros(count, np.int64), False, False, 0)
        ended = np.zeros(count, np.bool_)
        for _ in range(self.steps):
            action, verdict, state = actor.act(state, shown(self.env, observation))
            out.not_ok += sum(decision != "act" for decision in verdict.decision)
            now = self.env.step(checked_actions(self.env, action, count))
            observation, going = now.observation, ~ended
            if now.reward is not None:
                out.rewarded = True
                out.returns[going] += now.reward[going]
            out.lengths[going] += 1
            solved = self.judge(now)
            if solved is not None:
                out.judged = True
                out.solved[going] = solved[going] | (out.solved[going] & (self.success_at == "any"))
            ended = ended | now.terminated | now.truncated
            if ended.all():
                break
        return out

    def judge(self, now: Transition) -> npt.NDArray[np.bool_] | None:
        """Return ``[B]`` whether the worlds are solved. None where nothing says so."""
        if callable(self.success):
            solved = np.asarray(self.success(now.observation))
            if solved.shape != (self.env.num_envs,):
                raise SpecError(
                    f"success must return one truth value for each of {self.env.num_envs} worlds; got shape "
                    f"{list(solved.shape)}."
                )
            return solved.astype(np.bool_)
        if self.success == "terminated":
            return now.terminated
        if self.success == "info" and now.success is None:
            raise ConfigError(
                "success='info' needs an environment that says is_success in its info; this one does not. Give "
                "success='terminated', or a function of observations such as tc.evaluation.Near(goal, radius)."
            )
        return now.success


def _goal_of(env: Environment, goal: Goal | None, observation: Observation) -> Observation | None:
    """Return goals ``[B, ...]``."""
    if goal is None or callable(goal):
        return None if goal is None else goal(shown(env, observation))
    out: dict[str, Array] = {}
    for name, value in goal.items():
        if name not in env.spec.modalities:
            raise SpecError(f"the goal holds {name!r}; the environment shows {', '.join(env.spec.modalities)}.")
        modality = env.spec.modalities[name]
        array = np.asarray(value, modality.dtype)
        if array.shape != modality.shape:
            raise SpecError(f"the goal needs {name!r} of shape {list(modality.shape)}; got {list(array.shape)}.")
        out[name] = np.broadcast_to(array, (env.num_envs, *array.shape))
    return out

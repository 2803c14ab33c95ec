"""Evaluate an agent on held-out tasks or whole episodes, next to baselines."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

if TYPE_CHECKING:
    from tacit.agent import Agent
    from tacit.evaluation import EpisodeScores
    from tacit.evaluation.episode_scores import Success
    from tacit.types import Actor, Environment, GoalEnvironment, Observation

__all__ = ["eval_"]

WORLDS = 50
"""Worlds that act together where whole episodes are scored."""


def eval_(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    env: str,
    episodes: int = 200,
    seed: int = 1,
    goal: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    success: str = "",
    radius: float | None = None,
    success_at: Literal["last", "any"] = "last",
    steps: int = 1000,
    device: str = "auto",
    fallback: Literal["last_action", "noop"] | None = None,
    to: Path | None = None,
) -> None:
    """Score the agent of a run on held-out goals, or on whole episodes without goals.

    For example: tacit eval runs/two_rooms --env two_rooms --episodes 200

    For example: tacit eval runs/cart --env gymnasium:CartPole-v1 --goal 'state=[0,0,0,0]'

    The baselines are random actions and, where the environment has goals, the policy alone and the same planner
    with the true dynamics, if the environment computes them. Whole episodes are scored by their return and by success,
    where it is known.

    Args:
        run: The directory of a run, or of an agent.
        env: The environment, for example two_rooms, two_rooms:layout=random or gymnasium:CartPole-v1.
        episodes: The number of tasks or episodes.
        seed: Seed of the tasks or episodes.
        goal: A goal for whole episodes, MODALITY=VALUE; repeat it for several modalities. The others are taken
            from the current observation. An environment that shows desired_goal needs none.
        success: The success criterion of whole episodes: info (is_success of the environment), terminated, goal
            (within --radius of --goal), or module:function of observations. By default, info if there is some.
        radius: The largest distance to the goal, in units of the modality.
        success_at: The step at which success counts: the last one or any.
        steps: The largest number of steps of an episode.
        device: cpu, cuda, cuda:1, mps or auto.
        fallback: The action of the agent where planning fails, in place of the saved choice: repeat its last action, or
            do nothing, which is zero in a simulator whose actions have no declared kind.
        to: The folder of report.json and index.html; RUN/eval by default.
    """
    import tacit as tc
    from tacit._check import has_goals
    from tacit.cli._run import agent_of, other_world
    from tacit.cli._run import device as chosen
    from tacit.runs import RunRecord

    record = RunRecord.load(run) if (run / "run.json").exists() else None
    agent = agent_of(run, chosen(device), fallback)
    world = tc.envs.make(env)
    if warning := other_world(run, env):
        print(warning, file=sys.stderr)
    if has_goals(world) and not (goal or success or radius):
        sections, found = _goals(agent, world, episodes, seed)
    else:
        world.close()
        world = tc.envs.make(env, min(WORLDS, episodes))
        aim = _aim(goal)
        scored: dict[str, Any] = {"goal": aim, "success": _success(success, aim, radius), "success_at": success_at}
        sections, found = _episodes(agent, world, episodes, seed, {**scored, "steps": steps})
    world.close()
    settings = {"run": record, "env": env, "episodes": episodes, "goal": goal, "success": success}
    written = tc.reports.new_record(
        "eval",
        seeds={**({} if record is None else {"train": record.seed}), "tasks": seed},
        config=settings,
        dataset_hash=None if record is None else record.dataset_hash,
        **found,
    )
    print(tc.reports.write_report(to or run / "eval", written, sections, title=f"Scores of {run.name}"))


def _goals(agent: Any, world: GoalEnvironment, episodes: int, seed: int) -> tuple[list[Any], dict[str, Any]]:
    """Run the agent and its baselines on held-out goals."""
    import tacit as tc
    from tacit._check import has_simulation
    from tacit.cli._run import show_success

    runs = tc.evaluation.compare_with_baselines(
        agent, world, episodes=episodes, seed=seed, record_frames=6, on_result=show_success
    )
    found: dict[str, Any] = {"planning": tc.reports.planning_record(runs)}
    sections = [tc.reports.planning_section(runs)]
    if not has_simulation(world):  # a warning has reported it
        return sections, found
    ranking = tc.evaluation.energy_rank_correlation(
        agent.model,
        agent.config.cost,
        world,
        horizon=agent.config.horizon,
        tasks=min(50, episodes),
        seed=seed,
    )
    print(f"plan energy and true outcome: Spearman {ranking.mean:.2f} [{ranking.low:.2f}, {ranking.high:.2f}]")
    return sections, {**found, "energy_rank_correlation": ranking}


def _episodes(
    agent: Agent, world: Environment, episodes: int, seed: int, options: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Score whole episodes of the agent and of random actions."""
    import tacit as tc
    from tacit.agent import RandomActor
    from tacit.errors import SpecError

    actors: dict[str, Actor] = {"random": RandomActor(world.spec.action, repeat=agent.frameskip), "agent": agent}
    scores: dict[str, EpisodeScores] = {}
    for name, actor in actors.items():
        try:
            scores[name] = tc.evaluation.score_episodes(actor, world, episodes, seed, **options)
        except SpecError as error:
            if "has no target" in str(error):
                raise SpecError(
                    "the agent plans to reach a goal, and this environment gives none. Give one: --goal MODALITY=VALUE."
                ) from error
            raise
        print(f"  {name:<10} {scores[name]}", flush=True)
    rows = tuple((name, str(one.mean_return or "-"), str(one.success or "-")) for name, one in scores.items())
    table = tc.reports.Table(f"Scores of {episodes} episodes.", ("actor", "return", "solved"), rows)
    text = "Whole episodes with seeds that no recording had, next to random actions. Intervals are of 95 %."
    found = {
        name: {"return": one.mean_return, "success": one.success, "mean_length": float(one.lengths.mean())}
        for name, one in scores.items()
    }
    return [tc.reports.Section("Whole episodes", text, table)], {"episode_scores": found}


def _aim(words: tuple[str, ...]) -> Observation | None:
    """Return the goal that ``MODALITY=VALUE`` words give."""
    import numpy as np

    from tacit._config import named_value
    from tacit.errors import ConfigError

    goal = {}
    for name, value in map(named_value, words):
        try:
            goal[name] = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            raise ConfigError(
                f"a goal is MODALITY=NUMBERS, for example 'state=[0.45,0]'; got {name}={value!r}."
            ) from None
    return goal or None


def _success(word: str, goal: Observation | None, radius: float | None) -> Success | None:
    """Return the success criterion."""
    from tacit.errors import ConfigError
    from tacit.evaluation import Near

    if word == "goal" or (not word and radius is not None):
        if goal is None or radius is None:
            raise ConfigError("--success goal needs --goal and --radius.")
        return Near(goal, radius)
    if word in ("info", "terminated"):
        return word  # type: ignore[return-value]
    if not word:
        return None
    module, colon, name = word.partition(":")
    if not colon:
        raise ConfigError(f"--success is info, terminated, goal or module:function; got {word!r}.")
    try:
        found: Success = getattr(importlib.import_module(module), name)
    except Exception as error:  # an import runs external code
        raise ConfigError(f"--success names no function, {word!r}: {type(error).__name__}: {error}.") from error
    return found

"""Evaluate an agent on held-out tasks or whole episodes, next to baselines."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from tacit.cli._criteria import EpisodeOptions
from tacit.cli._offline import OfflineOptions, score_offline
from tacit.errors import ConfigError

if TYPE_CHECKING:
    from tacit.agent import Agent
    from tacit.evaluation import ClosedLoop
    from tacit.runs import RunRecord
    from tacit.types import Environment, GoalEnvironment

__all__ = ["eval_"]

WORLDS = 50
"""Worlds that act together where whole episodes are scored."""


def eval_(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    env: str = "",
    episodes: int = 200,
    seed: int = 1,
    whole_episodes: tyro.conf.OmitArgPrefixes[EpisodeOptions] = EpisodeOptions(),  # noqa: B008 - it is frozen
    device: str = "auto",
    fallback: Literal["last_action", "noop"] | None = None,
    offline: tyro.conf.OmitArgPrefixes[OfflineOptions] = OfflineOptions(),  # noqa: B008 - it is frozen
    to: Path | None = None,
) -> None:
    """Score the agent of a run on held-out goals, on whole episodes without goals, or on held-out recordings.

    For example: tacit eval runs/two_rooms --env two_rooms --episodes 200

    For example: tacit eval runs/cart --env gymnasium:CartPole-v1 --goal 'state=[0,0,0,0]'

    For example: tacit eval runs/two_rooms --env two_rooms --goal 'position=[30,12]' --within 2

    For example: tacit eval runs/arm --offline --horizon 10

    For example: tacit eval runs/two_rooms/eval/manifest.json

    The last one repeats an evaluation, and refuses if the agent, the tasks or the images are others. The baselines are
    random actions and, where the environment has goals, the policy alone and the same planner with the true dynamics,
    if there are any. Whole episodes are scored by their return and by success, where it is known.

    Args:
        run: The directory of a run or of an agent, or the manifest of an evaluation.
        env: The environment, for example two_rooms, two_rooms:layout=random or gymnasium:CartPole-v1.
        episodes: The number of tasks or episodes.
        seed: Seed of the tasks or episodes.
        whole_episodes: With a goal or a criterion, and in an environment without goals, whole episodes are scored. An
            environment that shows desired_goal needs no goal.
        device: cpu, cuda, cuda:1, mps or auto.
        fallback: The action of the agent where planning fails, in place of the saved choice: repeat its last action, or
            do nothing, which is zero in a simulator whose actions have no declared kind.
        offline: Compare imagined futures with the held-out recordings of the run; no environment is needed.
        to: The folder of report.json and index.html; RUN/eval by default, or RUN/offline.
    """
    from tacit.cli._run import agent_of, other_world
    from tacit.cli._run import device as chosen
    from tacit.studies.manifest import repeat

    if run.is_file():
        print(repeat(run, chosen(device)))
        return
    if offline.offline:
        print(score_offline(run, offline, seed, chosen(device), to or run / "offline"))
        return
    agent = agent_of(run, chosen(device), fallback)
    if warning := other_world(run, _named(env)):
        print(warning, file=sys.stderr)
    print(_scored(agent, run, env, episodes, seed, whole_episodes, to or run / "eval"))


def _scored(
    agent: Agent, run: Path, env: str, episodes: int, seed: int, whole_episodes: EpisodeOptions, place: Path
) -> Path:
    """Score an agent in an environment, and return the path of the report."""
    import tacit as tc
    from tacit._check import has_goals

    world = tc.envs.make(env)
    if has_goals(world) and not whole_episodes.given:
        sections, found, result = _goals(agent, world, episodes, seed)
        _keep(agent, run, env, result, place)
    else:
        world.close()
        world = tc.envs.make(env, min(WORLDS, episodes))
        aim = whole_episodes.aim(agent, run)
        sections, found = _episodes(aim.agent(agent), world, episodes, seed, whole_episodes.scored(aim, world))
    world.close()
    config = {"env": env, "episodes": episodes, **whole_episodes.record}
    return _written(run, config, seed, sections, found, place)


def _named(env: str) -> str:
    """Return the name of an environment that was given."""
    if not env:
        raise ConfigError("a run or an agent is evaluated in an environment: --env ENV. A manifest needs none.")
    return env


def _keep(agent: Agent, run: Path, env: str, result: ClosedLoop, place: Path) -> None:
    """Write the manifest of an evaluation of an agent as it was saved."""
    from tacit.studies.manifest import manifest_of, write_manifest

    record = _record(run)
    path = os.path.relpath(run.absolute(), place.absolute())
    known = None if record is None else record.dataset_hash
    write_manifest(manifest_of(agent, env, result, path=path, dataset=known), place / "manifest.json")


def _record(run: Path) -> RunRecord | None:
    from tacit.runs import RunRecord

    return RunRecord.load(run) if (run / "run.json").exists() else None


def _written(
    run: Path, config: dict[str, Any], seed: int, sections: list[Any], found: dict[str, Any], place: Path
) -> Path:
    """Write the report, and return the path of its page."""
    import tacit as tc

    record = _record(run)
    written = tc.reports.new_record(
        "eval",
        seeds={**({} if record is None else {"train": record.seed}), "tasks": seed},
        config={"run": record, **config},
        dataset_hash=None if record is None else record.dataset_hash,
        **found,
    )
    return tc.reports.write_report(place, written, sections, title=f"Scores of {run.name}")


def _goals(
    agent: Any, world: GoalEnvironment, episodes: int, seed: int
) -> tuple[list[Any], dict[str, Any], ClosedLoop]:
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
        return sections, found, runs["success"]
    ranking = tc.evaluation.energy_rank_correlation(
        agent.model,
        agent.config.cost,
        world,
        horizon=agent.config.horizon,
        tasks=min(50, episodes),
        seed=seed,
    )
    print(f"plan energy and true outcome: Spearman {ranking.mean:.2f} [{ranking.low:.2f}, {ranking.high:.2f}]")
    return sections, {**found, "energy_rank_correlation": ranking}, runs["success"]


def _episodes(
    agent: Agent, world: Environment, episodes: int, seed: int, options: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Score whole episodes of the agent and of random actions."""
    import tacit as tc
    from tacit.errors import SpecError

    try:
        scores = tc.evaluation.compare_episodes(agent, world, episodes=episodes, seed=seed, **options)
    except SpecError as error:
        if "has no target" not in str(error):
            raise
        raise SpecError(f"{error} Name a goal of the environment: --goal MODALITY=VALUE.") from error
    print(*(f"  {name:<10} {one}" for name, one in scores.items()), sep="\n")
    return [tc.reports.episodes_section(scores)], {"episode_scores": tc.reports.episodes_record(scores)}

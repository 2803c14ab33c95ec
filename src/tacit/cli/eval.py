"""Measure an agent on held-out tasks, beside its floors and its ceiling."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

__all__ = ["eval_"]


def eval_(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    env: str,
    episodes: int = 200,
    seed: int = 1,
    device: str = "auto",
    fallback: Literal["last_action", "noop"] | None = None,
    to: Path | None = None,
) -> None:
    """Let the agent of a run pursue held-out goals; beside it random actions, its policy alone and its ceiling.

    For example: tacit eval runs/two_rooms --env two_rooms --episodes 200

    Args:
        run: The directory of a run.
        env: The environment, for example two_rooms or two_rooms:layout=random.
        episodes: Tasks.
        seed: Of the tasks.
        device: cpu, cuda, cuda:1, mps or auto.
        fallback: What the agent does where planning fails, in place of what was saved with it: repeat its last action,
            or do nothing, which is zero in a simulator whose actions are of no declared kind.
        to: Where to write report.json and index.html; RUN/eval where it is not said.
    """
    import tacit as tc
    from tacit.cli._run import Run, agent_of, other_world, show_success
    from tacit.cli._run import device as chosen

    record = Run.load(run)
    agent = agent_of(run, chosen(device), fallback)
    world = tc.envs.make_goal(env)
    if warning := other_world(run, env):
        print(warning, file=sys.stderr)
    runs = tc.evaluation.beside_references(
        agent, world, episodes=episodes, seed=seed, film=6, on_result=show_success, progress=True
    )
    ranking = tc.evaluation.energy_rank_correlation(
        agent.model,
        agent.cost,
        world,
        horizon=agent.horizon,
        tasks=min(50, episodes),
        seed=seed,
    )
    print(f"plan energy and true outcome: Spearman {ranking.mean:.2f} [{ranking.low:.2f}, {ranking.high:.2f}]")
    written = tc.evaluation.new_record(
        "eval",
        seeds={"train": record.seed, "tasks": seed},
        config={"run": record, "env": env, "episodes": episodes},
        dataset_hash=record.dataset_hash,
        planning=tc.evaluation.planning_record(runs),
        energy_rank_correlation=ranking,
    )
    sections = [tc.evaluation.planning_section(runs)]
    print(tc.evaluation.write_report(to or run / "eval", written, sections, title=f"How {run.name} plans"))

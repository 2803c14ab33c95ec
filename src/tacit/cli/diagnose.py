"""Find out why an agent misses far goals."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

__all__ = ["diagnose"]


def diagnose(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    env: str,
    episodes: int = 50,
    seed: int = 1,
    stride: int | None = None,
    device: str = "auto",
    fallback: Literal["last_action", "noop"] | None = None,
    to: Path | None = None,
) -> None:
    """Report oracle sub-goals, macro-actions, reached sub-goals, and where a long plan fails.

    For example: tacit diagnose runs/rooms --env 'rooms:rows=4,columns=4,goal_steps=[50,100]'

    If the low level solves the tasks with sub-goals on the shortest way and the agent does not, its sub-goals are the
    bottleneck; if it does not either, the low level or the model is.

    Args:
        run: The directory of a run, or of an agent.
        env: An environment with goals, an expert and true dynamics, for example two_rooms.
        episodes: The number of tasks.
        seed: Seed of the tasks.
        stride: Blocks to a sub-goal on the shortest way; by default those of a macro-action, or 4.
        device: cpu, cuda, cuda:1, mps or auto.
        fallback: The action of the agent where planning fails, in place of the saved choice.
        to: The folder of report.json and index.html; RUN/diagnosis by default.
    """
    import tacit as tc
    from tacit.cli._run import agent_of, other_world
    from tacit.cli._run import device as chosen
    from tacit.evaluation.hierarchy import diagnose as found_by
    from tacit.runs import RunRecord

    record = RunRecord.load(run) if (run / "run.json").exists() else None
    agent = agent_of(run, chosen(device), fallback)
    if warning := other_world(run, env):
        print(warning, file=sys.stderr)
    world = tc.envs.make_goal(env)
    found = found_by(agent, world, episodes, seed, stride=stride)
    world.close()
    print(found)
    written = tc.reports.new_record(
        "diagnosis",
        seeds={**({} if record is None else {"train": record.seed}), "tasks": seed},
        config={"run": record, "env": env, "episodes": episodes},
        dataset_hash=None if record is None else record.dataset_hash,
        hierarchy={**tc.reports.plain(found), "fails_at": found.plan.fails_at},
    )
    sections = tc.reports.hierarchy_sections(found)
    print(tc.reports.write_report(to or run / "diagnosis", written, sections, title=f"Diagnosis of {run.name}"))

"""Plan once, and show the search of the planner."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

__all__ = ["plan"]


def plan(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    env: str,
    seed: int = 1,
    device: str = "auto",
    fallback: Literal["last_action", "noop"] | None = None,
    to: Path | None = None,
) -> None:
    """Plan once at the start of a held-out task; show the search and the predicted result.

    For example: tacit plan runs/two_rooms --env two_rooms --seed 3 --to plan.png

    Args:
        run: The directory of a run, or of an agent.
        env: The environment, for example two_rooms or two_rooms:layout=random.
        seed: Seed of the task.
        device: cpu, cuda, cuda:1, mps or auto.
        fallback: The action of the agent where planning fails, in place of the saved choice: repeat its last action, or
            do nothing, which is zero in a simulator whose actions have no declared kind.
        to: The image file to write; RUN/plan.png by default.
    """
    import tacit as tc
    from tacit.cli._run import agent_of, other_world
    from tacit.cli._run import device as chosen

    agent, world = agent_of(run, chosen(device), fallback), tc.envs.make_goal(env)
    if warning := other_world(run, env):
        print(warning, file=sys.stderr)
    decision = tc.evaluation.decide(agent, world, seed)
    print("iteration       best       mean   rejected")
    for index, step in enumerate(decision.plan.trace):
        print(f"{index:>9} {float(step.best[0]):>10.4g} {float(step.mean[0]):>10.4g} {int(step.rejected[0]):>10}")
    first, *along = decision.distances
    path = f"-> {along[-1]:.1f} ({decision.unit}) along the plan" if along else f"({decision.unit}) at the start"
    print(f"distance {first:.1f} {path}")
    target = to or run / "plan.png"
    target.write_bytes(tc.reports.figures.decision(decision).data)
    print(target)

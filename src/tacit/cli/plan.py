"""Plan once, and show the search of the planner."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from tacit.cli._criteria import GoalOptions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tacit.evaluation import Decision

__all__ = ["plan"]


def plan(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    env: str,
    goal: tyro.conf.OmitArgPrefixes[GoalOptions] = GoalOptions(),  # noqa: B008 - it is frozen
    seed: int = 1,
    device: str = "auto",
    fallback: Literal["last_action", "noop"] | None = None,
    to: Path | None = None,
) -> None:
    """Plan once at the start of a held-out task; show the search and the predicted result.

    For example: tacit plan runs/two_rooms --env two_rooms --seed 3 --to plan.png

    For example: tacit plan runs/two_rooms --env two_rooms --goal 'position=[30,12]' --within 2

    For example: tacit plan runs/two_rooms --env two_rooms --goal 'position=[20:30,10:14]'

    Args:
        run: The directory of a run, or of an agent.
        env: The environment, for example two_rooms or two_rooms:layout=random.
        goal: The goal, if not that of the task.
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
    agent, reached = goal.planned(agent, run)
    decision = tc.evaluation.decide(agent, world, seed, goal=reached)
    print("iteration       best       mean   rejected")
    for index, step in enumerate(decision.plan.trace):
        print(f"{index:>9} {float(step.best[0]):>10.4g} {float(step.mean[0]):>10.4g} {int(step.rejected[0]):>10}")
    print(*_outcome(decision), sep="\n")
    target = to or run / "plan.png"
    target.write_bytes(tc.reports.figures.decision(decision).data)
    print(target)


def _outcome(decision: Decision) -> list[str]:
    """Return the true result of a plan in words, one line for the distance or for each quantity."""
    if not len(decision.distances):
        lines = [
            f"{name} {_shown(values[0])} -> {_shown(values[-1])} along the plan"
            for name, values in decision.quantities.items()
        ]
        if decision.reached is None:
            return [*lines, "the true result is not known: the states of this environment do not hold the quantity"]
        steps = decision.reached.nonzero()[0].tolist()
        return [*lines, f"goal reached after {steps[0]} steps of the plan" if steps else "goal not reached by the plan"]
    first, *along = decision.distances
    path = f"-> {along[-1]:.1f} ({decision.unit}) along the plan" if along else f"({decision.unit}) at the start"
    return [f"distance {first:.1f} {path}"]


def _shown(values: npt.NDArray[np.float64]) -> str:
    return f"({', '.join(f'{value:.3g}' for value in values)})"

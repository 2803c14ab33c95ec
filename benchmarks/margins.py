"""Constraints with calibrated margins: regions to keep out of in Two Rooms, for four planners and two rates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import tacit as tc
from tacit import margins, studies
from tacit.studies import Report, Run, RunResult, Study, Target, at_most, met, rate, table
from tacit.types import Planner

PLANNERS: dict[str, Planner] = {
    "cem": tc.planners.CEM(samples=64, iterations=4, elites=8),
    "icem": tc.planners.ICEM(samples=64, iterations=4, elites=8, std=0.7, beta=2.0),
    "mppi": tc.planners.MPPI(samples=64, iterations=4, temperature=0.05),
    "gradient": tc.planners.Gradient(starts=8, iterations=12),
}
REGIONS = (((14.0, 26.0), (20.0, 36.0)), ((44.0, 24.0), (50.0, 34.0)))
"""One region in each room, in the way but with room to pass on both sides."""


@dataclass(frozen=True)
class Settings:
    """The planner, the allowed share of episodes, and the tests of margins.

    With 1,000 episodes the ranks are 2 and 30 at this confidence, so that all eight cases hold together.
    """

    planner: str
    rate: float
    episodes: int = 1000
    confidence: float = 0.999
    grid: tuple[float, ...] = (1.0, 0.6, 0.4, 0.25, 0.15, 0.1, 0.06)


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, env = run.settings, tc.envs.TwoRooms()
    agent = tc.recipes.pretrained("two_rooms")
    assert isinstance(agent.model, tc.models.WorldModel)
    recorded = tc.collect(env, tc.collection.Random(repeat=8), episodes=150, seed=77, to=run.shared / "random")
    position = tc.probing.fit(agent.model, recorded, "position", progress=False)
    regions = tuple(tc.constraints.KeepOut(position, low, high) for low, high in REGIONS)
    config = replace(agent.config, planner=PLANNERS[chosen.planner], constraints=regions, fallback="noop")
    agent = tc.Agent.of(agent.model, config)
    found = margins.calibrate(
        agent,
        env,
        rate=chosen.rate,
        confidence=chosen.confidence,
        episodes=chosen.episodes,
        grid=chosen.grid,
        seed=1,
    )
    record, limits = found.agent.calibration, config.margin_constraints
    assert record is not None, "a calibration has a record"
    tasks = margins.allowed_tasks(env, limits, chosen.episodes, seed=2)
    free = tc.Agent.of(agent.model, replace(config, constraints=()))
    trace = tc.evaluation.trace(free, env, tasks, 2, progress=False)
    slack = np.min(list(margins.realised_slacks(trace, limits).values()), axis=(0, 2))
    solved = trace.within(env.rules.radius, env.rules.success_at)
    fresh = margins.try_margins(agent, env, record.margins, chosen.episodes, seed=2)
    return {
        "margins": list(record.margins.values()),
        "rank": record.rank,
        "tests": [{"margins": list(one.margins.values()), "violated": one.violated} for one in found.tests],
        "free_violated": tc.statistics.wilson(int((slack < 0).sum()), len(slack)),
        "free_success": tc.statistics.wilson(int(solved.sum()), len(solved)),
        "violated": fresh.violated,
        "success": fresh.success,
        "stopped": fresh.stopped,
        "difference": tc.statistics.bootstrap(fresh.solved.astype(float) - solved.astype(float)),
        "readout_error": max(position.error),
    }


def report(results: Mapping[str, RunResult]) -> Report:
    rows, targets = [], []
    for name, result in results.items():
        one, allowed = result.values, 100 * result.settings["rate"]
        rows.append(
            (
                name,
                f"{allowed:g} %",
                str(one["rank"]),
                " and ".join(f"{margin:.2f}" for margin in one["margins"]),
                rate(one["free_violated"]),
                rate(one["violated"]),
                rate(one["free_success"]),
                rate(one["success"]),
                f"{100 * one['stopped']:.2f} %",
            )
        )
        targets.append(at_most(f"{name}: episodes that enter a region, %", 100 * one["violated"]["rate"], allowed))
        low = 100 * one["difference"]["mean"]
        targets.append(Target(f"{name}: success minus unconstrained, points", ">= -5", f"{low:+.1f}", met(low >= -5)))
    head = (
        "case",
        "allowed",
        "rank",
        "margins",
        "entered, free",
        "entered",
        "solved, free",
        "solved",
        "fallback steps",
    )
    return Report([table(head, rows)], targets)


STUDY = Study(
    name="margins",
    title="Regions to keep out of",
    summary="Two Rooms with the pretrained model, a region in each room. 1,000 episodes for each test of margins and "
    "for the confirmation, and 1,000 new ones for these tables; starts and goals are outside of the regions.",
    command="uv run benchmarks/margins.py",
    cases={
        f"{planner} {100 * allowed:g} %": Settings(planner, allowed) for planner in PLANNERS for allowed in (0.01, 0.05)
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

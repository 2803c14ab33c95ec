"""The demo of the pretrained model and the time of its decisions, next to two busy processes and alone, in turn."""

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, at_most, table
from tacit.studies.speed import busy_processes, in_turn

DECIDE = """
import sys, time
import tacit as tc
agent, env = tc.recipes.pretrained("two_rooms"), tc.envs.TwoRooms(num_envs=1)
tasks = env.tasks(1, seed=5)
goal, observation = env.observe(tasks.goal), env.begin(tasks.start)
state = agent.start(seed=0, goal=goal)
for index in range(int(sys.argv[1])):
    began = time.perf_counter()
    action, _, state = agent.act(state, observation)
    if index % (agent.frameskip * agent.config.replan_every) == 0:
        print(1000 * (time.perf_counter() - began))
    observation = env.step(action).observation
"""
TITLES = {"demo_s": "`tacit demo --pretrained`, s", "p50_ms": "a decision, median, ms", "p99_ms": "a decision, p99, ms"}


@dataclass(frozen=True)
class Settings:
    """Acts of the agent in each round, rounds, and busy processes."""

    acts: int = 1000
    rounds: int = 3
    processes: int = 2


def once(acts: int, out: Path, processes: int) -> dict[str, float]:
    """Return seconds of the demo and percentiles of the milliseconds of acts that plan, next to busy processes."""
    with busy_processes(processes):
        began = time.perf_counter()
        subprocess.run(["tacit", "demo", "--pretrained", "--out", out], check=True, capture_output=True)
        seconds = time.perf_counter() - began
        done = subprocess.run([sys.executable, "-c", DECIDE, str(acts)], check=True, stdout=subprocess.PIPE, text=True)
    times = np.sort([float(line) for line in done.stdout.split()])
    return {"demo_s": seconds, "p50_ms": float(np.median(times)), "p99_ms": float(np.quantile(times, 0.99))}


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, counts = run.settings, {"quiet": 0, "busy": run.settings.processes}
    rounds = in_turn(
        {name: partial(once, chosen.acts, run.work / name, count) for name, count in counts.items()}, chosen.rounds
    )
    medians = {
        name: {key: statistics.median(one[key] for one in some) for key in TITLES} for name, some in rounds.items()
    }
    ratios = {key: medians["busy"][key] / medians["quiet"][key] for key in TITLES}
    return {"medians": medians, "ratios": ratios, "rounds": rounds}


def report(results: Mapping[str, RunResult]) -> Report:
    medians, ratios = (results["demo"].values[part] for part in ("medians", "ratios"))
    rows = [
        (title, f"{medians['quiet'][key]:.1f}", f"{medians['busy'][key]:.1f}", f"{ratios[key]:.2f}")
        for key, title in TITLES.items()
    ]
    target = at_most("busy over quiet", max(ratios.values()), 4)
    return Report([table(("", "quiet", "busy", "ratio"), rows)], [target])


STUDY = Study(
    name="busy",
    title="Next to two busy processes",
    summary="The demo of the pretrained model and its decisions on two cores, quiet and busy in turn.",
    command="uv run benchmarks/busy.py",
    cases={"demo": Settings()},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

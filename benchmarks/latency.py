"""Time of the decisions of the pretrained agent on one core: alone, with a deadline, and next to two busy processes."""

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

import tacit as tc
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, at_most, met, rate, table
from tacit.studies.speed import busy_processes

HELD_OUT = 1_000_003
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "longest": 1.0}


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Attributes:
        tasks: Held-out tasks of 20 decisions each.
        hz: Decisions per second; 0: each follows the last one at once.
        deadline_ms: Deadline of the agent; 0: none.
        wide: Search with CEM 300 x 30, which no deadline here leaves time for.
        processes: Busy processes beside it.
    """

    tasks: int = 500
    hz: float = 0.0
    deadline_ms: float = 0.0
    wide: bool = False
    processes: int = 0


def decide(chosen: Settings) -> dict[str, Any]:
    """Return the milliseconds from the tick of each decision to its actions, the CPU time, and the solved tasks."""
    torch.set_num_threads(1)
    agent, env = tc.recipes.pretrained("two_rooms"), tc.envs.TwoRooms(num_envs=1)
    planner = tc.planners.CEM(300, 30, 30, std=0.7) if chosen.wide else agent.config.planner
    agent = tc.Agent.of(
        agent.model, replace(agent.config, planner=planner, deadline_ms=chosen.deadline_ms or None), agent.proposal
    )
    drawn = tc.evaluation.held_out_tasks(env, chosen.tasks, HELD_OUT)[0]
    wall, cpu, solved, tick = [], [], [], time.perf_counter()
    gc.freeze()
    gc.disable()
    for number in range(-1, chosen.tasks):  # the first task is not timed
        start, goal = ({key: part[[max(number, 0)]] for key, part in one.items()} for one in (drawn.start, drawn.goal))
        observation = env.begin(start)
        state = agent.start(seed=number + 1, goal=env.observe(goal))
        for step in range(env.rules.budget):
            decides = step % agent.frameskip == 0
            if decides:
                # The next tick is one period after the last, however late that was served.
                tick = tick + 1 / chosen.hz if chosen.hz and number >= 0 else time.perf_counter()
                time.sleep(max(tick - time.perf_counter(), 0.0))
                used = time.process_time()
            action, _, state = agent.act(state, observation)
            if decides and number >= 0:
                wall.append(1e3 * (time.perf_counter() - tick))
                cpu.append(1e3 * (time.process_time() - used))
            observation = env.step(action).observation
        if number >= 0:
            solved.append(bool((env.distance(env.state(), goal) < env.rules.radius).all()))
        gc.collect()
    return {"wall": wall, "cpu": cpu, "solved": solved}


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    before = os.getloadavg()[0]
    with busy_processes(chosen.processes):
        words = [sys.executable, __file__, "--decide", json.dumps(asdict(chosen))]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=environ)
    found = json.loads(done.stdout)
    times = {name: np.asarray(found[name]) for name in ("wall", "cpu")}
    values = {name: {key: float(np.quantile(one, q)) for key, q in QUANTILES.items()} for name, one in times.items()}
    solved = tc.statistics.wilson(sum(found["solved"]), len(found["solved"]))
    limits = {str(limit): int((times["wall"] > limit).sum()) for limit in (22, 50)}
    return {**values, "late": limits, "decisions": len(times["wall"]), "success": solved, "load_before": before}


def report(results: Mapping[str, RunResult]) -> Report:
    rows = []
    for name, result in results.items():
        one = result.values
        times = [f"{one['wall'][key]:.1f}" for key in QUANTILES] + [f"{one['cpu'][key]:.1f}" for key in ("p50", "p99")]
        late = f"{one['late']['50']} of {one['decisions']:,}"
        rows.append((name, *times, late, rate(one["success"]), f"{one['load_before']:.1f}"))
    header = (
        "case",
        *(f"{key}, ms" for key in QUANTILES),
        "CPU p50, ms",
        "CPU p99, ms",
        "above 50 ms",
        "solved",
        "load",
    )
    targets = [
        at_most(f"{name}: p99 of a decision, ms", results[name].values["wall"]["p99"], limit, "{:.1f}")
        for name, limit in LIMITS.items()
        if name in results
    ]
    if {"alone", "busy"} <= results.keys():
        quiet, busy = (results[name].values["success"]["rate"] for name in ("alone", "busy"))
        points = 100 * (busy - quiet)
        within = met(abs(points) <= 3)
        targets.append(Target("busy: solved next to alone", "within 3 points", f"{points:+.1f} points", within))
    return Report([table(header, rows)], targets)


LIMITS = {"alone": 50, "20 Hz": 50, "deadline 20 ms": 22, "deadline 20 ms, CEM 300 x 30": 22, "busy": 50}
"""The largest 99th percentile of each case, in milliseconds."""

STUDY = Study(
    name="latency",
    title="Latency of decisions",
    summary=(
        "The agent of `tacit demo --pretrained` in one process with one thread: one world, the observation encoded, a "
        "new plan in every decision. At 20 Hz each decision has a tick of its own and is timed from this tick, so that "
        "a late one also delays the next. The garbage collector runs between tasks. Load is that of the machine of two "
        "cores before the case. An earlier run beside about four other processes missed all limits: p99 54.3 ms alone, "
        "82.9 at 20 Hz, 27.8 and 36.5 with the deadline, 101.7 next to two busy processes more."
    ),
    command="uv run benchmarks/latency.py",
    cases={
        "alone": Settings(),
        "20 Hz": Settings(tasks=100, hz=20),
        "deadline 20 ms": Settings(deadline_ms=20),
        "deadline 20 ms, CEM 300 x 30": Settings(deadline_ms=20, wide=True),
        "busy": Settings(tasks=150, processes=2),
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--decide"]:
        print(json.dumps(decide(Settings(**json.loads(sys.argv[2])))))
    else:
        studies.main(STUDY)

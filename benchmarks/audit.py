"""Replay of audited acts, the cost of their records, and processes that are killed while they act."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tacit as tc
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, at_most, met, rate, table

REPLAY = """
import json, sys
import tacit as tc
found = tc.audit.replay(sys.argv[1], frames=sys.argv[2] == "True")
print(json.dumps([found.acts, found.decisions, found.different, found.broken, len(found.changed)]))
"""
ACT = """
import sys
import tacit as tc
agent, env = tc.recipes.pretrained("two_rooms"), tc.envs.TwoRooms(num_envs=1)
tasks = env.tasks(1, seed=int(sys.argv[2]))
goal, observation = env.observe(tasks.goal), env.begin(tasks.start)
log = tc.audit.Log(sys.argv[1], segment_mb=0.2)
actor = tc.audit.Audited(agent, log)
state = actor.start(seed=0, goal=goal)
while True:
    action, _, state = actor.act(state, observation)
    print(log.next - 1, flush=True)
    observation = env.step(action).observation
"""


@dataclass(frozen=True)
class Settings:
    """Acts to record, worlds that act together, deadline, frames; or decisions to time; or processes to kill."""

    acts: int = 0
    worlds: int = 1
    deadline_ms: float | None = None
    frames: bool = False
    decisions: int = 0
    kills: int = 0


def replayed(chosen: Settings, folder: Path) -> dict[str, Any]:
    """Record acts in held-out tasks, and replay them in another process."""
    agent, env = tc.recipes.pretrained("two_rooms"), tc.envs.TwoRooms(num_envs=chosen.worlds)
    agent = agent.replace(deadline_ms=chosen.deadline_ms)
    with tc.audit.Log(folder, frames=chosen.frames, segment_mb=4) as log:
        actor = tc.audit.Audited(agent, log)
        for task in range(chosen.acts // env.rules.budget):
            tc.evaluation.closed_loop(actor, env, chosen.worlds, seed=1000 + task, progress=False)
    words = [sys.executable, "-c", REPLAY, str(folder), str(chosen.frames)]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    acts, decisions, different, broken, changed = json.loads(done.stdout)
    plans = [one.values["plan"] for one in tc.audit.read(folder) if "plan" in one.values]
    size = sum(path.stat().st_size for path in folder.glob("*.jsonl"))
    return {
        "identical": tc.statistics.wilson(acts - different, acts),
        "decisions": decisions,
        "stopped": sum(plan["ended"] == "stopped" for plan in plans),
        "broken": broken,
        "changed": changed,
        "bytes_per_act": size / acts,
    }


def cost(decisions: int, folder: Path) -> dict[str, Any]:
    """Time the same decisions with and without a log, in turn, and the writing of their records.

    Decisions are timed in CPU seconds of their thread, since other work shares the machine; records by the clock.
    """
    agent, env = tc.recipes.pretrained("two_rooms"), tc.envs.TwoRooms(num_envs=1)
    tasks = env.tasks(1, seed=5)
    goal, observation = env.observe(tasks.goal), env.begin(tasks.start)
    seconds, records = np.zeros((2, decisions)), np.zeros(decisions)
    with tc.audit.Log(folder) as log:
        actors, write = (agent, tc.audit.Audited(agent, log)), log.write

        def timed(kind: str, compose: Any, decision: bool = False) -> int | None:
            began = time.perf_counter()
            number = write(kind, compose, decision)
            if decision:
                records[index] = time.perf_counter() - began
            return number

        log.write = timed  # type: ignore[method-assign]
        index, states = 0, [actor.start(seed=0, goal=goal) for actor in actors]
        for step in range(decisions * agent.frameskip):
            index = step // agent.frameskip
            for which in (0, 1) if index % 2 else (1, 0):
                began = time.thread_time()
                action, verdict, states[which] = actors[which].act(states[which], observation)
                if verdict.plan is not None:
                    seconds[which, index] = time.thread_time() - began
            observation = env.step(action).observation
    drawn = np.random.default_rng(0).integers(decisions, size=(1000, decisions))
    plain, audited = np.median(seconds[:, drawn], axis=2)
    low, high = np.quantile(audited / plain, [0.025, 0.975])
    p50 = np.median(seconds, axis=1)
    ratio = {"mean": float(p50[1] / p50[0]), "low": float(low), "high": float(high)}
    return {"p50_ms": 1000 * p50[0], "ratio": ratio, "record_ms": 1000 * float(np.median(records))}


def killed(kills: int, folder: Path) -> dict[str, Any]:
    """Kill processes while they act on one log; count the acts that were returned and are not in it."""
    drawn, returned = random.Random(0), set()
    for number in range(kills):
        words = [sys.executable, "-c", ACT, str(folder), str(number)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            lines = [process.stdout.readline()]  # type: ignore[union-attr]
            time.sleep(drawn.uniform(0.0, 1.0))
            process.kill()
            lines += process.stdout.read().splitlines(keepends=True)  # type: ignore[union-attr]
        returned |= {int(line) for line in lines if line.endswith(b"\n")}
    with tc.audit.Log(folder) as log:
        tc.audit.Audited(tc.recipes.pretrained("two_rooms"), log)
    found = {one.number for one in tc.audit.read(folder) if one.kind == "act"}
    result = tc.audit.replay(folder)
    more = len(found - returned)
    return {"kills": kills, "acts": len(returned), "missing": len(returned - found), "unreturned": more} | {
        "identical": result.acts - result.different,
        "broken": result.broken,
    }


def measure(run: Run[Settings]) -> dict[str, Any]:
    folder = run.work / f"audit{time.time_ns()}"
    if run.settings.kills:
        return killed(run.settings.kills, folder)
    return cost(run.settings.decisions, folder) if run.settings.decisions else replayed(run.settings, folder)


def report(results: Mapping[str, RunResult]) -> Report:
    found = {name: result.values for name, result in results.items()}
    rows, targets = [], []
    for name, one in found.items():
        if "decisions" in one:
            same = one["identical"]
            share = f"{round(same['rate'] * same['n'])} of {same['n']}, {rate(same)}"
            rows.append((name, f"{one['decisions']}", f"{one['stopped']}", share, f"{one['bytes_per_act']:.0f}"))
            good = same["rate"] == 1 and not one["broken"]
            targets.append(Target(f"acts replayed bit for bit, {name}", "all", share, met(good)))
    if "cost" in found:
        one = found["cost"]
        low, high = one["ratio"]["low"], one["ratio"]["high"]
        share = 100 * one["record_ms"] / one["p50_ms"]
        quantity = f"median time of a record of a decision, in % of the p50 of {one['p50_ms']:.1f} ms"
        targets.append(at_most(quantity, share, 2))
        quantity = f"p50 of a decision with a log over p50 without, in turn [{low:.3f}, {high:.3f}]"
        targets.append(at_most(quantity, one["ratio"]["mean"], 1.02, "{:.3f}"))
    if "kill" in found:
        one = found["kill"]
        measured = f"{one['missing']} of {one['acts']} missing; {one['unreturned']} recorded and not returned"
        good = one["missing"] == 0 and one["unreturned"] <= one["kills"] and not one["broken"]
        targets.append(Target(f"returned acts in the log after {one['kills']} kill -9", "all", measured, met(good)))
    header = ("acts of", "decisions", "stopped by the deadline", "identical", "bytes of an act")
    return Report([table(header, rows)], targets)


STUDY = Study(
    name="audit",
    title="Audit and replay",
    summary=(
        "Acts of the pretrained agent in Two Rooms, each with a record, and replayed in another process; time of the "
        "same decisions with and without a log, in turn; processes killed while they act. An act is a call for all "
        "worlds. Decisions are timed in CPU seconds and records by the clock, on a shared machine; bootstrap over "
        "decisions."
    ),
    command="uv run benchmarks/audit.py",
    cases={
        "one world": Settings(acts=10_000),
        "16 worlds": Settings(acts=500, worlds=16),
        "a deadline of 20 ms": Settings(acts=2000, deadline_ms=20.0),
        "frames, encoded again": Settings(acts=1000, frames=True),
        "cost": Settings(decisions=1000),
        "kill": Settings(kills=30),
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

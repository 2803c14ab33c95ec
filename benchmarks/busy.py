"""What two busy processes do to the demo of the pretrained model and to the time of its decisions.

Run from the repository root on a machine with nothing else to do::

    uv run benchmarks/busy.py [--decisions 1000] [--rounds 3]

The busy processes multiply matrices without end, one for each of two cores. ``tacit demo --pretrained`` and a script
that lets the pretrained agent decide, alone and in plain Python with no environment variable set, run quiet and busy in
turn; the ratios are of the medians. The result is ``benchmarks/results/busy.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gymnasium_scores import cpu

RESULT = Path(__file__).parent / "results" / "busy.json"
CORES = 2
BUSY = "import numpy as np; a = np.ones((400, 400))\nwhile True: a @ a"
DECIDE = """
import sys, time
import numpy as np
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


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep cores busy for a block."""
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    processes = [subprocess.Popen([sys.executable, "-c", BUSY], env=environ) for _ in range(count)]
    try:
        time.sleep(1.0 if count else 0.0)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def demo_seconds() -> float:
    """Return the seconds of the demo."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        command = ["tacit", "demo", "--pretrained", "--out", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - began


def decisions(count: int) -> dict[str, float]:
    """Return percentiles of the milliseconds of acts that plan; the others take an action of the plan at hand."""
    run = subprocess.run([sys.executable, "-c", DECIDE, str(count)], check=True, stdout=subprocess.PIPE, text=True)
    times = np.sort([float(line) for line in run.stdout.split()])
    return {"p50_ms": float(np.median(times)), "p99_ms": float(np.quantile(times, 0.99)), "count": len(times)}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=1000, help="acts of the agent in each round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {"quiet": [], "busy": []}
    load = os.getloadavg()[0]
    for _ in range(options.rounds):
        for name, count in (("quiet", 0), ("busy", CORES)):
            with busy(count):
                found[name].append({"demo_s": demo_seconds(), **decisions(options.decisions)})
    medians = {
        name: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for name, rounds in found.items()
    }
    ratios = {key: medians["busy"][key] / medians["quiet"][key] for key in ("demo_s", "p50_ms", "p99_ms")}
    from tacit.checkpoint import provenance

    result = {
        "cpu": cpu(),
        "load_before": load,
        "busy_processes": CORES,
        "medians": medians,
        "ratios": ratios,
        "rounds": found,
        "made_by": provenance(),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({"medians": medians, "ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()

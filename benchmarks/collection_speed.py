"""The time of ``tc.collect`` next to a bare Gymnasium loop that takes as many steps, in one run, on one core.

Run from the repository root::

    uv run benchmarks/collection_speed.py [--seconds 5] [--rounds 5]

Both draw random actions, and seconds are of the processor. A round takes one after the other; the figure is the median
of the rounds' ratios. The result is ``benchmarks/results/collection_speed.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from pathlib import Path

import gymnasium
import torch

import tacit as tc
from gymnasium_scores import cpu

RESULT = Path(__file__).parent / "results" / "collection_speed.json"
ENVIRONMENTS = {"CartPole-v1": 100, "MountainCarContinuous-v0": 200, "Humanoid-v5": 100, "HalfCheetah-v5": 100}
"""Ids, and the most steps of an episode."""


def bare(name: str, episodes: int, steps: int) -> tuple[float, int]:
    """Return the seconds and the steps of episodes that nothing records."""
    env = gymnasium.make(name)
    env.action_space.seed(0)
    taken, started = 0, time.process_time()
    for episode in range(episodes):
        env.reset(seed=episode)
        for _ in range(steps):
            taken += 1
            _, _, terminated, truncated, _ = env.step(env.action_space.sample())
            if terminated or truncated:
                break
    seconds = time.process_time() - started
    env.close()
    return seconds, taken


def collected(name: str, episodes: int, steps: int) -> tuple[float, int]:
    """Return the seconds and the steps of episodes that are recorded in memory."""
    started = time.process_time()
    found = tc.collect(f"gymnasium:{name}", episodes=episodes, steps=steps, progress=False)
    seconds = time.process_time() - started
    return seconds, int(found.lengths.sum()) - len(found)


def compared(name: str, steps: int, seconds: float, rounds: int) -> dict[str, object]:
    """Return the times of a step, and the ratio of each round."""
    spent, taken = bare(name, 8, steps)
    episodes = max(16, int(8 * seconds / spent)) // 16 * 16
    collected(name, 16, steps)
    ours: list[float] = []
    theirs: list[float] = []
    ratios: list[float] = []
    for _ in range(rounds):
        for times, run in ((theirs, bare), (ours, collected)):
            spent, taken = run(name, episodes, steps)
            times.append(spent / taken)
        ratios.append(ours[-1] / theirs[-1])
    return {
        "episodes": episodes,
        "bare_us": 1e6 * statistics.median(theirs),
        "collect_us": 1e6 * statistics.median(ours),
        "steps_per_second": 1 / statistics.median(ours),
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="of one bare loop")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")
    found = {name: compared(name, steps, options.seconds, options.rounds) for name, steps in ENVIRONMENTS.items()}
    result = {"cpu": cpu(), "load": os.getloadavg()[1], "runs": found, "made_by": tc.checkpoint.provenance()}
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    for name, one in found.items():
        print(f"{name}: {one['collect_us']:.1f} us a step, {one['ratio']:.2f} x bare, {one['steps_per_second']:.0f}/s")


if __name__ == "__main__":
    main()

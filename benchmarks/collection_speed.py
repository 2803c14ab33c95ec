"""CPU time of ``tc.collect`` with 16 environments in one process, next to a bare Gymnasium loop, in turn."""

import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import gymnasium

import tacit as tc
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, at_least, at_most, columns
from tacit.studies.speed import in_turn, median, ratio_of_medians


@dataclass(frozen=True)
class Settings:
    """Environment, most steps of an episode, CPU seconds of one bare loop, and rounds."""

    env: str
    steps: int = 100
    seconds: float = 5.0
    rounds: int = 5


def bare(name: str, episodes: int, steps: int) -> tuple[float, int]:
    """Return seconds and steps of episodes that nothing records."""
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
    """Return seconds and steps of episodes that are recorded in memory."""
    started = time.process_time()
    found = tc.collect(f"gymnasium:{name}", episodes=episodes, steps=steps, progress=False)
    seconds = time.process_time() - started
    return seconds, int(found.lengths.sum()) - len(found)


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")
    spent, _ = bare(chosen.env, 8, chosen.steps)
    episodes = max(16, int(8 * chosen.seconds / spent)) // 16 * 16
    collected(chosen.env, 16, chosen.steps)
    works = {"bare": partial(bare, chosen.env, episodes, chosen.steps)}
    works["collect"] = partial(collected, chosen.env, episodes, chosen.steps)
    found = in_turn(works, chosen.rounds)
    times = {name: [seconds / steps for seconds, steps in some] for name, some in found.items()}
    return {
        "episodes": episodes,
        "bare_us": 1e6 * median([times["bare"]]),
        "collect_us": 1e6 * median([times["collect"]]),
        "steps_per_second": 1 / median([times["collect"]]),
        "ratio": ratio_of_medians(times["collect"], times["bare"]).mean,
    }


def report(results: Mapping[str, RunResult]) -> Report:
    cells = {
        "environment": "{name}",
        "bare, us a step": "{bare_us:.0f}",
        "collect, us a step": "{collect_us:.0f}",
        "ratio": "{ratio:.2f}",
        "steps a second": "{steps_per_second:.0f}",
        "machine": "{cpu}, load {load:.1f}",
    }
    steps = results["CartPole-v1"].values["steps_per_second"]
    targets = [at_least("collecting CartPole-v1", steps, 30_000, "{:.0f}", ">= {:.0f} steps/s")]
    targets += [
        at_most(f"collecting {name} over a bare loop", run.values["ratio"], 1.5, "{:.2f}x", "<= {:g}x")
        for name, run in results.items()
        if run.values["bare_us"] >= 100
    ]
    return Report([columns(cells, results)], targets)


STUDY = Study(
    name="collection_speed",
    title="Collecting next to bare Gymnasium",
    summary=(
        "CPU time of `tc.collect` with 16 environments and of a loop without recording, random actions, medians of "
        "rounds."
    ),
    command="uv run benchmarks/collection_speed.py",
    cases={
        name: Settings(name, 200 if name.startswith("MountainCar") else 100)
        for name in ("CartPole-v1", "MountainCarContinuous-v0", "Humanoid-v5", "HalfCheetah-v5")
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

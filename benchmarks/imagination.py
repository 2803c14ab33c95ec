"""Policies that learn in imagination alone: their returns there and in Two Rooms, and the real samples that they save.

The world model is the pretrained agent's and is frozen. Soft actor-critic of stable-baselines3 learns on its latents,
in imagination from recorded random episodes, or in Two Rooms itself.

Fixed before anything was scored: 24 policies are compared by their returns, the checkpoints of the policy of
imagination after 1000 to 20,000 blocks, each with four shares of random blocks. The real samples of imagination are the
steps that the model was trained on and those of the recorded episodes; the policy in Two Rooms gets ten times as many.
"""

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tacit import studies
from tacit.statistics import rank_correlation, wilson
from tacit.studies import Report, Run, RunResult, Study, Target, met, rate, table
from tacit.studies.environments import Script, install

HERE = Path(__file__).parent
PACKAGES = ["stable-baselines3==2.9.2", "torch==2.13.0"]
MODEL_STEPS = 40_000
"""Steps of the 400 episodes of the recipe `two_rooms`, which the pretrained model was trained on."""


@dataclass(frozen=True)
class Settings:
    """Recorded episodes and their steps, the imagined episodes, checkpoints, and held-out tasks."""

    episodes: int = 100
    steps: int = 100
    horizon: int = 20
    false_alarm_rate: float = 0.05
    checkpoints: tuple[int, ...] = (1000, 2000, 3000, 5000, 10_000, 20_000)
    random: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75)
    frameskip: int = 5
    factor: int = 10
    tasks: int = 200

    @property
    def samples(self) -> int:
        """Return the real steps behind the policy of imagination."""
        return MODEL_STEPS + self.episodes * self.steps


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, values = run.settings, asdict(run.settings)
    python = install(run.shared.absolute() / "sb3", [*PACKAGES, "--editable", str(HERE.parent)], pinned=False)
    script, folder = Script(HERE / "imagination_sb3.py", python), run.work.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    more = chosen.factor * chosen.samples // chosen.frameskip
    real, dream = [more // chosen.factor, more], list(chosen.checkpoints)
    seconds = {
        "imagined": script.call("learn", values, run.seed, False, dream, folder)["cpu_seconds"],
        "real": script.call("learn", values, run.seed, True, real, folder)["cpu_seconds"],
    }
    paths = {f"imagined{mark}": folder / f"imagined{mark}.zip" for mark in dream}
    paths |= {f"real{mark}": folder / f"real{mark}.zip" for mark in real}
    solved = {name: script.call("solved", path, chosen.tasks, run.seed) for name, path in paths.items()}
    scored = list(paths.values())[: len(dream)]
    rows = script.call("returns", values, run.seed, scored, list(chosen.random), chosen.tasks)
    return {
        "success": {name: wilson(one["solved"], one["n"]) for name, one in solved.items()},
        "spearman": {
            "distance": rank_correlation([row["imagined"] for row in rows], [-row["distance"] for row in rows]),
            "reward": rank_correlation([row["imagined"] for row in rows], [row["real"] for row in rows]),
        },
        "policies": rows,
        "samples": {"imagined": chosen.samples, "real": chosen.factor * chosen.samples},
        "cpu_seconds": seconds,
        "packages": PACKAGES,
    }


def report(results: Mapping[str, RunResult]) -> Report:
    runs = {name: run.values for name, run in results.items()}
    rows, ratios = [], []
    for name, one in runs.items():
        found, (dream, real) = one["success"], ends(one["success"])
        ratios.append((found[dream]["rate"], found[real]["rate"]))
        spent = f"{one['cpu_seconds']['imagined']:.0f} / {one['cpu_seconds']['real']:.0f}"
        order = f"{one['spearman']['distance']:.3f} / {one['spearman']['reward']:.3f}"
        fewer = next(mark for mark in found if mark.startswith("real"))
        rows.append((name, rate(found[dream]), rate(found[real]), rate(found[fewer]), order, spent))
    samples = next(iter(runs.values()))["samples"]
    header = (
        "run",
        f"imagination, {samples['imagined']} real steps",
        f"Two Rooms, {samples['real']} steps",
        f"Two Rooms, {samples['imagined']} steps",
        "Spearman of imagined return with true distance / real reward",
        "CPU s of learning, imagination / Two Rooms",
    )
    worst = min(one["spearman"]["distance"] for one in runs.values())
    dream, real = (statistics.mean(side) for side in zip(*ratios, strict=True))
    verdict = met(dream >= 0.8 * real) if real >= 0.6 else f"not counted: {100 * real:.0f} % in the real environment"
    count = len(next(iter(runs.values()))["policies"])
    targets = [
        Target(
            f"Two Rooms, Spearman of imagined and real returns of {count} policies",
            ">= 0.8 on every seed",
            f"worst of {len(runs)}: {worst:.3f}",
            met(worst >= 0.8),
        ),
        Target(
            "Two Rooms, tasks solved by a policy from imagination, of those of one from ten times its real steps",
            ">= 80 %",
            f"{100 * dream / real:.0f} % ({100 * dream:.1f} of {100 * real:.1f} %, means of {len(runs)} seeds)",
            verdict,
        ),
    ]
    return Report([table(header, rows), learning(runs), gaps(runs)], targets)


def ends(success: Mapping[str, Any]) -> tuple[str, str]:
    """Return the names of the last checkpoints of imagination and of the real environment."""
    names = list(success)
    return [one for one in names if one.startswith("imagined")][-1], names[-1]


def learning(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of the success along the learning in imagination."""
    marks = [mark for mark in next(iter(runs.values()))["success"] if mark.startswith("imagined")]
    header = ("run", *(f"{mark.removeprefix('imagined')} imagined blocks" for mark in marks))
    return table(header, [(name, *(rate(one["success"][mark]) for mark in marks)) for name, one in runs.items()])


def gaps(runs: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a table of the returns of policies without random blocks, as they learn."""
    rows = []
    for name, one in runs.items():
        for row in one["policies"]:
            policy, _, noise = row["policy"].partition(", ")
            if noise.startswith("0 %"):
                values = (f"{row[key]:.2f}" for key in ("imagined", "real", "distance"))
                rows.append((name, policy.removeprefix("imagined"), *values))
    header = ("run", "imagined blocks", "imagined return", "real return", "sum of true distances")
    return table(header, rows)


STUDY = Study(
    name="imagination",
    title="Policies from imagination",
    summary=(
        "Soft actor-critic of stable-baselines3 on the frozen latents of the pretrained agent of Two Rooms, in "
        "imagination or in the real environment: 200 held-out tasks, goals given as images. Returns are sums over the "
        "20 blocks of an episode; starts and goals of imagined ones are any recorded states, those of real ones tasks "
        "between the rooms. The real steps of imagination are the 40,000 that the model was trained on and the 10,000 "
        "of the episodes that it starts in."
    ),
    command="OMP_NUM_THREADS=1 uv run benchmarks/imagination.py",
    cases={"two_rooms": Settings()},
    seeds=(0, 1, 2),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

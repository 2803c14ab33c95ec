"""The guard of the pretrained agent in Two Rooms: false alarms, detection of faults, and refusal of likely failures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import tacit as tc
from guard_episodes import KINDS, Episodes, episodes
from tacit import studies
from tacit.guard import Guard, PredictionEnergy, ScoreSeries, default_scores, fit, score_series
from tacit.statistics import Estimate, wilson
from tacit.studies import Report, Run, RunResult, Study, Target, at_least, at_most, met, rate, table

RATES = (0.01, 0.05, 0.1)
BARS = {"teleport": 0.99, "sensor frozen": 0.95, "wall moved by 4": 0.9, "wall 8 thick": 0.9}
BARS |= {"speed x 0.6": 0.9, "speed x 1.5": 0.9}
COLOR = 0.95
MIXTURE = {"sensor frozen": 90, "wall moved by 4": 90} | dict.fromkeys(
    ("teleport", "disc, hue + 60", "background -60", "wall 8 thick", "speed x 0.6"), 20
)
REFUSED = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3)
CLEAN = 900
"""Episodes of the mixture: each perturbation's first ones, and those without a fault."""


@dataclass(frozen=True)
class Settings:
    """Numbers of episodes."""

    training: int = 500
    standardizing: int = 1000
    calibration: int = 5000
    test: int = 5000
    perturbed: int = 300


def auroc(clean: np.ndarray, faulty: np.ndarray) -> Estimate:
    """Return the chance that a faulty episode scores above a clean one, with the interval of Hanley and McNeil."""
    order = np.sort(clean)
    below = np.searchsorted(order, faulty, "left") + np.searchsorted(order, faulty, "right")
    area = float(below.mean() / (2 * len(clean)))
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    spread = (len(faulty) - 1) * (first - area**2) + (len(clean) - 1) * (second - area**2)
    half = 1.96 * np.sqrt((area * (1 - area) + spread) / len(clean) / len(faulty))
    return Estimate(area, area - half, min(area + half, 1.0), len(faulty))


def counted(name: str, found: Episodes) -> np.ndarray:
    """Return the episodes that count: a sensor has to be frozen for ten steps before the disc arrives."""
    if name != "sensor frozen":
        return np.ones(len(found.onset), np.bool_)
    inside = found.distances <= tc.envs.TwoRooms.rules.radius
    arrival = np.where(inside.any(axis=1), inside.argmax(axis=1), inside.shape[1])
    return np.asarray(arrival >= found.onset + 10)


def risk(failed: np.ndarray, score: np.ndarray) -> dict[str, float]:
    """Return the failure rate of the episodes that are left when a share with the highest scores is refused."""
    order = np.argsort(score, kind="stable")
    return {str(share): float(failed[order[: round((1 - share) * len(order))]].mean()) for share in REFUSED}


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, model = run.settings, tc.recipes.pretrained("two_rooms").model
    training = episodes(run.shared, "training", None, chosen.training, 1_000_000)
    clean = episodes(run.shared, "calibration", None, chosen.standardizing + chosen.calibration, 2_000_000)
    test = episodes(run.shared, "test", None, chosen.test, 3_000_000)
    scores = default_scores(model, training.recording)
    series = score_series(scores, model, clean.recording)
    share = chosen.standardizing / len(series)
    guards = {
        asked: fit(scores, series, false_alarm_rate=asked, slow_rate=asked, standardizing=share) for asked in RATES
    }
    tested = score_series(scores, model, test.recording)
    alarms = {
        str(asked): {
            "alarms": wilson(int((signals(guard, tested)[0] > guard.calibration.stop.value).sum()), len(tested)),
            "n": guard.calibration.stop.n,
            "rank": guard.calibration.stop.rank,
        }
        for asked, guard in guards.items()
    }
    guard, kinds, mixed = guards[RATES[0]], {}, [(test.failed[:CLEAN], *signals(guards[RATES[0]], tested, CLEAN))]
    usual, surprise = signals(guard, tested)
    for index, (name, perturbation) in enumerate(KINDS.items()):
        found = episodes(run.shared, name, perturbation, chosen.perturbed, 4_000_000 + 100_000 * index)
        values, some = score_series(scores, model, found.recording), counted(name, found)
        faulty, surprises = signals(guard, values)
        kinds[name] = {
            "auroc": auroc(usual, faulty[some]),
            "surprise": auroc(surprise, surprises[some]),
            "stopped": wilson(int((faulty[some] > guard.calibration.stop.value).sum()), int(some.sum())),
            "solved": wilson(int((~found.failed).sum()), len(found.failed)),
        }
        mixed.append((found.failed[: MIXTURE.get(name, 0)], *signals(guard, values, MIXTURE.get(name, 0))))
    failed, joint, single = (np.concatenate(parts) for parts in zip(*mixed, strict=True))
    refusal = {"guard": joint, "one-step surprise": single, "oracle": failed.astype(float)}
    return {
        "alarms": alarms,
        "solved": wilson(int((~test.failed).sum()), len(test.failed)),
        "kinds": kinds,
        "refusal": {name: risk(failed, score) for name, score in refusal.items()},
    }


def signals(guard: Guard, series: ScoreSeries, count: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest standardised score and the largest one-step prediction energy of the first episodes."""
    energies = series.values[:count, :, series.names.index(PredictionEnergy().name)]
    return guard.calibration.standardization.joint(series.values[:count]), np.nanmax(energies, axis=1)


def report(results: Mapping[str, RunResult]) -> Report:
    values = results["two_rooms"].values
    settings = results["two_rooms"].settings
    rows, targets = [], []
    for asked, found in values["alarms"].items():
        share = float(asked)
        allowed = 1.96 * np.sqrt(share * (1 - share) * (1 / found["n"] + 1 / settings["test"]))
        rows.append((f"{share:.0%}", rate(found["alarms"]), str(found["n"]), str(found["rank"])))
        error = abs(found["alarms"]["rate"] - share)
        targets.append(
            at_most(f"false alarms at {share:.0%}, error in points", 100 * error, 100 * allowed, limit="<= {:.2f}")
        )
    for name, found in values["kinds"].items():
        targets.append(at_least(f"AUROC, {name}", found["auroc"]["mean"], BARS.get(name, COLOR), "{:.3f}"))
    guard = values["refusal"]["guard"]
    measured = f"{100 * guard['0.0']:.1f} % to {100 * guard['0.2']:.1f} %"
    targets.append(Target("failures, 20 % refused", "to <= 1/3", measured, met(guard["0.2"] <= guard["0.0"] / 3)))
    kinds = [
        (
            name,
            str(one["auroc"]["n"]),
            interval(one["auroc"]),
            interval(one["surprise"]),
            rate(one["stopped"]),
            rate(one["solved"]),
        )
        for name, one in values["kinds"].items()
    ]
    curves = [
        (name, *(f"{100 * one[str(share)]:.1f} %" for share in REFUSED)) for name, one in values["refusal"].items()
    ]
    return Report(
        [
            table(("asked", "false alarms", "episodes of the threshold", "rank"), rows),
            table(
                ("fault", "episodes", "AUROC", "AUROC, one-step surprise", "stopped at 1 %", "solved unguarded"), kinds
            ),
            table(("failures by refused share", *(f"{share:.0%}" for share in REFUSED)), curves),
        ],
        targets,
    )


def interval(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.3f} [{value['low']:.3f}, {value['high']:.3f}]"


STUDY = Study(
    name="guard",
    title="Guard",
    summary="The pretrained agent in Two Rooms in closed loop: 500 episodes for the constants of the scores, 1,000 "
    "to standardise them, 5,000 for the thresholds, 5,000 new ones for the false alarms, 300 of each fault. The "
    f"refused mixture has {CLEAN} episodes without a fault and "
    f"{', '.join(f'{count} of {kind}' for kind, count in MIXTURE.items())}.",
    command="uv run benchmarks/guard.py",
    cases={"two_rooms": Settings()},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

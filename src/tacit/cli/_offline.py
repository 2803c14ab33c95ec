"""Offline evaluation of a run: the part of ``tacit eval --offline``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tacit.errors import ConfigError

if TYPE_CHECKING:
    from tacit.data import Episodes
    from tacit.offline import CurvePoint, PlanAgreement
    from tacit.runs import Run

__all__ = ["OfflineOptions", "score_offline"]


@dataclass(frozen=True)
class OfflineOptions:
    """Options of an evaluation on recordings.

    Args:
        offline: Score forecasts of held-out recordings instead of behavior in an environment.
        horizon: Model steps ahead; fewer where the recordings are shorter.
        data: The current path of the dataset of the run.
        curve: Shares of the recordings to train on again, such as 0.25 0.5 1, to see whether more would help.
    """

    offline: bool = False
    horizon: int = 8
    data: Path | None = None
    curve: tuple[float, ...] = ()


def score_offline(path: Path, options: OfflineOptions, seed: int, device: str, to: Path) -> Path:
    """Score the model of a run on its held-out recordings, and return the path of the report."""
    import tacit as tc
    from tacit.reports.offline_sections import offline_record, offline_sections

    run = tc.runs.open(path)
    fit_on, held_out = run.record.split(options.data, print)
    model = run.model(device)
    if not isinstance(model, tc.models.Dynamics):
        raise ConfigError("--offline compares imagined futures with recorded ones; this run has no world model.")
    longest = (int(held_out.lengths.max()) - 1) // model.config.frameskip - max(model.history, 2) + 1
    horizon = max(1, min(options.horizon, longest))
    found = tc.offline.evaluate(model, fit_on=fit_on, held_out=held_out, horizon=horizon, seed=seed)
    print(found)
    moments = tc.offline.surprising_moments(model, held_out, seed=seed)
    for one in moments[:3]:
        print(one)
    plans = _plans(run, held_out, seed, device)
    points = _curve(run, fit_on, held_out, options.curve, found.horizon, seed, to)
    sections = offline_sections(found, plans, moments, points)
    record = tc.reports.new_record(
        "offline",
        seeds={"train": run.record.seed, "split": run.record.split_seed, "windows": seed},
        config={"run": run.record, "horizon": found.horizon},
        dataset_hash=run.record.dataset_hash,
        offline=offline_record(found, plans, moments, points),
    )
    title = f"Offline evaluation of {path.resolve().name}"
    return tc.reports.write_report(to, record, sections, title=title)


def _plans(run: Run, held_out: Episodes, seed: int, device: str) -> PlanAgreement | None:
    """Compare plans of the agent of a run with recorded actions, where it has one that pursues goals."""
    import tacit as tc
    from tacit.errors import TacitError

    try:
        found = tc.offline.compare_plans(run.agent(device, "noop"), held_out, seed=seed)
    except TacitError as error:
        print(f"plans are not compared with recorded actions: {error}")
        return None
    print(found)
    return found


def _curve(
    run: Run, fit_on: Episodes, held_out: Episodes, shares: tuple[float, ...], horizon: int, seed: int, to: Path
) -> tuple[CurvePoint, ...]:
    """Train the recipe of a run on shares of its recordings and score each model."""
    import tacit as tc
    from tacit._config import from_json

    if not shares:
        return ()
    recipe = from_json(tc.recipes.load(run.record.recipe), dict(run.record.options), "the recipe of the run")
    points = tc.offline.learning_curve(
        recipe, fit_on, held_out, shares=shares, seed=seed, to=to / "curve", horizon=horizon
    )
    for point in points:
        print(f"{point.episodes} episodes: score {point.scores.score:.3f}")
    return points

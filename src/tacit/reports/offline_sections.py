"""The sections of a report on forecasts of held-out recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.offline import CurvePoint, Forecasts, OfflineScores, PlanAgreement, SurprisingMoment
from tacit.reports import figures
from tacit.reports._plot import BLUE, COLORS, GREY, canvas, svg
from tacit.reports.report import Section, Table

__all__ = ["offline_record", "offline_sections"]

PANELS = 6
"""Quantities in a figure, at the most."""
METHODS = ("model", "persistence", "linear", "shuffled actions")


def offline_sections(
    found: OfflineScores,
    plans: PlanAgreement | None,
    moments: Sequence[SurprisingMoment],
    curve: Sequence[CurvePoint] = (),
) -> list[Section]:
    """Return the sections on forecasts, actions, plans, surprising moments and the number of recordings."""
    header = ("error at the end", "model", "persistence", "linear", "shuffled actions", "model wins for")
    table = Table(f"{found.windows} windows of {found.recordings} held-out recordings.", header, tuple(found.rows()))
    text = (
        f"Root mean square errors {found.horizon} steps of {found.step_seconds:.3g} s ahead, in the unit of each "
        "quantity, read from imagined latents by a linear map. Persistence repeats the last value; linear is a "
        "ridge regression from the last values and all actions. Beyond the step up to which the model wins, plan "
        "with something else, or record more."
    )
    sections = [Section("Forecasts", text, table, (_errors(found),)), _actions(found)]
    if plans is not None:
        sections.append(Section("Recorded and planned actions", f"{plans}."))
    if moments:
        rows = tuple(
            (f"{one.episode}, {one.step}", f"{one.energy:.1f}", ", ".join(f"{n} {100 * s:.0f} %" for n, s in _top(one)))
            for one in moments
        )
        caption = "Share of the surprise that goes where the sensor alone shows its value of the step before."
        sections.append(
            Section("Surprising moments", "", Table(caption, ("episode, step", "times usual", "sensors"), rows))
        )
    return [*sections, _curve(curve)] if curve else sections


def _curve(points: Sequence[CurvePoint]) -> Section:
    rows = tuple((str(one.episodes), f"{one.scores.score:.3f}", str(one.scores.wins)) for one in points)
    table = Table("Trained for the same number of updates each.", ("episodes", "score", "steps won"), rows)
    with canvas(4.0, 2.4, 1, 1) as (figure, (panel,)):
        panel.plot([one.episodes for one in points], [one.scores.score for one in points], "o-", color=BLUE)
        panel.set(xlabel="episodes", ylabel="score", xlim=(0, None))
        drawn = figures.Figure(svg(figure), "svg", "Score by the number of episodes.", "Still rising: record more.")
    return Section("Number of recordings", "", table, (drawn,))


def offline_record(
    found: OfflineScores,
    plans: PlanAgreement | None,
    moments: Sequence[SurprisingMoment],
    curve: Sequence[CurvePoint] = (),
) -> dict[str, Any]:
    """Return the numbers for ``report.json``."""
    return {
        "score": found.score,
        "horizon": found.horizon,
        "wins": found.wins,
        "windows": found.windows,
        "latents": _numbers(found.latents),
        "quantities": {one.name: _numbers(one) for one in found.quantities},
        "action_effect": found.action_effect.tolist(),
        "component_effect": dict(found.component_effect),
        "plans": None
        if plans is None
        else {
            "planned": vars(plans.planned),
            "chance": vars(plans.chance),
            "correlation": [None if np.isnan(one) else one for one in plans.correlation],
            "windows": plans.windows,
        },
        "moments": [{**vars(one), "sensors": dict(one.sensors)} for one in moments],
        "curve": [{"episodes": one.episodes, "score": one.scores.score} for one in curve],
    }


def _top(moment: SurprisingMoment) -> list[tuple[str, float]]:
    """Return the three sensors that explain most."""
    return list(moment.sensors.items())[:3]


def _numbers(one: Forecasts) -> Mapping[str, Any]:
    errors = {method: one.error(method).tolist() for method in METHODS}
    return {"error": errors, "readout": one.readout, "wins": one.wins, "skill": one.skill}


def _errors(found: OfflineScores) -> figures.Figure:
    """Plot errors by step."""
    some = (*found.quantities, found.latents)[:PANELS]
    columns = min(len(some), 3)
    rows = -(-len(some) // columns)
    with canvas(3.0 * columns + 0.6, 2.3 * rows, rows, columns) as (figure, axes):
        steps = range(1, found.horizon + 1)
        for panel, one in zip(axes, some, strict=False):
            for method, color in zip(METHODS, COLORS, strict=False):
                panel.plot(steps, one.error(method), ".-", color=color, label=method)
            if one.readout:
                panel.axhline(one.readout, color=GREY, linestyle=":", linewidth=1)
            panel.set(title=one.name, xlabel="steps ahead", ylim=(0, None))
        axes[0].legend(fontsize=7)
        for panel in axes[len(some) :]:
            panel.set_axis_off()
        alt = "Errors by step: " + ", ".join(f"{one.name} wins {one.wins} steps" for one in some) + "."
        return figures.Figure(svg(figure), "svg", alt, "Dotted: the error of reading the recorded observation itself.")


def _actions(found: OfflineScores) -> Section:
    rows = tuple((name, f"{share:.3f}") for name, share in found.component_effect.items())
    text = (
        f"With the actions of another time, the imagined end moves by {found.action_effect[-1]:.2f} of the distance "
        "that the recorded one moved. Near 0 the model ignores actions and no plan can be better than another."
    )
    return Section("Actions", text, Table("One component exchanged.", ("component", "share of the way"), rows))

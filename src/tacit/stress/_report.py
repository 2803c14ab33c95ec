"""The sections of a report on a stress test: a heat map, curves over severities, a table, and frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from tacit import envs
from tacit.reports import figures
from tacit.reports._plot import COLORS, GREY, canvas, image, png, svg
from tacit.reports.report import Section, Table
from tacit.statistics import Rate
from tacit.stress._results import StressResult, StressTest
from tacit.stress._suite import suite
from tacit.types import GoalEnvironment

__all__ = ["stress_sections"]

ACROSS = 6
"""Frames in a row."""


def stress_sections(found: StressTest, env: str | Callable[[], GoalEnvironment]) -> list[Section]:
    """Return the sections of a stress test of an environment."""
    lead = (
        f"Without a change the agent solves {_interval(found.clean)} of {found.clean.n} tasks, random actions "
        f"{_interval(found.random)}. Each case is these tasks with one change; p is that of McNemar's exact test."
    )
    refused = "" if found.refused is None else f" The guard stops {_interval(found.refused)} of the clean tasks."
    sections = [Section("Success under changes", lead + refused, _table(found), (_heat_map(found),))]
    if len({one.case.severity for one in found.results}) > 1:
        sections.append(Section("Severities", "", None, (_curves(found),)))
    frames = _frames(found, env)
    return [*sections, Section("What the agent sees", "", None, (frames,))] if frames is not None else sections


def _table(found: StressTest) -> Table:
    """Return a row for each case."""
    guarded = found.refused is not None
    head = ["change", "family", "severity", "on", "solved", "kept", "p", "latents moved"]
    head += ["refused", "solved where it acts", "AUROC"] if guarded else []
    rows = []
    for one in found.results:
        moved = "" if one.displacement is None else f"{one.displacement:.2f}"
        row = [one.case.change, one.case.family, str(one.case.severity), one.case.on, _interval(one.success)]
        row += [f"{100 * one.kept:.0f} %", f"{one.paired.p:.2g}", moved]
        if guarded:
            area = "" if one.auroc is None else f"{one.auroc:.3f}"
            row += [*("" if rate is None else _interval(rate) for rate in (one.refused, one.acted)), area]
        rows.append(tuple(row))
    caption = (
        "Kept: the share of the clean success on the tasks that the change allows. Latents moved: the mean squared "
    )
    return Table(
        caption + "change of the latents of starts, in that of two different starts.", tuple(head), tuple(rows)
    )


def _heat_map(found: StressTest) -> figures.Figure:
    """Return the success of each change at each severity."""
    names = list(dict.fromkeys(_name(one) for one in found.results))
    severities = sorted({one.case.severity for one in found.results})
    values = np.full((len(names), len(severities)), np.nan)
    for one in found.results:
        values[names.index(_name(one)), severities.index(one.case.severity)] = 100 * one.success.rate
    with canvas(3.2 + 0.8 * len(severities), 0.9 + 0.24 * len(names), 1, 1) as (figure, (panel,)):
        shown = panel.imshow(values, cmap="RdYlGn", vmin=0, vmax=100, aspect="auto")
        for row, column in np.argwhere(np.isfinite(values)):
            panel.text(column, row, f"{values[row, column]:.0f}", ha="center", va="center", fontsize=7)
        panel.set_xticks(range(len(severities)), [str(one) for one in severities])
        panel.set_yticks(range(len(names)), names, fontsize=7.5)
        panel.set(xlabel="severity")
        figure.colorbar(shown, label="solved, %")
        worst = min(found.results, key=lambda one: one.success.rate)
        alt = f"Success under {len(names)} changes; the lowest is {100 * worst.success.rate:.0f} % under {worst.case}."
        return figures.Figure(svg(figure), "svg", alt, "Success in percent.")


def _curves(found: StressTest) -> figures.Figure:
    """Return the mean success of each family over severities."""
    families = list(dict.fromkeys(one.case.family for one in found.results))
    with canvas(7.0, 3.1, 1, 1) as (figure, (panel,)):
        panel.axhline(100 * found.clean.rate, color=GREY, linestyle=":", linewidth=1)
        for family, color in zip(families, COLORS, strict=False):
            points = [
                (severity, np.mean([100 * one.success.rate for one in found.results if _of(one, family, severity)]))
                for severity in sorted({one.case.severity for one in found.results if one.case.family == family})
            ]
            panel.plot(*zip(*points, strict=True), color=color, marker="o", markersize=3, label=family)
        panel.set(xlabel="severity", ylabel="solved, %", ylim=(0, 102))
        panel.grid(axis="y")
        panel.legend(fontsize=7.5)
        alt = f"Mean success of {len(families)} families of changes over severities."
        return figures.Figure(
            svg(figure), "svg", alt, "Mean of a family. The dotted line is the success without a change."
        )


def _frames(found: StressTest, env: str | Callable[[], GoalEnvironment]) -> figures.Figure | None:
    """Return the first frame of one task under each change of what is seen; None without images."""
    make: Callable[[], GoalEnvironment] = partial(envs.make_goal, env) if isinstance(env, str) else env
    shown: dict[str, npt.NDArray[np.uint8]] = {}
    camera = next(iter(make().spec.cameras), None)
    if camera is None:
        return None
    tasks = make().tasks(1, 0)
    shown["clean"] = np.asarray(make().begin(tasks.start)[camera][0], np.uint8)
    for one in found.results:
        (change,) = suite(make(), [one.case.change])
        if not (change.of_images or change.family == "environment"):
            continue
        world = change.at(one.case.severity)(make(), 0)
        start = world.changed(tasks)[0].start if change.family == "environment" else tasks.start  # type: ignore[attr-defined]
        shown.setdefault(f"{change.name} {one.case.severity}", np.asarray(world.begin(start)[camera][0], np.uint8))
    rows = -(-len(shown) // ACROSS)
    with canvas(7.4, 1.45 * rows, rows, ACROSS, tight=True) as (figure, panels):
        for panel in panels:
            panel.axis("off")
        for panel, (name, frame) in zip(panels, shown.items(), strict=False):
            panel.imshow(image(frame))
            panel.set_title(name, fontsize=6.5)
        return figures.Figure(png(figure), "png", f"A start under {len(shown) - 1} changes.", "The start of one task.")


def _of(one: StressResult, family: str, severity: int) -> bool:
    return (one.case.family, one.case.severity) == (family, severity)


def _name(one: StressResult) -> str:
    return one.case.change if one.case.on == "observation" else f"{one.case.change}, {one.case.on}"


def _interval(rate: Rate) -> str:
    return f"{100 * rate.rate:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"

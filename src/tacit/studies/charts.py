"""Charts of scores over their cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tacit.reports._plot import COLORS, GREY, canvas, svg

__all__ = ["Panel", "chart"]


@dataclass(frozen=True)
class Panel:
    """Scores under one title.

    Attributes:
        title: The title.
        lines: Costs and their scores by the name in the legend. A score has ``mean``, ``low`` and ``high``.
        level: The score of a baseline without a cost; None for none.
    """

    title: str
    lines: Mapping[str, tuple[Sequence[float], Sequence[Mapping[str, float]]]]
    level: float | None = None


def chart(
    panels: Sequence[Panel],
    cost: str,
    score: str,
    tick: Callable[[float], str],
    ends: tuple[float, float] | None = None,
) -> bytes:
    """Return panels next to each other as SVG: scores in percent over costs on a logarithmic axis, with intervals.

    The costs of the first line are marked on the axis.

    Args:
        panels: At least one; all have the lines of the first.
        cost: The label of the axis of costs.
        score: The label of the axis of scores.
        tick: Writes a cost.
        ends: Ends of the axis of scores in percent; None: those of the scores of each panel.
    """
    with canvas(max(3.3 * len(panels), 6.6), 3.2, 1, len(panels)) as (figure, axes):
        for axis, panel in zip(axes, panels, strict=True):
            for color, (name, (costs, points)) in zip(COLORS, panel.lines.items(), strict=False):
                middle, low, high = (100 * np.array([one[end] for one in points]) for end in ("mean", "low", "high"))
                axis.plot(costs, middle, "o-", color=color, markersize=3.5, linewidth=1.4, label=name)
                axis.fill_between(costs, low, high, color=color, alpha=0.13, linewidth=0)
            if panel.level is not None:
                axis.axhline(100 * panel.level, color=GREY, linewidth=1, linestyle=":")
            ticks, _ = next(iter(panel.lines.values()))
            axis.set_xscale("log")
            axis.set_xticks(ticks, [tick(one) for one in ticks])
            axis.minorticks_off()
            axis.set(title=panel.title, xlabel=cost)
            axis.set_ylim(ends)
            axis.grid(axis="y")
        axes[0].set_ylabel(score)
        handles = axes[0].get_legend_handles_labels()
        figure.legend(*handles, ncols=len(handles[0]), loc="outside lower center", fontsize=8)
        return svg(figure)

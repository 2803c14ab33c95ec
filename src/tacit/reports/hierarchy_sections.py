"""The sections of a report on plans for far goals."""

from __future__ import annotations

import numpy as np

from tacit.evaluation.hierarchy import HierarchyDiagnosis, PlanErrors
from tacit.reports import figures
from tacit.reports._plot import BLUE, GREY, ORANGE, canvas, svg
from tacit.reports.report import Section, Table
from tacit.statistics.intervals import Rate

__all__ = ["hierarchy_sections"]


def hierarchy_sections(found: HierarchyDiagnosis) -> list[Section]:
    """Return the sections on success with oracle sub-goals, macro-actions and the plan of the low level."""
    rates = {"agent": found.agent}
    rates |= {} if found.flat is None else {"low level, no sub-goals": found.flat}
    rates |= {"low level, oracle sub-goals": found.oracle}
    solved = figures.rates(rates, "Success with the sub-goals of the agent, without any, and with those of an oracle.")
    text = (
        f"An oracle sub-goal is the true state {found.stride} blocks ahead on the shortest way. Where oracle sub-goals "
        "solve the tasks and the agent does not, its sub-goals are the bottleneck; where they do not either, it is the "
        "low level or the model."
    )
    sections = [Section("Sub-goals", text, None, (solved,))]
    rows = [("on the shortest way", _interval(found.reached_oracle))]
    rows += [] if found.reached is None else [("chosen by the agent", _interval(found.reached))]
    reach = Table(
        f"Share of sub-goals that the low level reaches within {found.stride} blocks: the last latent is as near as "
        "latents one block apart are.",
        ("sub-goal", "reached"),
        tuple(rows),
    )
    sections.append(Section("Reachability", "", reach))
    if found.manifold is not None:
        one = found.manifold
        table = Table(
            "Distance to the nearest recorded macro-action, in halves of the box of recorded ones.",
            ("macro-actions", "median distance", "further than 95 % of recorded ones"),
            (
                ("chosen", f"{one.chosen:.3f}", _interval(one.outside)),
                ("recorded", f"{one.recorded:.3f}", "5 %"),
            ),
        )
        sections.append(Section("Macro-actions", "Far from all recorded ones, no blocks may carry it out.", table))
    sections.append(_plan_section(found.plan))
    return sections


def _plan_section(plan: PlanErrors) -> Section:
    """Return the section on the plan of the low level, block by block."""
    lines = {
        "prediction error": (plan.error, ORANGE),
        "planned distance to the goal": (plan.planned, GREY),
        "real distance to the goal": (plan.real, BLUE),
    }
    blocks = np.arange(1, len(plan.error) + 1)
    with canvas(8.0, 3.1, 1, 1) as (figure, (panel,)):
        for name, (estimates, color) in lines.items():
            low, high = [one.low for one in estimates], [one.high for one in estimates]
            panel.fill_between(blocks, low, high, color=color, alpha=0.15, linewidth=0)
            panel.plot(blocks, [one.mean for one in estimates], color=color, marker="o", markersize=3, label=name)
        panel.axhline(plan.usual, color=GREY, linestyle=":", linewidth=1)
        panel.set(xlabel="block of the plan", ylabel="mean squared difference", ylim=(0, None))
        panel.grid(axis="y")
        panel.legend(fontsize=8)
        alt = f"Error of block {len(blocks)}: {plan.error[-1].mean:.3g}; usual change of a block: {plan.usual:.3g}."
        caption = "The dotted line is the usual change of a latent in one block. Shaded: 95 % bootstrap interval."
        shown = figures.Figure(svg(figure), "svg", alt, caption)
    where = plan.fails_at
    text = (
        f"From block {where} on, a prediction is further from the real latent than a block usually moves it."
        if where
        else f"Over {len(blocks)} blocks, predictions stay nearer to the real latent than a block usually moves it."
    )
    return Section("Where a long plan fails", text, None, (shown,))


def _interval(rate: Rate) -> str:
    return f"{100 * rate.rate:.1f} % [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"

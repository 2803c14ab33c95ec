"""The usual sections of a report, each from the result that it explains."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tacit.evaluation.closed_loop import ClosedLoop
from tacit.evaluation.episode_scores import EpisodeScores
from tacit.evaluation.imagination import Imagination
from tacit.evaluation.open_loop import OpenLoop
from tacit.probing.comparison import Comparison
from tacit.probing.health import Health
from tacit.probing.probe import ProbeReport
from tacit.probing.probes import ClassResult, ProbeResult, QuantityResult
from tacit.reports import figures
from tacit.reports.report import Section, Table
from tacit.statistics.intervals import Estimate

__all__ = [
    "comparison_section",
    "episodes_section",
    "health_section",
    "imagination_section",
    "open_loop_section",
    "planning_section",
    "probe_section",
    "training_section",
]


def planning_section(
    runs: Mapping[str, ClosedLoop],
    names: Mapping[str, str] | None = None,
    extent: tuple[float, float, float, float] | None = None,
) -> Section:
    """Return the section on reached goals, with baselines and oracle.

    It has images where the run ``success`` recorded frames.

    Args:
        runs: As for :func:`tacit.reports.planning_record`.
        names: The name of each of them in the report.
        extent: Edges of the image in the unit of the paths, to draw paths; see :func:`tacit.reports.figures.paths`.
    """
    names = {
        "success": "agent",
        "random": "random actions",
        "policy": "policy, no search",
        "oracle": "oracle (true dynamics)",
        **(names or {}),
    }
    titled = {names.get(key, key): run for key, run in runs.items()}
    agent = runs["success"]
    rows = tuple(
        (
            name,
            f"{100 * run.success.rate:.1f} %",
            f"{100 * run.success.low:.1f} to {100 * run.success.high:.1f} %",
            f"{100 * run.success_any.rate:.1f} %",
            f"{100 * run.success_last.rate:.1f} %",
            _milliseconds(run, 50),
            _milliseconds(run, 99),
        )
        for name, run in titled.items()
    )
    table = Table(
        f"Success of {agent.success.n} tasks, and the time of one decision for {agent.batch} worlds at once.",
        ("actor", "solved", "95 % interval", "at any step", "at the last", "p50", "p99"),
        rows,
    )
    found = [
        figures.rates(
            {name: run.success for name, run in titled.items()},
            "Success rates of the agent, its baselines and the oracle.",
        ),
        figures.distances(titled),
    ]
    if agent.frames is not None and agent.paths is not None and extent is not None:
        found.append(figures.paths(agent, extent))
    if agent.frames is not None:
        found.append(figures.animation(agent))
    return Section("Planning", _rules(agent, oracle="oracle" in runs), table, tuple(found))


def _rules(agent: ClosedLoop, *, oracle: bool) -> str:
    """Return the rules of the tasks, and the meaning of the oracle where there is one."""
    rules = agent.rules
    replaced = f" {agent.replaced} drawn tasks were solved at their start and replaced." if agent.replaced else ""
    when = "after the last step" if rules.success_at == "last" else "at some step"
    text = (
        f"Each of {agent.success.n} held-out tasks has a start and a goal, which is given as an observation. "
        f"A task is solved within {rules.radius} ({rules.unit}) of the goal {when} of {agent.allowed}; the rules were "
        f"fixed before anything was tuned.{replaced}\n\n"
        "The actor receives observations and nothing else."
    )
    if oracle:
        text += (
            " The oracle is the same planner with the true dynamics, its cost the true distance: the gap between it "
            "and the agent is the price of the model. Where that distance misleads, as next to a wall, a latent "
            "space can lead further than the oracle."
        )
    return text


def episodes_section(scores: Mapping[str, EpisodeScores]) -> Section:
    """Return the section on whole episodes, a row for each actor."""
    rows = tuple((name, str(one.mean_return or "-"), str(one.success or "-")) for name, one in scores.items())
    count = max(len(one.lengths) for one in scores.values())
    table = Table(f"Scores of {count} episodes.", ("actor", "return", "solved"), rows)
    return Section("Whole episodes", "Episodes whose seeds no recording has. Intervals are of 95 %.", table)


def probe_section(reports: Sequence[ProbeReport], unit: str = "") -> Section:
    """Return the section on probed quantities and on collapse of the latents."""
    first = reports[0]
    text = (
        "A small readout is fitted on frozen latents of training episodes and scored on held-out ones. R² is the share "
        "of the quantity's variance that the readout explains: 1 is all of it, 0 none, below 0 worse than a "
        f"constant.\n\n{_collapse(first.health)}"
    )
    table = Table(
        f"Probes on {first.linear.rows_test} held-out frames.",
        ("quantity", "linear R²", "linear r", "MLP R²", "MLP r"),
        tuple(
            (r.target, f"{r.r2:.4f}", f"{r.linear.pearson:.4f}", f"{r.mlp_r2:.4f}", f"{r.mlp_pearson:.4f}")
            for r in reports
        ),
    )
    return Section("Quantities in the latents", text, table, tuple(figures.scatter(report, unit) for report in reports))


def comparison_section(comparisons: Sequence[Comparison]) -> Section:
    """Return the section on compared feature sources, a row for each target and source."""
    text = (
        "A small readout is fitted on frozen features of some episodes and scored on held-out ones: the share of "
        "correct classes, or the share of a quantity's variance that is explained (R²). The baselines are the same "
        "model before training, its input without a network, and a constant prediction. Intervals are bootstrapped "
        "over episodes."
    )
    rows = tuple(
        (f"{one.target}, {source}", result.probe, *_cells(result))
        for one in comparisons
        for source, result in one.results.items()
    )
    count = max(result.rows_test for one in comparisons for result in one.results.values())
    header = ("target, features", "probe", "score", "95 % interval", "settings")
    return Section("Comparison with baselines", text, Table(f"Scores on {count} held-out rows.", header, rows))


def health_section(found: Health) -> Section:
    """Return the section on collapse of the latents, where no quantity is probed."""
    return Section("Collapse of the latents", f"Of {found.frames} held-out frames. {_collapse(found)}")


def _collapse(found: Health) -> str:
    text = (
        f"The latents use {found.effective_rank:.1f} of {found.latent_size} dimensions (effective rank); the component "
        f"that varies least has a standard deviation of {found.min_std:.3g}. Near 1 and near 0 they would have "
        "collapsed."
    )
    if math.isnan(found.straightness):
        return text
    return f"{text} Straightness, the mean cosine of successive steps in latent space, is {found.straightness:.2f}."


def open_loop_section(result: OpenLoop, ranking: Estimate | None = None) -> Section:
    """Return the section on accuracy of imagined rollouts and ranking of plans by energy."""
    text = (
        f"{result.windows} held-out windows are rolled out along their recorded actions, from {result.context} "
        f"observed latent{'s' if result.context > 1 else ''}. Shaded: 95 % bootstrap interval over episodes."
    )
    if ranking is not None:
        text += (
            f"\n\nSpearman's correlation of a random plan's energy and its true final distance is {ranking.mean:.2f} "
            f"[{ranking.low:.2f}, {ranking.high:.2f}] over {ranking.n} tasks: 1 ranks plans as the world does."
        )
    return Section("Error of imagined latents", text, None, (figures.errors(result),))


def imagination_section(result: Imagination) -> Section:
    """Return the section with recorded above imagined frames."""
    return Section("Imagined and recorded frames", "", None, (figures.rollouts(result),))


def training_section(rows: Sequence[Mapping[str, float | str]]) -> Section:
    """Return the section on a training, from the lines of its log. See :func:`tacit.training.read_log`."""
    terms = tuple(dict.fromkeys(key for row in rows for key in row if key.startswith("loss/")))
    groups = {"loss": ("loss",), "terms": terms, "effective rank": ("effective_rank",)}
    caption = (
        "The sum that is minimised, each of its terms before its weight, and the number of dimensions that latents "
        "of a batch use. A rising rank shows that the latents do not collapse."
    )
    present = {title: names for title, names in groups.items() if any(name in row for name in names for row in rows)}
    return Section("Training", "", None, (figures.curves(rows, present, caption),))


def _milliseconds(run: ClosedLoop, percentile: int) -> str:
    decision = run.decision_p50 if percentile == 50 else run.decision_p99
    every = run.latency_p50 if percentile == 50 else run.latency_p99
    value = every if decision is None else decision
    return f"{value:,.1f} ms" if value >= 0.1 else "< 0.1 ms"


def _cells(result: ProbeResult) -> tuple[str, str, str]:
    settings = ", ".join(f"{name} {value:g}" for name, value in result.settings.items())
    estimate = result.estimate
    if isinstance(result, QuantityResult):
        return f"R² {estimate.mean:.4f}", f"{estimate.low:.4f} to {estimate.high:.4f}", settings
    kind = "correct" if isinstance(result, ClassResult) else ""
    return f"{100 * estimate.mean:.1f} % {kind}", f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f} %", settings

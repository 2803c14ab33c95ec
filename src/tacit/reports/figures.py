"""Figures of a report, each with a description for readers who cannot see it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tacit.errors import ConfigError
from tacit.evaluation.closed_loop import ClosedLoop
from tacit.evaluation.decision import Decision
from tacit.evaluation.imagination import Imagination
from tacit.evaluation.open_loop import OpenLoop
from tacit.probing.probe import ProbeReport
from tacit.reports._plot import (
    BLUE,
    COLORS,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PAPER,
    canvas,
    encoded,
    enlarged,
    gif,
    image,
    png,
    svg,
    thinned,
)
from tacit.statistics.intervals import Rate

__all__ = ["Figure", "animation", "curves", "decision", "distances", "errors", "paths", "rates", "rollouts", "scatter"]

MEDIA = {"png": "image/png", "svg": "image/svg+xml", "gif": "image/gif"}


@dataclass(frozen=True)
class Figure:
    """A figure and its description.

    Attributes:
        data: The bytes of the file.
        kind: Its format.
        alt: A description for readers who cannot see it.
        caption: Its interpretation.
        still: A PNG in place of an animation, for readers who prefer less motion.
    """

    data: bytes
    kind: Literal["png", "svg", "gif"]
    alt: str
    caption: str
    still: bytes | None = None

    @property
    def uri(self) -> str:
        """Return the image as a ``data:`` address, so that a page needs no other file."""
        return f"data:{MEDIA[self.kind]};base64,{base64.b64encode(self.data).decode()}"


def curves(rows: Sequence[Mapping[str, float | str]], groups: Mapping[str, Sequence[str]], caption: str) -> Figure:
    """Plot quantities of a training over its steps, one panel for each group.

    Args:
        rows: Lines of a training log, each with ``step``.
        groups: Title of a panel to the names of its quantities.
        caption: Its interpretation.
    """
    with canvas(min(9.6, 4.8 * len(groups)), 2.8, 1, len(groups)) as (figure, axes):
        for panel, (title, names) in zip(axes, groups.items(), strict=True):
            for name, color in zip(names, COLORS, strict=False):
                pairs = [(row["step"], row[name]) for row in rows if isinstance(row.get(name), (int, float))]
                if pairs:
                    line = thinned(np.array(pairs, np.float64))
                    panel.plot(*line.T, color=color, linewidth=1.3, label=name.removeprefix("loss/"))
            values = np.concatenate([line.get_ydata() for line in panel.lines] or [np.ones(1)])
            if (values > 0).all() and values.max() > 20 * values.min():
                panel.set_yscale("log")
            panel.set(title=title, xlabel="step")
            panel.grid(axis="y")
            if len(names) > 1:
                panel.legend(fontsize=7.5)
        alt = "Line charts over the training steps of " + ", ".join(name for names in groups.values() for name in names)
        return Figure(svg(figure), "svg", f"{alt}.", caption)


def scatter(report: ProbeReport, unit: str = "") -> Figure:
    """Plot predicted against true values of held-out frames, one panel for each component."""
    actual, predicted = report.linear.actual[:1500], report.linear.predicted[:1500]
    count = min(actual.shape[1], 4)
    with canvas(min(9.6, 3.6 * count), 3.4 if count < 4 else 2.7, 1, count) as (figure, axes):
        for index, panel in enumerate(axes):
            low, high = np.nanmin(actual[:, index]), np.nanmax(actual[:, index])
            panel.plot([low, high], [low, high], color=GREY, linewidth=1)
            panel.scatter(
                actual[:, index], predicted[:, index], s=5, color=BLUE, alpha=0.35, linewidths=0, rasterized=True
            )
            panel.set(
                title=f"{report.target}[{index}]   R² {report.linear.r2_components[index]:.3f}",
                xlabel=f"true, {unit}" if unit else "true",
            )
            panel.grid()
        axes[0].set_ylabel("predicted by a linear probe")
        alt = (
            f"Scatter of {report.target} predicted from latents against its true value on {report.linear.rows_test} "
            f"held-out frames: R squared {report.r2:.3f}, Pearson r {report.linear.pearson:.3f}."
        )
        return Figure(svg(figure), "svg", alt, "Each dot is a held-out frame. On the line the prediction is exact.")


def rates(values: Mapping[str, Rate], caption: str) -> Figure:
    """Plot success rates with their intervals, the first name at the top."""
    names = list(values)
    with canvas(8.0, 0.5 * len(names) + 0.8, 1, 1) as (figure, (panel,)):
        for row, (name, color) in enumerate(zip(names, COLORS, strict=False)):
            value, y = values[name], len(names) - 1 - row
            panel.barh(y, 100 * value.rate, height=0.56, color=color, alpha=0.22)
            panel.plot([100 * value.low, 100 * value.high], [y, y], color=color, linewidth=2.2, solid_capstyle="butt")
            panel.plot(100 * value.rate, y, "o", color=color, markersize=5.5)
            panel.text(102.5, y, f"{100 * value.rate:.1f} %", va="center", fontweight="bold", color=color)
        panel.set_yticks(range(len(names)), names[::-1])
        panel.set(xlim=(0, 112), xticks=range(0, 101, 20), xlabel="tasks solved, % (line: 95 % Wilson interval)")
        panel.grid(axis="x")
        panel.set_axisbelow(True)
        alt = "Success rates: " + "; ".join(f"{name} {value}" for name, value in values.items()) + "."
        return Figure(svg(figure), "svg", alt, caption)


def errors(result: OpenLoop) -> Figure:
    """Plot the latent error of imagined rollouts over the horizon, with its baselines."""
    lines = {
        "model": (result.error, BLUE),
        "shuffled actions": (result.shuffled_actions, ORANGE),
        "copy the last latent": (result.copy_last, GREY),
    }
    steps = np.arange(1, result.horizon + 1)
    with canvas(8.0, 3.1, 1, 1) as (figure, (panel,)):
        for name, (estimates, color) in lines.items():
            panel.fill_between(
                steps, [e.low for e in estimates], [e.high for e in estimates], color=color, alpha=0.15, linewidth=0
            )
            panel.plot(
                steps, [e.mean for e in estimates], color=color, marker="o", markersize=3, linewidth=1.4, label=name
            )
        panel.set(xlabel="steps ahead", ylabel="mean squared latent error", ylim=(0, None))
        panel.grid(axis="y")
        panel.legend(fontsize=8)
        last = {name: estimates[-1].mean for name, (estimates, _) in lines.items()}
        alt = f"Latent error {result.horizon} steps ahead: " + ", ".join(f"{n} {v:.3g}" for n, v in last.items()) + "."
        caption = (
            "Error of imagined latents on held-out recordings. A useful model has a smaller error than both baselines: "
            "it predicts more than that nothing changes, and it depends on its actions."
        )
        return Figure(svg(figure), "svg", alt, caption)


def distances(runs: Mapping[str, ClosedLoop]) -> Figure:
    """Plot the median distance to the goal over the steps. The middle half of the tasks is shaded."""
    with canvas(8.0, 3.1, 1, 1) as (figure, (panel,)):
        for (name, run), color in zip(runs.items(), COLORS, strict=False):
            low, middle, high = np.quantile(run.distances, [0.25, 0.5, 0.75], axis=0)
            steps = np.arange(len(middle))
            panel.fill_between(steps, low, high, color=color, alpha=0.12, linewidth=0)
            panel.plot(steps, middle, color=color, linewidth=1.5, label=name)
        rules = next(iter(runs.values())).rules
        panel.axhline(rules.radius, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        panel.set(xlabel="step", ylabel="distance to the goal", ylim=(0, None))
        panel.grid(axis="y")
        panel.legend(fontsize=8)
        final = ", ".join(f"{name} {np.median(run.distances[:, -1]):.1f}" for name, run in runs.items())
        alt = f"Distance to the goal over the steps. Median after the last step: {final}; solved within {rules.radius}."
        return Figure(
            svg(figure),
            "svg",
            alt,
            f"Median over the tasks, the middle half shaded; dashed: solved ({rules.radius} {rules.unit}).",
        )


def decision(made: Decision) -> Figure:
    """Draw start, goal, energy over the iterations and, where known, true distance along the plan."""
    given = [part for part in (made.start, made.goal) if part is not None]
    graphs = 2 if len(made.distances) > 1 else 1
    with canvas(2.6 * len(given) + 3.2 * graphs, 2.7, 1, len(given) + graphs) as (figure, axes):
        for panel, part, title in zip(axes, given, ("start", "goal"), strict=False):
            panel.imshow(image(part), interpolation="nearest")
            panel.set(title=title, xticks=[], yticks=[])
        search = axes[len(given)]
        search.plot([float(i.mean[0]) for i in made.plan.trace], color=GREY, label="mean of the candidates")
        search.plot([float(i.best[0]) for i in made.plan.trace], color=BLUE, label="best so far")
        search.set(title="energy", xlabel="iteration")
        search.legend(fontsize=7.5)
        alt = f"Energy falls to {float(made.plan.energy[0]):.4g}."
        for way in axes[len(given) + 1 :]:
            way.plot(made.distances, color=ORANGE)
            way.set(title="true distance along the plan", xlabel="step", ylabel=made.unit, ylim=(0, None))
            alt += f" The plan ends {made.distances[-1]:.1f} from the goal."
        return Figure(png(figure), "png", alt, "The planner saw energies alone; distances are for the reader.")


def rollouts(result: Imagination) -> Figure:
    """Draw recorded above imagined frames, one pair of rows for each held-out window."""
    count, steps = result.recorded.shape[:2]
    with canvas(0.86 * steps + 0.8, 1.86 * count + 0.2, 2 * count, steps, tight=True) as (figure, axes):
        grid = np.array(axes, dtype=object).reshape(2 * count, steps)
        for row in range(2 * count):
            source = result.imagined if row % 2 else result.recorded
            for step in range(steps):
                panel = grid[row, step]
                panel.imshow(image(source[row // 2, step]), interpolation="nearest")
                panel.set(xticks=[], yticks=[])
                for spine in panel.spines.values():
                    spine.set(visible=True, color=BLUE if row % 2 else GREY, linewidth=1.0)
            grid[row, 0].set_ylabel("imagined" if row % 2 else "recorded", color=BLUE if row % 2 else INK, fontsize=8)
        for step in range(steps):
            grid[0, step].set_title("now" if not step else f"+{step * result.frameskip}", fontsize=8, loc="center")
        alt = (
            f"{count} held-out recordings over {steps - 1} model steps, each above the recorded frames whose latents "
            "are nearest to what the model imagined."
        )
        caption = (
            "Tacit has no decoder. Each imagined latent is shown as the training frame whose latent is nearest among "
            f"{result.bank:,}; the first of each row is the nearest to the observed frame. Numbers count steps of "
            "the environment."
        )
        return Figure(png(figure), "png", alt, caption)


def paths(run: ClosedLoop, extent: tuple[float, float, float, float], tasks: int = 4) -> Figure:
    """Draw walked and planned paths over the images of the first tasks.

    Args:
        run: Of an actor, recorded with ``record_frames``.
        extent: The coordinates of the image's left, right, bottom and top edge, in the unit of the paths.
        tasks: Number of tasks.
    """
    frames, walked, goals = _recorded(run)
    count = min(tasks, len(frames))
    with canvas(2.35 * count, 2.6, 1, count, tight=True) as (figure, axes):
        for task, panel in enumerate(axes):
            panel.imshow(image(frames[task, 0]), extent=extent, interpolation="nearest", alpha=0.55)
            # Once the goal is near, plans only scatter around it.
            for step, plan in [p for p in run.plans if run.distances[task, p[0]] > run.rules.radius]:
                line = np.concatenate([walked[task, step][None], plan[task]])
                panel.plot(line[:, 0], line[:, 1], color=ORANGE, linewidth=0.8, alpha=0.55)
            panel.plot(walked[task, :, 0], walked[task, :, 1], color=BLUE, linewidth=2)
            panel.plot(*walked[task, 0, :2], "o", color=BLUE, markersize=5)
            panel.plot(*goals[task, :2], "*", color=GREEN, markersize=12, markeredgecolor=PAPER)
            panel.set(xlim=extent[:2], ylim=extent[2:], xticks=[], yticks=[])
            panel.set_title("solved" if run.solved[task] else "not solved", color=GREEN if run.solved[task] else ORANGE)
        solved = int(run.solved[:count].sum())
        alt = f"Paths of the first {count} tasks over the room, {solved} of them solved."
        caption = "Blue: the path walked from the dot to the starred goal. " + (
            "Orange: the path of each plan under the true dynamics." if run.plans else ""
        )
        return Figure(png(figure), "png", alt, caption.strip())


def animation(run: ClosedLoop, tasks: int = 4, size: int = 192, every: int = 2) -> Figure:
    """Animate the first tasks, the actor's observations above its goals.

    Args:
        run: Of an actor, recorded with ``record_frames``.
        tasks: Number of tasks.
        size: Side of an image in pixels.
        every: Steps from one frame of the animation to the next.
    """
    frames, _, goals = _recorded(run, images=True)
    count, last = min(tasks, len(frames)), frames.shape[1] - 1
    inside = run.distances[:count] <= run.rules.radius
    font, images = ImageFont.load_default(15), []
    for step in [*range(0, last, every), last]:
        page = Image.new("RGB", (count * (size + 12) + 12, 2 * size + 72), PAPER)
        draw = ImageDraw.Draw(page)
        for task in range(count):
            left, color = 12 + task * (size + 12), GREEN if inside[task, step] else GREY
            draw.rectangle((left - 4, 22, left + size + 3, 29 + size), fill=color)
            page.paste(enlarged(frames[task, step], size), (left, 26))
            page.paste(enlarged(goals[task], size), (left, size + 58))
            draw.text((left, 2), f"step {step}", fill=INK, font=font)
            draw.text((left, size + 36), "goal", fill=INK, font=font)
        images.append(page.quantize(96, dither=Image.Dither.NONE))
    return Figure(
        gif(images),
        "gif",
        f"Animation of the first {count} tasks: the observation of the actor above the image of its goal.",
        "Observation of the agent (above) and image of its goal (below). The border is green within the radius of the "
        "goal.",
        still=encoded(images[-1]),
    )


def _recorded(run: ClosedLoop, images: bool = False) -> tuple[Any, Any, Any]:
    goals = run.goal_frames if images else run.goals
    if run.frames is None or goals is None or (run.paths is None and not images):
        raise ConfigError("a figure of a run needs frames and a tracked label: closed_loop(..., record_frames=4).")
    return run.frames, run.paths, goals

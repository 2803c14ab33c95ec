"""Report of a dataset: thumbnails, distributions and findings on one HTML page."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from tacit._files import resolve, write_atomically
from tacit.errors import ConfigError
from tacit.reports._plot import BLUE, canvas, encoded, image, svg
from tacit.reports.figures import Figure
from tacit.reports.report import Fact, Section, Table, page

if TYPE_CHECKING:
    from tacit.data import Episodes, Finding
    from tacit.types import Spec

__all__ = ["write_dataset_report"]

SHOWN, FRAMES, SIZE = 12, 5, 96
"""Episodes with thumbnails, frames of each, and the height of a thumbnail in pixels."""
PANELS, ROWS, EACH = 24, 50_000, 200
"""Histograms on the page, numbers in each at the most, and rows of an episode that are drawn."""
LISTED = 200
"""Findings in the table."""


def write_dataset_report(
    episodes: Episodes, path: str | os.PathLike[str], *, findings: Sequence[Finding] = (), title: str = "Dataset"
) -> Path:
    """Write an HTML page on recorded data; it needs no other file and no script.

    ::

        episodes = tc.data.open("data/two_rooms")
        findings = tc.data.quality.examine(episodes)
        tc.reports.write_dataset_report(episodes, "report.html", findings=findings)

    Args:
        episodes: The episodes, read once, one at a time.
        path: The file to write; it ends in ``.html``.
        findings: The findings of :func:`tacit.data.check` or :func:`tacit.data.quality.examine`.
        title: The title of the page.

    Raises:
        ConfigError: if the file has another ending.
        DataError: if an episode is damaged.
    """
    place = resolve(path)
    if place.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"the report is an HTML file; expected a name that ends in .html, got {place.name!r}.")
    errors = sum(finding.severity == "error" for finding in findings)
    seconds = float(episodes.lengths.sum()) / episodes.spec.fps
    facts = [
        Fact(f"{len(episodes)}", "episodes", f"of {episodes.lengths.min()} to {episodes.lengths.max()} observations"),
        Fact(f"{int(episodes.lengths.sum())}", "observations", f"{seconds:.4g} s at {episodes.spec.fps:g} a second"),
        Fact(f"{errors}", "errors", "wrong as they are"),
        Fact(f"{len(findings) - errors}", "warnings", "readable, and unusual"),
    ]
    place.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(place, page(title, f"Hash {episodes.hash()}", facts, _sections(episodes, findings)))
    return place


def _sections(episodes: Episodes, findings: Sequence[Finding] = ()) -> list[Section]:
    """Return the sections on findings, thumbnails, distributions and lengths."""
    thumbnails: dict[str, list[npt.NDArray[np.uint8]]] = {}
    drawn: dict[str, list[npt.NDArray[np.float32]]] = {}
    shown = set(np.linspace(0, len(episodes) - 1, SHOWN).round().astype(int).tolist())
    for index, episode in enumerate(episodes.stream()):
        for name, values in episode.observation.items():
            if episodes.spec.modalities[name].kind != "pixels":
                drawn.setdefault(name, []).append(_rows(values))
            elif index in shown:
                thumbnails.setdefault(name, []).append(_strip(values))
        if episodes.spec.action.size:
            drawn.setdefault("action", []).append(_rows(episode.action))
    sections = [_findings(findings)]
    if thumbnails:
        figures = tuple(_thumbnails(name, strips, sorted(shown)) for name, strips in thumbnails.items())
        sections.append(
            Section("Frames", f"{FRAMES} frames of {len(shown)} episodes, the first row is episode 0.", None, figures)
        )
    distributions = [_histograms(name, parts, episodes.spec) for name, parts in drawn.items()]
    distributions.append(_lengths(episodes.lengths))
    sections.append(Section("Distributions", "", None, tuple(distributions)))
    return sections


def _findings(findings: Sequence[Finding]) -> Section:
    if not findings:
        return Section("Findings", "Nothing wrong and nothing unusual was found.")
    counts = Counter(finding.check or "file" for finding in findings)
    text = "; ".join(f"{name}: {count}" for name, count in counts.most_common())
    more = f" The table has the first {LISTED}." if len(findings) > LISTED else ""
    rows = tuple(
        (
            finding.severity,
            finding.check or "file",
            "all" if finding.episode is None else str(finding.episode),
            finding.field,
            "" if finding.steps is None else f"{finding.steps[0]} to {finding.steps[1]}",
            finding.problem,
            finding.advice,
        )
        for finding in findings[:LISTED]
    )
    header = ("severity", "check", "episode", "field", "steps", "problem", "advice")
    return Section("Findings", f"{text}.{more}", Table("Findings, in the order of the episodes.", header, rows))


def _strip(frames: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Return frames of an episode next to each other ``[SIZE, W, 3]``."""
    chosen = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
    height, width = frames.shape[-2:]
    size = (max(round(SIZE * width / height), 1), SIZE)
    small = [Image.fromarray(np.ascontiguousarray(image(frames[k].astype(np.uint8)))).resize(size) for k in chosen]
    return np.concatenate([np.asarray(one) for one in small], axis=1)


def _thumbnails(name: str, strips: Sequence[npt.NDArray[np.uint8]], shown: Sequence[int]) -> Figure:
    told = ", ".join(map(str, shown))
    return Figure(
        encoded(Image.fromarray(np.concatenate(strips, axis=0))),
        "png",
        f"Frames of {name} of {len(strips)} episodes, one row each.",
        f"{name}: frames from the first to the last of episodes {told}.",
    )


def _rows(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """Return at most ``EACH`` rows, evenly spaced."""
    if len(values) > EACH:
        values = values[np.linspace(0, len(values) - 1, EACH).round().astype(int)]
    return np.asarray(values, np.float32)


def _histograms(name: str, parts: Sequence[npt.NDArray[np.float32]], spec: Spec) -> Figure:
    """Plot a histogram of each component."""
    rows = np.concatenate(parts)
    rows = rows[:: max(len(rows) // ROWS, 1)]
    titles = spec.modalities[name].names if name in spec.modalities else getattr(spec.action, "names", ())
    count = min(rows.shape[1], PANELS)
    columns = min(count, 4)
    lines = -(-count // columns)
    with canvas(2.4 * columns, 1.7 * lines, lines, columns) as (figure, axes):
        for index, panel in enumerate(axes):
            if index >= count:
                panel.set_axis_off()
                continue
            panel.hist(rows[:, index], bins=40, color=BLUE)
            panel.set_title(titles[index] if titles else f"{name} {index}")
            panel.set_yticks([])
        data = svg(figure)
    left = f" The first {PANELS} of {rows.shape[1]} components." if rows.shape[1] > PANELS else ""
    return Figure(
        data, "svg", f"Histograms of {count} components of {name}.", f"{name}: how often each value occurs.{left}"
    )


def _lengths(lengths: npt.NDArray[np.int64]) -> Figure:
    with canvas(4.8, 1.9, 1, 1) as (figure, (panel,)):
        panel.hist(lengths, bins=min(40, max(len(np.unique(lengths)), 5)), color=BLUE)
        panel.set_xlabel("observations")
        panel.set_ylabel("episodes")
        data = svg(figure)
    return Figure(data, "svg", "Histogram of the lengths of episodes.", "Lengths of the episodes.")

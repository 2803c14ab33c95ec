"""Every target at a glance: what was asked, what was measured, met or missed."""

import itertools
import statistics
from collections.abc import Iterator
from typing import Any

from reporting import seeing
from reporting.text import Rows, load, met, table

HARDWARE = ("V-JEPA 2 pretraining of a ViT-L on one GPU, useful operations", "40 % of the peak", "not measured", "open")
DONE = f"a linear probe beats the untrained encoder and the raw input, disjoint intervals, {seeing.SEEDS} seeds"


def targets() -> str:
    """The first section of the page."""
    rows: Rows = [row for part in (_demo, _rooms, _acting, _seeing, _speed) for row in part()]
    return (
        "## Targets\n\nWhat was to be reached, fixed before it was measured, and what others claim; the sections below say "
        f"how, with intervals and seeds.\n\n{table(('what', 'target', 'measured', ''), [*rows, HARDWARE])}\n"
    )


def _demo() -> Iterator[tuple[str, ...]]:
    if found := load("demo"):
        wall = found["wall_seconds"]
        for what, key, most in (
            ("demo, install included", "with_install", 600),
            ("demo, pretrained", "pretrained", 60),
        ):
            yield what, f"<= {most} s", f"{wall[key]:.0f} s", met(wall[key] <= most)


def _rooms() -> Iterator[tuple[str, ...]]:
    studies = (
        ("two_rooms", "Two Rooms, fixed wall, held-out tasks solved", 0.95, 0.92, 5),
        ("random_rooms", "Two Rooms, random wall and door, held-out tasks solved", 0.9, 0.9, 60),
    )
    for name, what, median, worst, minutes in studies:
        if found := load(name):
            told = _solved(found)
            spent = max(run["seconds"]["train_cpu"] for run in found["runs"].values()) / 60
            asked = (
                f"median >= {100 * median:.0f} %, worst >= {100 * worst:.0f} %, <= {minutes} CPU minutes of training"
            )
            fine = told[0] >= median and told[1] >= worst and spent <= minutes
            yield what, asked, f"{_percent(*told)}, {spent:.1f} CPU minutes", met(fine)


def _acting() -> Iterator[tuple[str, ...]]:
    if found := load("reacher"):
        told = _solved(found)
        yield (
            "Reacher from pixels, tasks solved",
            "86 %, published for LeWorldModel",
            _percent(*told),
            met(told[1] >= 0.86),
        )
    if load("ablation"):
        yield (
            "the worth of each term of eb_jepa's loss",
            "the published order",
            "for inverse dynamics alone",
            met(is_met=False),
        )


def _seeing() -> Iterator[tuple[str, ...]]:
    for recipe, group in itertools.groupby(seeing.judged(), lambda one: one[0]):
        some = list(group)
        beaten = [target for _, target, _, verdict in some if verdict == "yes"]
        seeds = len(some[0][2])
        verdict = met(bool(beaten)) if seeds >= seeing.SEEDS else f"so far, {seeds} seed(s)"
        yield f"recipe {recipe}", DONE, "; ".join(beaten) or "nothing with every seed", verdict
    yield from seeing.thesis()
    yield from seeing.motion_targets()


def _speed() -> Iterator[tuple[str, ...]]:
    if found := load("perception_speed"):
        for row in found["rows"].values():
            yield row["what"], f"{row['target']}x of transformers", f"{row['ratio']:.2f}x", met(row["met"])
        memory = found["memory"]
        yield (
            "bytes kept for backward by the context encoder, 90 % hidden",
            f"<= {memory['target']}x of all tokens",
            f"{memory['visible_over_dense']:.2f}x",
            met(memory["met"]),
        )
    for row in (load("peers") or {}).values():
        yield row["what"], f"{row['target']}x of stable-worldmodel", f"{row['ratio']:.1f}x", met(row["met"])


def _solved(found: dict[str, Any]) -> tuple[float, float]:
    """Median and lowest rate over the training seeds."""
    rates = [run["planning"]["success"]["rate"] for run in found["runs"].values()]
    return statistics.median(rates), min(rates)


def _percent(median: float, worst: float) -> str:
    return f"median {100 * median:.1f} %, worst {100 * worst:.1f} %"

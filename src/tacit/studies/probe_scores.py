"""Comparison of probed encoders with their baselines over several seeds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tacit.studies.study import RunResult, Target
from tacit.studies.tables import mean, met, table

__all__ = ["ProbeScores", "baseline_verdicts", "commands"]


@dataclass(frozen=True)
class ProbeScores:
    """Scores of a linear probe with one seed, each with ``mean``, ``low`` and ``high``.

    Attributes:
        recipe: The recipe of the encoder.
        target: The probed quantity.
        trained: Score of the trained encoder.
        untrained: Score of the untrained encoder.
        raw: Score of the raw input.
    """

    recipe: str
    target: str
    trained: Mapping[str, float]
    untrained: Mapping[str, float]
    raw: Mapping[str, float]

    @property
    def better(self) -> bool:
        """Return whether the interval lies above those of both baselines."""
        return self.trained["low"] > max(self.untrained["high"], self.raw["high"])


def baseline_verdicts(scores: Iterable[ProbeScores], seeds: int = 3) -> tuple[str, list[Target]]:
    """Return the table of all scores, and a target for each recipe.

    A target is met if the probe of one quantity is better than both baselines with each seed.

    Args:
        scores: The scores of all recipes, quantities and seeds.
        seeds: Seeds that a verdict needs.
    """

    def key(one: ProbeScores) -> tuple[str, str]:
        return one.recipe, one.target

    rows: list[tuple[str, ...]] = []
    beaten: dict[str, list[str]] = {}
    measured: dict[str, int] = {}
    for (recipe, target), some in itertools.groupby(sorted(scores, key=key), key):
        runs = list(some)
        better, enough = all(run.better for run in runs), len(runs) >= seeds
        measured[recipe] = len(runs)
        if better and enough:
            beaten.setdefault(recipe, []).append(target)
        verdict = "no" if not better else "yes" if enough else f"so far, {len(runs)} seed(s)"
        parts = ([run.trained for run in runs], [run.untrained for run in runs], [run.raw for run in runs])
        rows.append((recipe, target, *(", ".join(mean(one, 3) for one in part) for part in parts), verdict))
    wanted = f"a linear probe beats the untrained encoder and the raw input, disjoint intervals, {seeds} seeds"
    targets = [
        Target(
            f"recipe {recipe}",
            wanted,
            "; ".join(beaten.get(recipe, ())) or "nothing with every seed",
            met(recipe in beaten) if count >= seeds else f"so far, {count} seed(s)",
        )
        for recipe, count in measured.items()
    ]
    return table(("recipe", "read", "trained", "untrained", "raw", "both baselines beaten"), rows), targets


def commands(results: Mapping[str, RunResult]) -> str:
    """Return the commands of the trainings with seed 0 as a Markdown block."""
    runs = (run.values for name, run in sorted(results.items()) if name.endswith("/0"))
    lines = (run["command"] for run in runs if "command" in run)
    return "Commands, with seed 0:\n\n```text\n" + "\n".join(lines) + "\n```"

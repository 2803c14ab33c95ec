"""Comparison of trained encoders with the untrained encoder and the raw input, over seeds."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from tacit.studies import Target, mean, met, table

SEEDS = 3
ENCODERS = ("trained", "untrained", "raw")


@dataclass(frozen=True)
class Reading:
    """Scores of a linear probe with one seed: of the trained encoder, the untrained one and the raw input."""

    recipe: str
    target: str
    trained: dict[str, float]
    untrained: dict[str, float]
    raw: dict[str, float]


def verdicts(readings: Iterable[Reading]) -> tuple[str, list[Target]]:
    """Return the table of all readings, and a target for each recipe: one reading above both baselines, each seed."""

    def key(one: Reading) -> tuple[str, str]:
        return one.recipe, one.target

    rows: list[tuple[str, ...]] = []
    beaten: dict[str, list[str]] = {}
    seeds: dict[str, int] = {}
    for (recipe, target), some in itertools.groupby(sorted(readings, key=key), key):
        runs = list(some)
        above = all(run.trained["low"] > max(run.untrained["high"], run.raw["high"]) for run in runs)
        seeds[recipe] = len(runs)
        if above and len(runs) >= SEEDS:
            beaten.setdefault(recipe, []).append(target)
        verdict = "no" if not above else "yes" if len(runs) >= SEEDS else f"so far, {len(runs)} seed(s)"
        scores = (", ".join(mean(vars(run)[kind], 3) for run in runs) for kind in ENCODERS)
        rows.append((recipe, target, *scores, verdict))
    targets = [
        Target(
            f"recipe {recipe}",
            f"a linear probe beats the untrained encoder and the raw input, disjoint intervals, {SEEDS} seeds",
            "; ".join(beaten.get(recipe, ())) or "nothing with every seed",
            met(recipe in beaten) if seeds[recipe] >= SEEDS else f"so far, {seeds[recipe]} seed(s)",
        )
        for recipe in seeds
    ]
    return table(("recipe", "read", *ENCODERS, "both baselines beaten"), rows), targets


def commands(lines: Iterable[str]) -> str:
    """Return commands as a block."""
    return "Commands, with seed 0:\n\n```text\n" + "\n".join(lines) + "\n```"

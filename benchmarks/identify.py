"""Linear identifiability in synthetic worlds: four mixings, laws from heavy tails to uniform, sizes, and the bound."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, lgamma
from typing import Any, Literal

import numpy as np

import tacit as tc
from tacit import studies
from tacit.identification import SyntheticWorld, WorldTraining, identify_world
from tacit.studies import Report, Run, RunResult, Study, Target, at_least, met, table

MIXINGS = tc.identification.MIXINGS
ALPHAS = (0.5, 1.0, 2.0, 4.0, 8.0)
SIZES = (2, 4, 8, 16, 32, 64)
SEEDS = (0, 1, 2)
"""Seeds of the sweep over laws."""
SWEPT = "sinusoid"
"""The mixing of the sweep over laws: the fastest to learn."""


@dataclass(frozen=True)
class Settings:
    """World and training; see :class:`tacit.identification.SyntheticWorld` and ``WorldTraining``."""

    mixing: str
    size: int = 2
    alpha: float = 2.0
    rho: float = 0.95
    regulariser: Literal["sigreg", "whitening"] = "sigreg"
    weight: float = 0.005
    warmup: float = 0.8
    steps: int = 6500
    batch: int = 256
    hidden: int = 128
    slices: int = 32


def measure(run: Run[Settings]) -> dict[str, Any]:
    one = run.settings
    world = SyntheticWorld(one.mixing, one.size, one.alpha, one.rho)
    training = WorldTraining(
        one.regulariser,
        one.weight,
        one.steps,
        one.batch,
        hidden=(one.hidden,) * 4,
        slices=one.slices,
        warmup=one.warmup,
    )
    found = identify_world(world, training, run.seed, rows=20_000, progress=False)
    observations = world.map.mix(found.states)
    return {
        **vars(found.scores),
        "holds": found.scores.bound.holds,
        "observations_r2": tc.identification.linear_r2(observations, found.states),
    }


def report(results: Mapping[str, RunResult]) -> Report:
    cases = studies.by_case(results)
    mixed = [name for name in cases if name.startswith("mixing/")]
    swept = {name: cases[f"law/{name:g}"] for name in ALPHAS if len(cases.get(f"law/{name:g}", ())) == len(SEEDS)}
    sizes = {size: cases[f"size/{size}"] for size in SIZES if f"size/{size}" in cases}
    head = ("R2 of states", "R2 of latents", "orthogonality", "E\\|h - Qz\\|^2", "bound", "R2 from observations")
    tables = [
        table(("mixing", "regulariser", *head), [(*name.split("/")[1:], *scores(cases[name])) for name in mixed]),
        table(
            ("exponent of the law", "excess kurtosis", *(f"R2 of states, seed {seed}" for seed in SEEDS), "mean"),
            [(f"{alpha:g}", f"{kurtosis(alpha):.2f}", *sweep_cells(runs)) for alpha, runs in swept.items()],
        ),
        table(("size", *head), [(str(size), *scores(runs)) for size, runs in sizes.items()]),
    ]
    rows = ([*mixed], swept, sizes)
    tables = [one for one, filled in zip(tables, rows, strict=True) if filled]
    return Report(tables, [*mixing_targets(cases), *law_targets(swept), *bound_targets(results)])


def scores(runs: Mapping[str, RunResult]) -> tuple[str, ...]:
    """Return the cells of the first seed."""
    one = next(iter(runs.values())).values
    numbers = (one["r2_states"], one["r2_latents"], one["orthogonality"], one["bound"]["error"], one["bound"]["limit"])
    return (*(f"{number:.4f}" for number in numbers), f"{one['observations_r2']:.3f}")


def sweep_cells(runs: Mapping[str, RunResult]) -> tuple[str, ...]:
    found = [one.values["r2_states"] for one in runs.values()]
    return (*(f"{one:.4f}" for one in found), f"{np.mean(found):.4f}")


def kurtosis(alpha: float) -> float:
    """Return the excess kurtosis of the generalised normal law."""
    return exp(lgamma(5 / alpha) + lgamma(1 / alpha) - 2 * lgamma(3 / alpha)) - 3


def mixing_targets(cases: Mapping[str, Mapping[str, RunResult]]) -> list[Target]:
    """Return the target of each mixing with SIGReg."""
    return [
        at_least(f"identifiability, {name}, linear R2 of states", runs["0"].values["r2_states"], 0.99, "{:.4f}")
        for name in MIXINGS
        if (runs := cases.get(f"mixing/{name}/sigreg"))
    ]


def law_targets(swept: Mapping[float, Mapping[str, RunResult]]) -> list[Target]:
    """Return the target of the sweep: the exponent of the highest R2, by seed and on average."""
    if len(swept) < len(ALPHAS):
        return []
    found = {alpha: [one.values["r2_states"] for one in runs.values()] for alpha, runs in swept.items()}
    best = [max(found, key=lambda alpha: found[alpha][seed]) for seed in SEEDS]
    mean = max(found, key=lambda alpha: float(np.mean(found[alpha])))
    shown = f"{', '.join(f'{one:g}' for one in best)}; on average {mean:g}"
    verdict = met(all(one == 2.0 for one in (*best, mean)))
    return [Target("identifiability, exponent with the highest R2, by seed", "2, the Gaussian", shown, verdict)]


def bound_targets(results: Mapping[str, RunResult]) -> list[Target]:
    """Return the target of the bound over all Gaussian worlds."""
    rows = [one.values for one in results.values() if one.settings["alpha"] == 2.0]
    broken = sum(not one["holds"] for one in rows)
    ratio = max(one["bound"]["error"] / one["bound"]["limit"] for one in rows) if rows else 0.0
    shown = f"{broken} of {len(rows)}; largest error over bound {ratio:.2f}"
    return [
        Target("identifiability, runs of Gaussian worlds above the bound", "0", shown, met(bool(rows) and not broken))
    ]


def cases() -> dict[str, Settings]:
    found = {f"mixing/{name}/sigreg": Settings(name) for name in MIXINGS}
    white: dict[str, Any] = {"regulariser": "whitening", "weight": 0.5, "warmup": 0.0, "steps": 2500}
    found |= {f"mixing/{name}/whitening": Settings(name, **white) for name in MIXINGS}
    found |= {f"law/{alpha:g}": Settings(SWEPT, alpha=alpha, steps=1200, hidden=64) for alpha in ALPHAS}
    found |= {f"size/{size}": Settings("coupling", size, steps=1200) for size in SIZES}
    for rho in (0.3, 0.8):
        for weight in (0.001, 0.1):
            found[f"bound/{rho:g}/{weight:g}"] = Settings(
                "banana", rho=rho, weight=weight, warmup=0.0, steps=500, hidden=64
            )
    return found


STUDY = Study(
    name="identify",
    title="Linear identifiability in synthetic worlds",
    summary=(
        "An MLP sees a nonlinear mixing of independent states and learns from pairs of views (arXiv 2605.26379), with "
        "SIGReg or whitening; then linear maps between latents and 20,000 states, both ways. Fewer updates and a "
        "narrower MLP than published (20,000 updates, 4 x 256), 32 slices for 256, and a weight of SIGReg of 0.005 "
        "that rises from 0 over 80 % of the updates for a constant 0.001: the constant one shrinks latents to two "
        "thirds of the variance of the states, and bends them. Weight, width and updates were chosen with another seed "
        "of the training, in the same Gaussian worlds. The laws are of the mixing sinusoid, with 1,200 updates of an "
        "MLP 4 x 64. R2 rises beyond the exponent 2: light tails are fitted better than Gaussian ones here, where the "
        "weight of SIGReg is small against alignment; whether the published peak returns with the published training "
        "is not measured. Sizes have 1,200 updates and a plain MLP for the published 20,000 and an inverse of the "
        "mixing with free weights: from 4 on the loss is far from its minimum (the bound is large), so these numbers "
        "say nothing about the theorem."
    ),
    command="OMP_NUM_THREADS=1 uv run benchmarks/identify.py",
    cases=cases(),
    seeds=(0,),
    seeds_of={f"law/{alpha:g}": SEEDS for alpha in ALPHAS},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

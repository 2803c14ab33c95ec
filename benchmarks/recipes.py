"""Recipes that no other study trains, on real data that scripts/real_data.py makes.

A linear probe of the frozen encoder reads labels of held-out recordings, next to the untrained encoder of the same seed
and the raw values (frames of videos averaged to 16 x 16, or to 4 x 4 of each place).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import tacit as tc
from encoders import DENSE, JEPA
from tacit import studies
from tacit.probing import Features, RawInput
from tacit.probing.encoder import windows
from tacit.probing.probes import Dense, Linear
from tacit.studies import Report, Run, RunResult, Study
from tacit.studies.probe_scores import ProbeScores, baseline_verdicts, commands

ENCODERS = ("trained", "untrained", "raw")
Parts = tuple[Features, Features]
TARGETS: dict[str, dict[str, str]] = {
    "moving_mnist": {"smaller digit": "digits", "positions": "position"},
    "heart": {"heart rate": "heart_rate", "place in the beat": "cycle"},
    "vtest": {"people": "people"},
}
PROBES: dict[str, dict[str, Linear | Dense]] = {
    "moving_mnist": {"": Linear()},
    "heart": {", mean token": Linear(), ", all tokens": Linear(pool="flat")},
    "vtest": {", each token": Dense()},
}


@dataclass(frozen=True)
class Settings:
    """Recipe with its options, dataset and updates."""

    recipe: str
    dataset: str
    steps: int
    options: Mapping[str, Any] = field(default_factory=dict)
    probed: int = 10_000


SIGNALS = {
    "training.ema": [0.998, 0.998],
    **DENSE,
    "masking": {"name": "spans"},
    "model.frameskip": 40,
    "model.patch": 10,
    "training.batch_size": 32,
}
CASES = {
    "mc_jepa": Settings("mc_jepa", "moving_mnist", 1000, {"size": "nano", "training.batch_size": 32}),
    "ijepa_dense, signals": Settings("ijepa", "heart", 1500, {"size": "nano", **SIGNALS}),
    "vjepa2, street": Settings("vjepa2", "vtest", 1000, {**JEPA, **DENSE, "training.batch_size": 8}),
}


def read(dataset: str, parts: Parts) -> dict[str, Any]:
    """Return the score of each probe of each target."""
    found = {}
    for name, label in TARGETS[dataset].items():
        values = (part.target(label) for part in parts)
        values = (one[:, 0] if label == "digits" else one for one in values)
        fit, test = (replace(part, targets={name: one}) for part, one in zip(parts, values, strict=True))
        for way, probe in PROBES[dataset].items():
            found[name + way] = probe(fit, test, name).estimate
    return found


def features(run: Run[Settings], model: Any, train: tc.data.Episodes, test: tc.data.Episodes) -> dict[str, Parts]:
    """Return the features of windows of both parts, by encoder."""
    pools = {probe.pool for probe in PROBES[run.settings.dataset].values() if isinstance(probe, Linear)}
    if not pools:
        found = tc.probing.feature_sources(model, fit_on=train, test_on=test, tokens=True, frames=None, seed=run.seed)
        return {"trained": found.pop("model"), **found}
    untrained, raw = tc.probing.untrained_model(model, run.seed), RawInput(model.config, model.statistics)
    parts, length, probed = {}, windows(model, train).length, run.settings.probed
    encoders: tuple[Any, ...] = (model, untrained, raw)
    for name, one in zip(ENCODERS, encoders, strict=True):
        tokens = "flat" in pools and name != "raw"
        fit, held_out = (
            tc.probing.features(one, part, tokens=tokens, frames=count, length=length, seed=0)
            for part, count in ((train, probed), (test, probed // 2))
        )
        parts[name] = fit, held_out.without(fit)
    return parts


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    place = run.data / chosen.dataset
    trained = studies.train(
        chosen.recipe, chosen.options, place / "train", run.work / "run", steps=chosen.steps, seed=run.seed
    )
    model = tc.checkpoint.load_model(trained.models[chosen.steps], kind=tc.models.Model)
    train, test = (tc.data.open(place / part) for part in ("train", "test"))
    scores = {name: read(chosen.dataset, parts) for name, parts in features(run, model, train, test).items()}
    return {"command": trained.command, "scores": scores, "seconds": round(trained.seconds)}


def report(results: Mapping[str, RunResult]) -> Report:
    readings = [
        ProbeScores(name.rpartition("/")[0], target, *(run.values["scores"][kind][target] for kind in ENCODERS))
        for name, run in sorted(results.items())
        for target in run.values["scores"]["raw"]
    ]
    beaten, targets = baseline_verdicts(readings)
    return Report([beaten, commands(results)], targets)


STUDY = Study(
    name="recipes",
    title="Other recipes on real data",
    summary="A linear probe of the frozen encoder on held-out recordings: share of classes right, or R².",
    command="uv run benchmarks/recipes.py --data DATA",
    cases=CASES,
    seeds=(0, 1, 2),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

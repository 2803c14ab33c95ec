"""When training calls healthy and collapsing latents collapsed: `OMP_NUM_THREADS=1 uv run benchmarks/collapse.py`.

Trains every recipe twice on Two Rooms at 32 x 32 pixels, with small models and batches and one seed: as it is, and with
a known cause of collapse. The log says when the monitor complained and when training warned; a run that has warned is
stopped. A linear probe reads the position on held-out episodes from the last model. `tacit.training.monitor` takes its
waiting rule from these numbers.

Writes benchmarks/results/collapse.json after every run and goes on where it stopped.
"""

import argparse
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import tacit as tc
from planning_speed import cpu_name
from record import Record
from tacit._config import to_json
from tacit.probing.probes import Linear
from tacit.training import CollapseWarning, read_log

RESULTS = Path(__file__).parent / "results" / "collapse.json"
SETTINGS = {"episodes": 200, "length": 64, "side": 32, "seed": 0, "frames": 1000}
KINDS = ("healthy", "collapsing")
KEPT = ("effective_rank", "min_std", "motion", "sigreg_floor_ratio", "loss", "warning")


@dataclass(frozen=True)
class Case:
    """A recipe at a size for minutes.

    Attributes:
        steps: Updates.
        small: Options that make it small.
        cause: The cause of collapse, in words.
        broken: Options that bring it about.
    """

    steps: int
    small: Mapping[str, Any]
    cause: str = ""
    broken: Mapping[str, Any] | None = None


def terms(recipe: str, *names: str, weight: float = 1.0) -> dict[str, Any]:
    """Return the objective of a recipe with only the terms of these names, the regularisers times ``weight``."""
    held = {"vicreg": weight, "sigreg": weight}
    parts = [part for part in tc.recipes.load(recipe)().objective if part.name in names]
    return {"objective": [to_json(replace(part, weight=part.weight * held.get(part.name, 1.0))) for part in parts]}


def model(batch: int, **options: Any) -> dict[str, Any]:
    """Return options of a recipe for its batch and its model."""
    return {"training.batch_size": batch, **{f"model.{name}": value for name, value in options.items()}}


ALONE = "prediction alone, with gradients into its targets"
WEAK = "weights of the regularisers times 1e-4, no inverse dynamics"
FOLLOWS = "targets of the same weights (EMA decay 0), learning rate 1e-2"
FAST = {"training.ema": [0.0, 0.0], "training.lr": 1e-2}
BLOCKS = {"predictor_width": 48, "predictor_depth": 2}
VIT = {"width": 48, "depth": 3, "patch": 4}
MASKED = {"size": "nano", "probe_every": 0, **model(8, **VIT, **BLOCKS)}
FILM = {**MASKED, "clip": 4, "model.patch": 8}
ENCODER = {"width": 48, "depth": 3, "heads": 3}
CAUSAL = {"width": 48, "depth": 2, "heads": 3, "head_width": 16, "mlp_width": 192, "out_width": 256, "inner_norm": True}
LEWM = model(16, latent=48, projector_width=256, action_width=96, encoders={"pixels": ENCODER}, predictor=CAUSAL)
PYRAMID = model(8, widths=[16, 24, 32, 48], kernel=3, head_width=16, head_depth=2, expander=[256])
VIEWS = {"size": "nano", "local_views": 2, **model(16, **{**VIT, "patch": 8}, projector=[256])}
# SIGReg counts samples: its weight is that of the recipe for its batch of 256.
SCALED = terms("lejepa", "invariance", "sigreg", weight=256 / 16)
UNHELD = terms("vjepa2_ac", "prediction", "rollout")["objective"] + [{"name": "inverse_dynamics", "weight": 1e-6}]
CASES = {
    "general": Case(1000, model(32), ALONE, terms("general", "prediction")),
    "two_rooms": Case(1000, model(32), ALONE, terms("two_rooms", "prediction")),
    "two_rooms, lr 2e-4": Case(1000, {"training.lr": 2e-4, **model(32)}),
    "random_rooms": Case(600, model(16), WEAK, terms("random_rooms", "prediction", "sigreg", weight=1e-4)),
    "reacher": Case(600, model(16), WEAK, terms("reacher", "prediction", "vicreg", weight=1e-4)),
    "pldm": Case(800, {"size": "tiny", **model(16, latent=64)}, ALONE, terms("pldm", "prediction")),
    "lewm": Case(
        600, {"training.lr": 5e-4, "training.precision": "float32", **LEWM}, ALONE, terms("lewm", "prediction")
    ),
    "ijepa": Case(600, MASKED, "learning rate 1", {"training.lr": 1.0}),
    "vjepa": Case(400, FILM),
    "vjepa2": Case(400, FILM, FOLLOWS, FAST),
    "mae": Case(400, MASKED, "learning rate 1", {"training.lr": 1.0}),
    "lejepa": Case(400, {**VIEWS, **SCALED}, "no SIGReg", terms("lejepa", "invariance")),
    "vjepa2_ac": Case(
        300,
        {"clip": 4, **model(8, **BLOCKS)},
        "the encoder learns, with inverse dynamics of weight 1e-6",
        {"objective": UNHELD, "model.tune": "all"},
    ),
    "mc_jepa": Case(
        200,
        {"size": "nano", **PYRAMID},
        "no variance, no covariance",
        terms("mc_jepa", *tc.recipes.MCJEPA.MOTION[:4], "invariance"),
    ),
}
"""By recipe, and what is different about it; ``vjepa2_ac`` looks with the encoder of ``ijepa``."""


def train(name: str, kind: str, work: Path) -> dict[str, Any]:
    """Train once, and return what the monitor said and what a probe reads in the end."""
    case, seed, recipe = CASES[name], SETTINGS["seed"], name.partition(",")[0]
    method = tc.recipes.load(recipe)().with_options(options(name, kind, work))
    world = tc.envs.TwoRooms(20, "random" if recipe == "random_rooms" else "fixed", SETTINGS["side"])
    recorded = tc.collect(world, episodes=SETTINGS["episodes"], steps=SETTINGS["length"], seed=seed)
    fit_on, held_out = recorded.split(0.9, seed=seed)
    learner, place = method.build_model(fit_on.spec, seed), work / name / kind
    begin, warned = time.process_time(), None
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        try:
            method.train(learner, fit_on, seed=seed, to=place, steps=case.steps, resume=False)
        except CollapseWarning as warning:
            warned = int(str(warning).split("seen at step ")[1].split(":")[0])
    log = read_log(place)
    fit, test = (
        tc.probing.features(learner, part, frames=SETTINGS["frames"], seed=seed) for part in (fit_on, held_out)
    )
    return {
        "steps": case.steps,
        "cause": case.cause if kind == "collapsing" else "",
        "complaints": complaints(log),
        "warned_at": warned,
        "last": {key: value for key, value in log[-1].items() if key in KEPT},
        "probe_r2": round(Linear()(fit, test, "position", seed=seed).score, 3),
        "cpu_seconds": round(time.process_time() - begin, 1),
        "cpu": cpu_name(),
    }


def complaints(log: Sequence[Mapping[str, float | str]]) -> list[dict[str, Any]]:
    """Return each unbroken run of complaints: its first step, the step without one after it, and its first words."""
    found: list[dict[str, Any]] = []
    complained = False
    for row in log:
        if "warning" in row and not complained:
            found.append({"first": row["step"], "healthy_again": None, "words": row["warning"]})
        elif "warning" not in row and complained:
            found[-1]["healthy_again"] = row["step"]
        complained = "warning" in row
    return found


def options(name: str, kind: str, work: Path) -> dict[str, Any]:
    """Return the options of a run in place of the recipe's."""
    encoder = {"encoder": str(work / "ijepa" / "healthy")} if name == "vjepa2_ac" else {}
    broken = CASES[name].broken or {} if kind == "collapsing" else {}
    return {"training.threads": 1, "training.log_every": 10, **CASES[name].small, **encoder, **broken}


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="*", default=[*CASES], choices=CASES)
    parser.add_argument("--kinds", nargs="*", default=[*KINDS], choices=KINDS)
    parser.add_argument("--work", type=Path, default=Path("runs/collapse"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    record = Record(chosen.results, SETTINGS)
    for name in chosen.cases:
        for kind in chosen.kinds if CASES[name].broken else ("healthy",):
            how = {"steps": CASES[name].steps, "options": options(name, kind, Path("runs"))}
            kept = record.section("runs").get(f"{name}/{kind}", {})
            if {key: kept.get(key) for key in how} == how:
                continue
            found = train(name, kind, chosen.work)
            record.add("runs", f"{name}/{kind}", {**how, **found})
            print(name, kind, json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

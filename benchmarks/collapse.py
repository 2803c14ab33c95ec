"""Collapse warnings on healthy trainings and on ones with a known cause of collapse, with small models on Two Rooms.

A run that has warned is stopped. The waiting rule of `tacit.training.monitor` comes from these numbers.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import tacit as tc
from tacit import studies
from tacit._config import to_json
from tacit.probing.probes import Linear
from tacit.studies import Report, Run, RunResult, Study, table
from tacit.training import CollapseWarning, monitor, read_log
from tacit.training.log import complaints


@dataclass(frozen=True)
class Settings:
    """Recipe at a size for minutes.

    Attributes:
        recipe: Its name.
        steps: Updates.
        options: Options of the recipe.
        cause: The cause of collapse in words; empty for a healthy training.
    """

    recipe: str
    steps: int
    options: Mapping[str, Any]
    cause: str = ""
    episodes: int = 200
    length: int = 64
    side: int = 32
    frames: int = 1000


def terms(recipe: str, *names: str, weight: float = 1.0) -> dict[str, Any]:
    """Return the objective of a recipe with only the terms of these names, the regularisers times ``weight``."""
    scales = {"vicreg": weight, "sigreg": weight}
    parts = [part for part in tc.recipes.load(recipe)().objective if part.name in names]
    return {"objective": [to_json(replace(part, weight=part.weight * scales.get(part.name, 1.0))) for part in parts]}


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
VIDEO = {**MASKED, "clip": 4, "model.patch": 8}
ENCODER = {"width": 48, "depth": 3, "heads": 3}
CAUSAL = {"width": 48, "depth": 2, "heads": 3, "head_width": 16, "mlp_width": 192, "out_width": 256, "inner_norm": True}
LEWM = model(16, latent=48, projector_width=256, action_width=96, encoders={"pixels": ENCODER}, predictor=CAUSAL)
PYRAMID = model(8, widths=[16, 24, 32, 48], kernel=3, head_width=16, head_depth=2, expander=[256])
VIEWS = {"size": "nano", "local_views": 2, **model(16, **{**VIT, "patch": 8}, projector=[256])}
# SIGReg counts samples: its weight is that of the recipe for its batch of 256.
SCALED = terms("lejepa", "invariance", "sigreg", weight=256 / 16)
UNHELD = terms("vjepa2_ac", "prediction", "rollout")["objective"] + [{"name": "inverse_dynamics", "weight": 1e-6}]
PAIRS: dict[str, tuple[Any, ...]] = {
    "general": (1000, model(32), ALONE, terms("general", "prediction")),
    "two_rooms": (1000, model(32), ALONE, terms("two_rooms", "prediction")),
    "two_rooms, lr 2e-4": (1000, {"training.lr": 2e-4, **model(32)}),
    "random_rooms": (600, model(16), WEAK, terms("random_rooms", "prediction", "sigreg", weight=1e-4)),
    "reacher": (600, model(16), WEAK, terms("reacher", "prediction", "vicreg", weight=1e-4)),
    "pldm": (800, {"size": "tiny", **model(16, latent=64)}, ALONE, terms("pldm", "prediction")),
    "lewm": (600, {"training.lr": 5e-4, "training.precision": "float32", **LEWM}, ALONE, terms("lewm", "prediction")),
    "ijepa": (600, MASKED, "learning rate 1", {"training.lr": 1.0}),
    "vjepa": (400, VIDEO),
    "vjepa2": (400, VIDEO, FOLLOWS, FAST),
    "mae": (400, MASKED, "learning rate 1", {"training.lr": 1.0}),
    "lejepa": (400, {**VIEWS, **SCALED}, "no SIGReg", terms("lejepa", "invariance")),
    "vjepa2_ac": (
        300,
        {"clip": 4, **model(8, **BLOCKS)},
        "the encoder learns, with inverse dynamics of weight 1e-6",
        {"objective": UNHELD, "model.tune": "all"},
    ),
    "mc_jepa": (
        200,
        {"size": "nano", **PYRAMID},
        "no variance, no covariance",
        terms("mc_jepa", *tc.recipes.MCJEPA.MOTION[:4], "invariance"),
    ),
}
"""Updates, options of the healthy training, cause of collapse, and options of the collapsing training.

``vjepa2_ac`` has the encoder of ``ijepa``.
"""
CASES = {}
for name, (steps, small, *broken) in PAIRS.items():
    CASES[f"{name}/healthy"] = Settings(name.partition(",")[0], steps, small)
    if broken:
        CASES[f"{name}/collapsing"] = Settings(name, steps, {**small, **broken[1]}, broken[0])


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    own = {"training.threads": 1, "training.log_every": 10, **chosen.options}
    if chosen.recipe == "vjepa2_ac":  # its encoder is that of another run
        own["encoder"] = str(run.work.parents[1] / "ijepa" / "healthy" / "run")
    method = tc.recipes.load(chosen.recipe)().with_options(own)
    rooms = tc.envs.TwoRooms(20, "random" if chosen.recipe == "random_rooms" else "fixed", chosen.side)
    recorded = tc.collect(rooms, episodes=chosen.episodes, steps=chosen.length, seed=0)
    fit_on, held_out = recorded.split(0.9, seed=0)
    model, warned = method.build_model(fit_on.spec, 0), None
    with warnings.catch_warnings():
        warnings.simplefilter("error", CollapseWarning)
        try:
            method.train(model, fit_on, seed=0, to=run.work / "run", steps=chosen.steps, resume=False)
        except CollapseWarning as warning:
            warned = int(str(warning).split("seen at step ")[1].split(":")[0])
    log = read_log(run.work / "run")
    fit, test = (tc.probing.features(model, part, frames=chosen.frames, seed=0) for part in (fit_on, held_out))
    score = round(Linear()(fit, test, "position", seed=0).score, 3)
    return {
        "complaints": [vars(one) for one in complaints(log)],
        "warned_at": warned,
        "last": log[-1],
        "probe_r2": score,
    }


def step(number: int | None) -> str:
    return "never" if number is None else f"step {number}"


def healthy(run: RunResult | None, steps: int) -> tuple[str, ...]:
    if run is None:
        return "not measured", "", "", ""
    lasted = [(one["healthy_again"] or steps) - one["first"] for one in run.values["complaints"]]
    last = "complaint" if "warning" in run.values["last"] else "healthy"
    longest = f"{max(lasted)} steps" if lasted else "none"
    return longest, step(run.values["warned_at"]), last, f"{run.values['probe_r2']:.2f}"


def collapsing(run: RunResult | None) -> tuple[str, ...]:
    if run is None:
        return "not measured", "", "", ""
    first = next((one["first"] for one in run.values["complaints"]), None)
    return run.settings["cause"], step(first), step(run.values["warned_at"]), f"{run.values['probe_r2']:.2f}"


def report(results: Mapping[str, RunResult]) -> Report:
    rows = []
    for name, (steps, *_) in PAIRS.items():
        left, right = healthy(results.get(f"{name}/healthy"), steps), collapsing(results.get(f"{name}/collapsing"))
        rows.append((f"`{name}`", str(steps), *left, *right))
    header = ("recipe", "steps", "longest complaint", "warned at", "last step", "R²")
    return Report([table((*header, "cause of collapse", "first complaint", "warned at", "R²"), rows)])


STUDY = Study(
    name="collapse",
    title="Collapse",
    summary=(
        "Every recipe on 200 episodes of Two Rooms at 32 x 32 pixels, one seed: healthy (left) and with a cause of "
        "collapse (right). From step 100 on the monitor complains of latents that look collapsed; training warns "
        f"after {monitor.LASTING} steps and 1/{monitor.SHARE} of the run, or at the end. R²: linear probe of the "
        "position on held-out episodes. The encoder of `vjepa2_ac` is frozen on the left and not judged."
    ),
    command="uv run benchmarks/collapse.py",
    cases=CASES,
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

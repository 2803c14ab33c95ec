"""Probes of a physical quantity in frozen latents, with a check for collapse.

Skill and collapse belong together: a readout of a collapsed encoder can still look good on one quantity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tacit._registry import suggest
from tacit.errors import ConfigError, DataError
from tacit.models import Model
from tacit.probing.baselines import floors
from tacit.probing.features import Trainable, features, target_names
from tacit.probing.health import health
from tacit.probing.probes._readings import QuantityReading
from tacit.probing.probes.linear import Linear
from tacit.probing.probes.mlp import MLP

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["ProbeReport", "probe"]

COMPONENTS = 16
"""Most components that are listed."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ProbeReport:
    """Accuracy of a physical quantity read from frozen latents of held-out episodes.

    Attributes:
        target: The label, or the vector modality, that was read.
        r2: Share of the target's variance that the linear probe explains: the mean over the components that vary.
        r2_components: The same for each component; NaN where a component does not vary.
        pearson: Mean correlation of prediction and truth over the components that vary.
        pearson_components: Each of them.
        mlp_r2: As ``r2``, of a two-layer MLP: what is there, but not laid out linearly.
        mlp_pearson: As ``pearson``, of the MLP.
        effective_rank: Of the held-out latents; see :func:`tacit.training.effective_rank`.
        latent_size: ``D``, the most that the effective rank can be.
        min_std: Standard deviation of the latent component that varies least.
        straightness: Of held-out latents; see :func:`straightness`.
        alpha: Ridge penalty in use, chosen on fit episodes that were set aside.
        frames_fit: Frames that the probes were fitted on.
        frames_test: Held-out frames that they were scored on.
        seed: Of the frames and of the MLP.
        actual: ``[N, P]`` true values of the held-out frames.
        predicted: ``[N, P]`` what the linear probe reads.
        untrained_r2: As ``r2``, of the same model before training; NaN where it was not measured.
        raw_r2: As ``r2``, of the model's input, images averaged to fewer pixels; NaN where it was not measured.
    """

    target: str
    r2: float
    r2_components: tuple[float, ...]
    pearson: float
    pearson_components: tuple[float, ...]
    mlp_r2: float
    mlp_pearson: float
    effective_rank: float
    latent_size: int
    min_std: float
    straightness: float
    alpha: float
    frames_fit: int
    frames_test: int
    seed: int
    actual: Floats = field(repr=False)
    predicted: Floats = field(repr=False)
    untrained_r2: float = math.nan
    raw_r2: float = math.nan

    def __str__(self) -> str:
        components = ", ".join(f"{value:.3f}" for value in self.r2_components)
        rows = [f"{self.target} from {self.frames_test} held-out frames", f"  R2, linear probe   {self.r2:.4f}"]
        rows[1] += f"   components {components}" if 1 < len(self.r2_components) <= COMPONENTS else ""
        rows += [f"  R2, MLP probe      {self.mlp_r2:.4f}"]
        baselines = (("before training", self.untrained_r2), ("raw input", self.raw_r2))
        rows += [f"  R2, {name:<14} {value:.4f}" for name, value in baselines if not math.isnan(value)]
        rows += [f"  effective rank     {self.effective_rank:.1f} of {self.latent_size}"]
        return "\n".join(rows)


def probe(
    model: Trainable,
    *,
    fit_on: Episodes,
    test_on: Episodes,
    target: str = "position",
    frames: int = 8192,
    seed: int = 0,
    baselines: bool = True,
    progress: bool | None = None,
) -> ProbeReport:
    """Read the quantity ``target`` from frozen latents with a linear and an MLP probe.

    Both are fitted on frames of ``fit_on``, a fifth of whose episodes choose the ridge penalty and stop the
    MLP, and scored on frames of ``test_on``. Other probes, and classes: :mod:`tacit.probing.probes`.

    Args:
        model: The encoder, for example a world model; its weights do not change.
        fit_on: Episodes to fit the probes on, best those that the model was trained on.
        test_on: Held-out episodes.
        target: The name of a label, or of a vector modality.
        frames: The most frames to encode of each of the two.
        seed: Of the drawn frames and of the MLP.
        baselines: Read the target from the same model before training and from its input too.
        progress: Show progress bars; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if there is no such target, or it is a class.
        DataError: if an episode is in both, ``fit_on`` has fewer than two, or the label does not vary.
    """
    _check(fit_on, test_on, target)
    fit, test = (features(model, part, frames=frames, seed=seed, progress=progress) for part in (fit_on, test_on))
    linear = Linear()(fit, test, target, seed=seed)
    easy: dict[str, float] = {}
    if baselines and isinstance(model, Model):
        for name, baseline in floors(model, seed).items():
            known, new = (
                features(baseline, part, frames=frames, seed=seed, progress=progress) for part in (fit_on, test_on)
            )
            easy[f"{name}_r2"] = Linear()(known, new, target, seed=seed).score
    mlp = MLP(lrs=(3e-3,))(fit, test, target, seed=seed, device=model.device, progress=progress)
    if not isinstance(linear, QuantityReading) or not isinstance(mlp, QuantityReading):
        raise ConfigError(
            f"the label {target!r} holds whole numbers, which are classes; tacit.probing.beside_floors reads them. "
            "Store a quantity as floating-point numbers."
        )
    found = health(model, test_on, seen=test, seed=seed)
    return ProbeReport(
        target=target,
        r2=linear.r2,
        r2_components=linear.r2_components,
        pearson=linear.pearson,
        pearson_components=linear.pearson_components,
        mlp_r2=mlp.r2,
        mlp_pearson=mlp.pearson,
        effective_rank=found.effective_rank,
        latent_size=found.latent_size,
        min_std=found.min_std,
        straightness=found.straightness,
        alpha=linear.settings["l2"],
        frames_fit=len(fit),
        frames_test=len(test),
        seed=seed,
        actual=linear.actual.astype(np.float64),
        predicted=linear.predicted.astype(np.float64),
        **easy,
    )


def _check(fit_on: Episodes, test_on: Episodes, target: str) -> None:
    for name, episodes in (("fit_on", fit_on), ("test_on", test_on)):
        known = target_names(episodes)
        if target not in known:
            there = f"It has: {', '.join(known)}." if known else "It has none."
            raise ConfigError(f"{name} has no label or vector {target!r}.{suggest(target, known)} {there}")
    if len(fit_on) < 2:
        raise DataError(f"a probe needs two episodes to fit on, one to set aside; got {len(fit_on)}.")
    shared = test_on.shared(fit_on)
    if shared:
        raise DataError(
            f"{len(shared)} of {len(test_on)} test episodes are also fitted on, or pieces of a recording that is (the "
            f"first is number {shared[0]} of test_on), so the score would not be of held-out data. Split with "
            "episodes.split(0.9, seed=0). Copies in the recordings are left out by test_on.without(fit_on)."
        )

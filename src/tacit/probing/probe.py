"""Probes of a physical quantity in frozen latents, with a check for collapse.

Accuracy and collapse belong together: a probe of a collapsed encoder can still be accurate on one quantity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tacit._html import html_table
from tacit._registry import suggest
from tacit.errors import ConfigError, DataError
from tacit.models import Model
from tacit.probing.comparison import Comparison, compare
from tacit.probing.encoder import Trainable
from tacit.probing.feature_sources import feature_sources
from tacit.probing.features import features, target_names
from tacit.probing.health import Health, health
from tacit.probing.probes._results import ProbeResult, QuantityResult
from tacit.probing.probes.mlp import MLP

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["ProbeReport", "probe"]

COMPONENTS = 16
"""The largest number of components that are listed."""


@dataclass(frozen=True, eq=False)
class ProbeReport:
    """Accuracy of a physical quantity in frozen latents of held-out episodes, and the collapse of these latents.

    Attributes:
        comparison: The linear probe of the latents (``model``) and of the baselines.
        mlp: A two-layer MLP of the latents, for what they contain in nonlinear form.
        health: Collapse measures of the latents.

    Raises:
        ConfigError: if the target is a class.
    """

    comparison: Comparison
    mlp: ProbeResult
    health: Health

    def __post_init__(self) -> None:
        if not isinstance(self.comparison["model"], QuantityResult) or not isinstance(self.mlp, QuantityResult):
            raise ConfigError(
                f"the label {self.target!r} has whole numbers, which are classes; use tacit.probing.compare. Store a "
                "quantity as floating-point numbers."
            )

    @property
    def target(self) -> str:
        """Return the name of the label, or of the modality."""
        return self.comparison.target

    @property
    def linear(self) -> QuantityResult:
        """Return the result of the linear probe of the latents."""
        return _quantity(self.comparison["model"])

    @property
    def r2(self) -> float:
        """Return the share of the target's variance that the linear probe explains."""
        return self.linear.r2

    @property
    def mlp_r2(self) -> float:
        """Return the share of the target's variance that the MLP explains."""
        return self.mlp.score

    @property
    def mlp_pearson(self) -> float:
        """Return the mean correlation of the MLP's predictions and the truth."""
        return _quantity(self.mlp).pearson

    @property
    def baselines(self) -> dict[str, float]:
        """Return R2 of the linear probe on the ``untrained`` model and the ``raw`` input, where measured."""
        return {name: one.score for name, one in self.comparison.results.items() if name in ("untrained", "raw")}

    def __str__(self) -> str:
        components = ", ".join(f"{value:.3f}" for value in self.linear.r2_components)
        rows = [f"{self.target} from {self.linear.rows_test} held-out frames", f"  R2, linear probe   {self.r2:.4f}"]
        rows[1] += f"   components {components}" if 1 < len(self.linear.r2_components) <= COMPONENTS else ""
        rows += [f"  R2, MLP probe      {self.mlp_r2:.4f}"]
        names = {"untrained": "before training", "raw": "raw input"}
        rows += [f"  R2, {names[name]:<14} {value:.4f}" for name, value in self.baselines.items()]
        rows += [f"  effective rank     {self.health.effective_rank:.1f} of {self.health.latent_size}"]
        return "\n".join(rows)

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        health = self.health
        rows = [
            ("R², linear probe", f"{self.r2:.4f}"),
            ("R², MLP", f"{self.mlp_r2:.4f}"),
            *((f"R², linear probe of {name}", f"{value:.4f}") for name, value in self.baselines.items()),
            ("effective rank", f"{health.effective_rank:.1f} of {health.latent_size}"),
            ("smallest standard deviation", f"{health.min_std:.3g}"),
        ]
        return html_table(f"{self.target} from {self.linear.rows_test} held-out frames", ("measure", "value"), rows)


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
    """Predict the quantity ``target`` from frozen latents with a linear and an MLP probe.

    Both are fitted on frames of ``fit_on`` and scored on frames of ``test_on``. A fifth of the fitted episodes chooses
    the ridge penalty and the end of the MLP's training. For other probes and for classes: :func:`compare`.

    Args:
        model: The encoder, for example a world model; its weights do not change.
        fit_on: Episodes to fit the probes on, preferably the training episodes of the model.
        test_on: Held-out episodes.
        target: The name of a label, of a vector, or of a series of one sample a step.
        frames: The largest number of frames of each of the two.
        seed: Seed of the drawn frames and of the MLP.
        baselines: Also probe the same model before training, and its input.
        progress: Show progress bars; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if there is no such target, or it is a class.
        DataError: if an episode is in both, ``fit_on`` has fewer than two, or the label does not vary.
    """
    _check(fit_on, test_on, target)
    if baselines and isinstance(model, Model):
        sources = feature_sources(model, fit_on=fit_on, test_on=test_on, frames=frames, seed=seed, progress=progress)
    else:
        fit, test = (features(model, part, frames=frames, seed=seed, progress=progress) for part in (fit_on, test_on))
        sources = {"model": (fit, test)}
    comparison = compare(sources, target, seed=seed)
    fit, test = sources["model"]
    mlp = MLP(lrs=(3e-3,))(fit, test, target, seed=seed, device=model.device, progress=progress)
    return ProbeReport(comparison, mlp, health(model, test_on, encoded=test, seed=seed))


def _quantity(result: ProbeResult) -> QuantityResult:
    assert isinstance(result, QuantityResult), "checked when the report was made"
    return result


def _check(fit_on: Episodes, test_on: Episodes, target: str) -> None:
    for name, episodes in (("fit_on", fit_on), ("test_on", test_on)):
        known = target_names(episodes)
        if target not in known:
            there = f"It has: {', '.join(known)}." if known else "It has none."
            raise ConfigError(f"{name} has no label or vector {target!r}.{suggest(target, known)} {there}")
    if len(fit_on) < 2:
        raise DataError(f"a probe needs two episodes to fit on, one of them for validation; got {len(fit_on)}.")
    shared = test_on.shared(fit_on)
    if shared:
        raise DataError(
            f"{len(shared)} of {len(test_on)} test episodes are also fitted on, or pieces of a recording that is (the "
            f"first is number {shared[0]} of test_on), so the score would not be of held-out data. Split with "
            "episodes.split(0.9, seed=0). Copies in the recordings are left out by test_on.without(fit_on)."
        )

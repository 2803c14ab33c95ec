"""What recipes share that learn to see: windows, crops, masks, and sizes that fit the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit import masking
from tacit.augmentation import RandomResizedCrop
from tacit.data import Episodes
from tacit.models import Model
from tacit.models.masked import MaskedModel
from tacit.recipes._online import online_probe
from tacit.recipes._recipe import Part, Recipe
from tacit.training import Augmented, Masked, TrainingReport
from tacit.types import Spec, Transform

__all__ = ["MaskedRecipe", "PerceptionRecipe", "patch_for"]

PREDICTORS: dict[str, dict[str, int]] = {
    "nano": {"predictor_width": 48, "predictor_depth": 3, "predictor_heads": 3},
    "tiny": {"predictor_width": 96, "predictor_depth": 6, "predictor_heads": 3},
    "small": {"predictor_width": 192, "predictor_depth": 6, "predictor_heads": 6},
    "base": {"predictor_width": 384, "predictor_depth": 6, "predictor_heads": 12},
}
"""Predictors by size of the encoder; larger ones have that of the published models, 384 wide and 12 deep."""


def patch_for(spec: Spec, modality: str = "") -> int:
    """A patch that cuts what is seen into a few hundred tokens: the published 16 for pictures of 128 px and more."""
    name = modality or next((key for key, one in spec.modalities.items() if one.kind == "pixels"), "")
    if not name or spec.modalities[name].kind != "pixels":
        return 16
    shorter = min(spec.modalities[name].shape[1:])
    return 16 if shorter >= 128 else 8 if shorter >= 64 else 4


@dataclass(frozen=True)
class PerceptionRecipe(Recipe):
    """A method that learns to see, from recordings without actions or labels.

    Args:
        probe_every: Steps from one look of the online k-NN probe to the next, where recordings have classes; 0: never.
    """

    probe_every: int = 500

    def train(self, model: Model, episodes: Episodes, *, seed: int, to: str | Path, **options: Any) -> TrainingReport:
        """As :meth:`Recipe.train`, with the online probe."""
        watch = online_probe(model, episodes, self.probe_every)
        return super().train(model, episodes, seed=seed, to=to, **{"watch": watch, **options})


@dataclass(frozen=True)
class MaskedRecipe(PerceptionRecipe):
    """A method that predicts what a mask hides.

    Args:
        masking: How masks are drawn, by its name in :mod:`tacit.masking`, with options.
        crop: Range of the share of the picture that a random crop shows, resized to the model's size; empty: none.
        aspect: Range of its width over its height.
    """

    kind = MaskedModel
    model: Mapping[str, Any] = field(default_factory=dict)
    objective: tuple[Part, ...] = (Part("masked_prediction"),)
    clip: int = 1
    masking: Part = field(default_factory=lambda: Part("blocks"))
    crop: tuple[float, ...] = (0.3, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)

    def options(self, spec: Spec) -> dict[str, Any]:
        """As :meth:`Recipe.options`, with window, patch and predictor that fit data and size."""
        predictor = PREDICTORS.get(self.size, {**PREDICTORS["base"], "predictor_depth": 12})
        patch = patch_for(spec, str(self.model.get("modality", "")))
        return {"frames": self.clip, "patch": patch, **predictor, **self.model}

    def transforms(self, model: MaskedModel) -> tuple[Transform, ...]:
        """Crops of pictures, and masks."""
        masks = Masked(self.masking.build(masking.load), model.grid)
        camera = model.config.spec.modalities[model.config.modality].kind == "pixels"
        if not camera or not self.crop:
            return (masks,)
        height, width = model.config.extent[-2:]
        crop = RandomResizedCrop((height, width), (self.crop[0], self.crop[1]), self.aspect)
        return (Augmented(crop, model.config.modality), masks)

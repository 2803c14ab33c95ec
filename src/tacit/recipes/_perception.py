"""Base classes of perception recipes: windows, crops, masks, and sizes that fit the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit import masking as drawn
from tacit.augmentation import Augmentation, Chain, Flip, RandomResizedCrop, Resize
from tacit.data import Clips, Episodes
from tacit.models import Model
from tacit.models._input import default_modality
from tacit.models.masked import MaskedModel, MaskedModelConfig
from tacit.recipes._online import online_probe
from tacit.recipes._recipe import Part, Recipe
from tacit.training import Augment, DrawMasks, TrainingReport
from tacit.types import Spec, Transform

__all__ = ["MaskedRecipe", "PerceptionRecipe", "patch_for", "window_of"]

PREDICTORS: dict[str, dict[str, int]] = {
    "nano": {"predictor_width": 48, "predictor_depth": 3, "predictor_heads": 3},
    "tiny": {"predictor_width": 96, "predictor_depth": 6, "predictor_heads": 3},
    "small": {"predictor_width": 192, "predictor_depth": 6, "predictor_heads": 6},
    "base": {"predictor_width": 384, "predictor_depth": 6, "predictor_heads": 12},
}
"""Predictors by size of the encoder; larger ones have that of the published models, 384 wide and 12 deep."""

SECONDS, TOKENS, FEWEST_TOKENS = 4.0, 64, 16
"""The window of a series or a vector, the most tokens that it is cut into, and the fewest samples that it has."""


def patch_for(spec: Spec, modality: str = "") -> int:
    """Return a patch that cuts the input into a few hundred tokens.

    It is the published 16 for images of 128 px and more.
    """
    seen = spec.modalities[default_modality(spec, modality)]
    if seen.kind != "pixels":
        return 16
    shorter = min(seen.shape[1:])
    return 16 if shorter >= 128 else 8 if shorter >= 64 else 4


@dataclass(frozen=True)
class PerceptionRecipe(Recipe):
    """A method that trains an encoder on recordings without actions or labels.

    Args:
        probe_every: Steps from one online k-NN probe to the next, where recordings have classes; 0: never.
    """

    probe_every: int = 500

    def train(self, model: Model, episodes: Episodes, *, seed: int, to: str | Path, **options: Any) -> TrainingReport:
        """Train as :meth:`Recipe.train`, with the online probe."""
        probe = online_probe(model, episodes, self.probe_every)
        hooks = [*([] if probe is None else [probe]), *options.pop("hooks", ())]
        return super().train(model, episodes, seed=seed, to=to, hooks=hooks, **options)


def window_of(spec: Spec, modality: str, frames: int = 0, frameskip: int = 0) -> dict[str, int]:
    """Return the options of a window of numbers, about four seconds, and of its patch.

    The patch cuts it into 32 to 64 tokens where it is long enough.

    Args:
        spec: Spec of the data.
        modality: A series or a vector.
        frames: Observations in the window, where they are given.
        frameskip: Steps from one to the next, where they are given.
    """
    a_second = spec.modalities[modality].rate or spec.fps
    steps = math.ceil(max(SECONDS, FEWEST_TOKENS / a_second) * spec.fps)
    if spec.modalities[modality].kind == "vector":
        frameskip = frameskip or 1
        frames = frames or max(math.ceil(steps / frameskip), FEWEST_TOKENS)
        samples = frames
    else:
        frames = frames or 1
        frameskip = frameskip or math.ceil(steps / frames)
        samples = frames * spec.samples(modality, frameskip)
    least = math.ceil(samples / TOKENS)
    whole = (patch for patch in range(least, 2 * samples // TOKENS + 1) if samples % patch == 0)
    return {"frames": frames, "frameskip": frameskip, "patch": next(whole, least)}


@dataclass(frozen=True)
class MaskedRecipe(PerceptionRecipe):
    """A method that predicts the masked parts of its input.

    Where the input is a series or a vector, not images, the window is one of about four seconds in 32 to 64
    patches, and spans are hidden; ``clip``, ``masking`` and the options of the model replace that.

    Args:
        masking: How masks are drawn, by its name in :mod:`tacit.masking`, with options.
        crop: Range of the share of the image that a random crop shows, resized to the model's size; empty: none.
        aspect: Range of its width over its height.
        flip: Probability that left and right are exchanged; turn it off where directions mean something.
    """

    kind = MaskedModel
    model: Mapping[str, Any] = field(default_factory=dict)
    objective: tuple[Part, ...] = (Part("masked_prediction"),)
    clip: int = 1
    masking: Part = field(default_factory=lambda: Part("blocks"))
    crop: tuple[float, ...] = (0.3, 1.0)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.0

    def options(self, spec: Spec) -> dict[str, Any]:
        """Return options as :meth:`Recipe.options`, with window, patch and predictor that fit data and size."""
        predictor = PREDICTORS.get(self.size, {**PREDICTORS["base"], "predictor_depth": 12})
        modality = default_modality(spec, str(self.model.get("modality", "")))
        if spec.modalities[modality].kind == "pixels":
            return {"frames": self.clip, "patch": patch_for(spec, modality), **predictor, **self.model}
        usual = type(self)()
        given = {key: value for key, value in self.model.items() if (key, value) not in usual.model.items()}
        if self.clip != usual.clip:
            given = {"frames": self.clip, **given}
        window = window_of(spec, modality, **{key: given[key] for key in ("frames", "frameskip") if key in given})
        return {**predictor, **self.model, **window, **given}

    def clips(self, episodes: Episodes, model: Model) -> Clips:
        """Return clips as :meth:`Recipe.clips`, as long as the model's windows."""
        length = model.config.frames if isinstance(model, MaskedModel) else self.clip
        return episodes.clips(length, model.frameskip, tuple(model.normalizers))

    def transforms(self, model: MaskedModel) -> tuple[Transform, ...]:
        """Return the augmentations of images, and the masks."""
        config = model.config
        camera = config.spec.modalities[config.modality].kind == "pixels"
        masking = self.masking if camera or self.masking != type(self)().masking else Part("spans")
        masks = DrawMasks(masking.build(drawn.load), model.grid)
        changes = self._changes(config) if camera else ()
        if not changes:
            return (masks,)
        return (Augment(changes[0] if len(changes) == 1 else Chain(changes), config.modality), masks)

    def _changes(self, config: MaskedModelConfig) -> tuple[Augmentation, ...]:
        """Return the augmentations of images. They are a crop, or the size that the model is made for, and a flip."""
        changes: list[Augmentation] = []
        height, width = config.extent[-2:]
        if self.crop:
            changes.append(RandomResizedCrop((height, width), (self.crop[0], self.crop[1]), self.aspect))
        elif (height, width) != config.spec.modalities[config.modality].shape[1:]:
            changes.append(Resize((height, width)))
        if self.flip:
            changes.append(Flip(self.flip))
        return tuple(changes)

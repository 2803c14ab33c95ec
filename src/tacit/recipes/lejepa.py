"""LeJEPA (arXiv 2511.08544): similar embeddings of an image's views, kept from collapse by SIGReg alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tacit.augmentation import lejepa
from tacit.models.joint_embedding import JointEmbedding
from tacit.recipes._perception import PerceptionRecipe, patch_for
from tacit.recipes._recipe import Part
from tacit.training import MakeViews, TrainingConfig
from tacit.types import Spec, Transform

__all__ = ["LeJEPA"]


@dataclass(frozen=True)
class LeJEPA(PerceptionRecipe):
    """LeJEPA with the weights, views and schedules of its authors.

    It has no target copy, no stop of gradients and no predictor.

    Each view is predicted by the mean of the global ones, with weight 0.95, and every view's embeddings are an
    isotropic Gaussian, with weight 0.05, along 1024 directions drawn again at each step. AdamW, 5e-4, a cosine to a
    thousandth. The distance is a mean over channels, as in their minimal example; as a sum it would weigh as many times
    more.

    Args:
        global_views: Views of 30 to 100 % of an image, as large as the model's images.
        local_views: Views of 5 to 30 % of it.
        local_share: Side of a local view, as a share of that of a global one; rounded to whole patches.
    """

    kind = JointEmbedding
    model: Mapping[str, Any] = field(default_factory=dict)
    objective: tuple[Part, ...] = (Part("invariance", weight=0.95), Part("sigreg", {"slices": 1024}, 0.05))
    clip: int = 1
    steps: int = 10_000
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            batch_size=256, lr=5e-4, lr_end=1e-3, weight_decay=5e-2, warmup=0.1, clip_norm=None
        )
    )
    global_views: int = 2
    local_views: int = 6
    local_share: float = 0.45

    def options(self, spec: Spec) -> dict[str, Any]:
        """Return options as :meth:`Recipe.options`, with a patch that fits the data."""
        return {"patch": patch_for(spec, str(self.model.get("modality", ""))), **self.model}

    def transforms(self, model: JointEmbedding) -> tuple[Transform, ...]:
        """Return the transform to global and local views."""
        patch = model.config.patch
        height, width = (cells * patch for cells in model.encoder.grid)
        local = [max(round(side * self.local_share / patch), 1) * patch for side in (height, width)]
        crops = lejepa((height, width), (local[0], local[1]), (self.global_views, self.local_views))
        return (MakeViews(crops, model.config.modality),)

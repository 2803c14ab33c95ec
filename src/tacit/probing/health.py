"""Collapse of latents, measured on held-out episodes without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch

from tacit.diagnostics import latent_statistics, straightness
from tacit.errors import DataError
from tacit.models import Model
from tacit.probing.encoder import Trainable, draw_clips, frozen, windows
from tacit.probing.features import Features, features
from tacit.probing.lazy_rows import pooled

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["Health", "health"]


@dataclass(frozen=True)
class Health:
    """Collapse measures of held-out latents, without labels.

    Attributes:
        effective_rank: See :func:`tacit.diagnostics.effective_rank`.
        latent_size: ``D``, the largest possible effective rank.
        min_std: Standard deviation of the latent component that varies least.
        straightness: See :func:`tacit.diagnostics.straightness`; NaN if no episode has three observations,
            or a latent encodes several.
        frames: Number of encoded frames.
    """

    effective_rank: float
    latent_size: int
    min_std: float
    straightness: float
    frames: int


def health(
    model: Trainable,
    held_out: Episodes,
    *,
    frames: int = 8192,
    seed: int = 0,
    encoded: Features | None = None,
    progress: bool | None = None,
) -> Health:
    """Measure the collapse of the latents of held-out episodes.

    Args:
        model: The encoder.
        held_out: Episodes that it was not trained on.
        frames: The largest number of frames to encode.
        seed: Seed of the drawn frames.
        encoded: The features of ``held_out``, if they are already computed.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        DataError: if a latent is not finite or no episode is long enough.
    """
    test = features(model, held_out, frames=frames, seed=seed, progress=progress) if encoded is None else encoded
    latents = pooled(test.values, torch.float64, torch.device("cpu"))
    statistics = latent_statistics(latents[:, None])
    return Health(
        effective_rank=statistics.effective_rank,
        latent_size=latents.shape[1],
        min_std=statistics.min_std,
        straightness=_straightness(model, held_out, seed),
        frames=len(latents),
    )


def _straightness(model: Trainable, episodes: Episodes, seed: int) -> float:
    """Measure straightness over sampled windows of three observations.

    NaN if no episode is so long, or a latent encodes several observations.
    """
    if windows(model, episodes).length > 1:
        return float("nan")
    try:
        three = episodes.clips(3, model.config.frameskip, model.config.inputs)
    except DataError:  # too short, including the samples before the first observation
        return float("nan")
    clip = next(draw_clips(three, 256, seed))
    with frozen(cast("Model", model)):
        latents = model.encode({name: value.flatten(0, 1) for name, value in clip.observation.items()})
    return straightness(latents.float().cpu().reshape(-1, 3, latents.shape[-1]))

"""What models make of a clip, for objectives to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


__all__ = ["Completion", "Forecast", "Motion", "Views"]


@dataclass(frozen=True)
class Forecast:
    """What a world model makes of a clip; all that objectives read.

    Attributes:
        latents: ``[B, T, D]`` from the context encoder.
        targets: ``[B, T, D]`` from the target encoder (the same tensor where it is shared).
        actions: ``[B, T - 1, A']`` action blocks in the model's normalised units.
        predictions: ``predictions[k - 1]`` is ``[B, N_k, D]``, predicted ``k`` steps ahead from
            observations ``0 .. N_k - 1``, so that entry ``i`` is to match ``targets[:, i + k]``.
    """

    latents: Tensor
    targets: Tensor
    actions: Tensor
    predictions: tuple[Tensor, ...]


@dataclass(frozen=True)
class Completion:
    """What a masked model makes of a clip; all that masked objectives read.

    Attributes:
        latents: ``[B, N, D]`` of the visible tokens of the first mask, from the context encoder.
        predictions: ``[B, M, D']`` for each target block of each mask.
        targets: The same shapes: what was there.
        visible: Where asked for, ``[B, K, D']`` predicted for the visible tokens of each mask, else empty.
        visible_targets: The same shapes: what was there.
        distances: ``[B, K]`` for each of them, from the visible token to the nearest masked one, in tokens.
    """

    latents: Tensor
    predictions: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    visible: tuple[Tensor, ...] = ()
    visible_targets: tuple[Tensor, ...] = ()
    distances: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Views:
    """What a joint embedding makes of augmented views; all that objectives over views read.

    Attributes:
        latents: ``[B, V, D]``, one latent for each view of each item.
        whole: How many of the views, the first ones, are global: they show most of a picture.
    """

    latents: Tensor
    whole: int


@dataclass(frozen=True)
class Motion:
    """What a model of motion and content makes of pairs of pictures; all that objectives over motion read.

    A flow holds a vector ``(x right, y down)`` for each place of one picture of a pair: where it was, or will be, in
    the other. Direction 0 looks from the second picture back to the first, direction 1 the other way round; ``R``
    directions were asked for, 0 to 2. Levels run from the coarsest to the finest.

    Attributes:
        latents: ``[B, V, D]``, one latent for each view of each item.
        whole: How many of the views, the first ones, are global.
        pictures: ``[B, 2, C, H, W]`` pictures of the pairs, grey levels from 0 to 1; empty with ``R = 0``.
        features: ``[B, 2, C', h, w]`` for each level; none with ``R = 0``.
        flows: ``[B, R, 2, h, w]`` for each level, in places of that level.
        flow: ``[B, R, 2, H, W]``, the finest of them at full size, in pixels.
    """

    latents: Tensor
    whole: int
    pictures: Tensor
    features: tuple[Tensor, ...]
    flows: tuple[Tensor, ...]
    flow: Tensor

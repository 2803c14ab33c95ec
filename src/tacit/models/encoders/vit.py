"""Vision transformer with a class token as an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from tacit.models.encoders._encoder import EncoderConfig
from tacit.nn.encoders import Encoder
from tacit.nn.vit import VisionTransformer
from tacit.types import Modality

__all__ = ["ViT"]

LARGE = 112
"""Longer side, in pixels, above which images get patches of 14 px."""


@dataclass(frozen=True)
class ViT(EncoderConfig):
    """Vision transformer whose class token is the output; by default the sizes of LeWorldModel's ViT-Tiny.

    Args:
        patch: Side of a patch in pixels; a rest of the image that is smaller is cut off.
        width: Size of a token, and of the output.
        depth: Blocks.
        heads: Attention heads.
    """

    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "tiny": {"width": 48, "depth": 4},
        "small": {"width": 96, "depth": 6},
    }
    patch: int = 8
    width: int = 192
    depth: int = 12
    heads: int = 3

    @classmethod
    def usual(cls, size: str, modality: Modality) -> Mapping[str, Any]:
        """Return the options of a size, with the published patches of 14 px for large images."""
        large = max(modality.shape[1:]) > LARGE
        return {**cls.sizes.get(size, {}), "patch": 14 if large else 8}

    def build(self, shape: tuple[int, ...]) -> PooledVisionTransformer:
        """Return a new encoder; see :meth:`EncoderConfig.build`."""
        return PooledVisionTransformer(self, shape)


class PooledVisionTransformer(VisionTransformer, Encoder):
    """Network of :class:`ViT`: a vision transformer that returns the class token alone."""

    def __init__(self, config: ViT, shape: tuple[int, ...]) -> None:
        channels, *size = shape
        patch = (config.patch, config.patch)
        super().__init__(
            channels,
            tuple(size),
            patch,
            width=config.width,
            depth=config.depth,
            heads=config.heads,
            cls=True,
            norm_eps=1e-12,
        )
        self.features = config.width

    def forward(self, x: Tensor, mean: Tensor, std: Tensor, keep: Tensor | None = None) -> Tensor:
        """Encode to ``[B, width]``; see :meth:`VisionTransformer.forward`."""
        out: Tensor = self.norm(self._features(x, mean, std, keep)[:, 0])
        return out

    def _draw(self) -> None:
        """Keep the layers as PyTorch draws them."""

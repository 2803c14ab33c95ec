"""Strided convolutions as an encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.models.encoders._encoder import EncoderConfig
from tacit.nn.encoders import Encoder, patch_embed
from tacit.nn.linear import Linear

__all__ = ["Conv"]


@dataclass(frozen=True)
class Conv(EncoderConfig):
    """Strided convolutions over space (pixels) or time (a series), then one linear layer.

    The first convolution cuts the input into patches and carries the normalisation in its weights, so that bytes become
    features in one pass; each further one halves the input until four cells per axis are left.

    Args:
        width: Channels after the first convolution; doubled at each halving up to 64.
        features: Size of the output.
        patch: Kernel and stride of the first convolution.
    """

    kinds: ClassVar[tuple[str, ...]] = ("pixels", "series")
    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"width": 32, "features": 512},
        "base": {"width": 192},
    }
    width: int = 16
    features: int = 256
    patch: int = 4

    def build(self, shape: tuple[int, ...]) -> ConvEncoder:
        """Return a new encoder; see :meth:`EncoderConfig.build`."""
        return ConvEncoder(self, shape)


class ConvEncoder(Encoder):
    """Network of :class:`Conv`."""

    def __init__(self, config: Conv, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.features = config.features
        channels, *size = shape
        width = config.width
        kind = nn.Conv2d if len(size) == 2 else nn.Conv1d
        patch = min(config.patch, *size)
        self.stem = kind(channels, width, patch, patch)
        cells = [extent // patch for extent in size]
        stages, out = [], width
        while max(cells) > 4:
            wider = min(2 * out, max(width, 64))
            stages.append(kind(out, wider, 3, 2, 1))
            cells, out = [(extent + 1) // 2 for extent in cells], wider
        self.stages = nn.ModuleList(stages)
        count = out
        for extent in cells:
            count *= extent
        self.out = Linear(count, config.features)
        if len(size) == 2:
            for module in (self.stem, *stages):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Encode ``[N, C, *size]`` of any number type, with ``[C]`` statistics, to ``[N, features]``."""
        x = F.gelu(patch_embed(self.stem, x, mean, std))
        for stage in self.stages:
            x = F.gelu(stage(x))
        return F.gelu(self.out(x.flatten(1)))

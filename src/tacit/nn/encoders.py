"""Encoders of one modality: observations to a feature vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.nn.linear import Linear
from tacit.nn.mlp import MLP

__all__ = ["ConvEncoder", "Normalizer", "VectorEncoder"]


class Normalizer(nn.Module):
    """Mean and standard deviation of each component of a modality, held as buffers.

    Args:
        size: Components.
        mean: The mean before :meth:`fit`.
        std: The standard deviation before :meth:`fit`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((size,), mean))
        self.register_buffer("std", torch.full((size,), std))

    def fit(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Set the statistics of the training data."""
        self.mean.copy_(torch.as_tensor(mean))
        self.std.copy_(torch.as_tensor(std))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[..., components]`` to zero mean and unit variance.

        The last axis may hold several repeats of the components, as in an action block.
        """
        repeats = x.shape[-1] // len(self.mean)
        return (x - self.mean.repeat(repeats)) / self.std.repeat(repeats)


class ConvEncoder(nn.Module):
    """Strided convolutions over space (pixels) or time (a series), then one linear layer.

    The first convolution cuts the input into patches and carries the normalisation in its weights, so that bytes become
    features in one pass; each further one halves the input until four cells per axis are left.

    Args:
        channels: Channels ``C``.
        size: Extent of the axes to convolve: ``(H, W)`` or ``(R,)``.
        width: Channels after the first convolution; doubled at each halving up to 64.
        features: Size of the output.
        patch: Kernel and stride of the first convolution.
    """

    def __init__(self, channels: int, size: tuple[int, ...], width: int, features: int, patch: int = 4) -> None:
        super().__init__()
        kind = nn.Conv2d if len(size) == 2 else nn.Conv1d
        patch = min(patch, *size)
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
        self.out = Linear(count, features)
        if len(size) == 2:
            for module in (self.stem, *stages):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Encode ``[N, C, *size]`` of any number type, with ``[C]`` statistics, to ``[N, features]``."""
        x = F.gelu(patch_embed(self.stem, x, mean, std))
        for stage in self.stages:
            x = F.gelu(stage(x))
        return F.gelu(self.out(x.flatten(1)))


class VectorEncoder(nn.Module):
    """MLP on a normalised vector.

    Args:
        size: Components of the vector.
        width: Width of the hidden layer; 0 returns the normalised vector.
        features: Size of the output.
    """

    def __init__(self, size: int, width: int, features: int) -> None:
        super().__init__()
        self.net = MLP(size, (width,), features) if width else None

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Encode ``[N, size]`` with its statistics ``[size]`` to ``[N, features]``."""
        x = (x - mean) / std
        return x if self.net is None else F.gelu(self.net(x))


def patch_embed(conv: nn.Conv1d | nn.Conv2d, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Compute ``conv((x - mean) / std)`` for a convolution without padding.

    Args:
        conv: The convolution, its stride equal to its kernel.
        x: ``[N, C, *size]``, raw values.
        mean: ``[C]`` in units of ``x``.
        std: ``[C]``.
    """
    if x.ndim == 3:
        return F.conv1d(standardised(x, mean, std).to(conv.weight.dtype), conv.weight, conv.bias, conv.stride)
    weight, bias = folded(conv, mean, std)
    x = x.to(weight.dtype, memory_format=torch.channels_last)
    return F.conv2d(x, weight, bias, conv.stride)


def folded(conv: nn.modules.conv._ConvNd, mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight and bias of a convolution on raw pixels equal to ``conv((x - mean) / std)``.

    The folded normalisation saves a copy of the images.
    """
    scale = (1.0 / std).view(-1, *[1] * (conv.weight.ndim - 2))
    weight = conv.weight * scale
    shift = (weight * mean.view_as(scale)).flatten(1).sum(1)
    return weight, -shift if conv.bias is None else conv.bias - shift


def standardised(x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Standardise ``[N, C, R]`` by its ``[C]`` statistics, before any computation in lower precision.

    Pixels are small integers, which bf16 represents exactly. A signal may have a mean of a thousand standard
    deviations: rounded in raw units to bf16 or TF32, it would be constant.
    """
    return (x - mean[:, None]) / std[:, None]

"""Base classes of encoders, and the normalisation of their input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["Encoder", "ImageEncoder", "Normalizer"]


class Normalizer(nn.Module):
    """Mean and standard deviation of each component of a modality, held as buffers.

    Args:
        size: Components.
        mean: The mean before :meth:`set_statistics`.
        std: The standard deviation before :meth:`set_statistics`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, size: int, mean: float = 0.0, std: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((size,), mean))
        self.register_buffer("std", torch.full((size,), std))

    def set_statistics(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Set the statistics of the training data."""
        self.mean.copy_(torch.as_tensor(mean))
        self.std.copy_(torch.as_tensor(std))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``[..., components]`` to zero mean and unit variance.

        The last axis may hold several repeats of the components, as in an action block.
        """
        repeats = x.shape[-1] // len(self.mean)
        return (x - self.mean.repeat(repeats)) / self.std.repeat(repeats)


class Encoder(nn.Module):
    """Base class of encoders of one modality.

    Attributes:
        features: Size ``F`` of the output.
    """

    features: int

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Encode raw values to features.

        Args:
            x: ``[N, C, H, W]`` of any number type, ``[N, C, R]`` or ``[N, D]``.
            mean: ``[C]`` or ``[D]`` in units of ``x``.
            std: The same shape.

        Returns:
            ``[N, F]``.
        """
        raise NotImplementedError


class ImageEncoder(nn.Module):
    """Base class of encoders of a perception model, for world models that use their tokens."""

    @property
    def trunk(self) -> nn.Module:
        """Return the module with the blocks, whose linear layers can get low-rank additions."""
        raise NotImplementedError

    def last_blocks(self, count: int) -> list[nn.Module]:
        """Return the last blocks, with the layers after them."""
        raise NotImplementedError

    def image_tokens(self, images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Encode single images ``[N, C, H, W]`` to tokens ``[N, n, D]``, without a class token."""
        raise NotImplementedError


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

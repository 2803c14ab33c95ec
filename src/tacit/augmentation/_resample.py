"""Separable resampling: new pixels as weighted sums of old ones, columns first and then lines."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Interpolation", "Taps", "resized_crop", "separable"]

Interpolation: TypeAlias = Literal["bilinear", "bicubic"]
REACH = {"bilinear": 1, "bicubic": 2}  # old pixels that a filter spans in each direction


@dataclass(frozen=True)
class Taps:
    """Old pixels ``[N, out, K]`` that each new pixel along an axis sums, and their weights."""

    index: Tensor
    weight: Tensor


def resized_crop(videos: Tensor, boxes: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    """Crop and resize videos with an antialiased filter that reads nothing outside of the crop.

    Args:
        videos: ``[B, T, C, H, W]`` float32.
        boxes: ``[B, V, 4]`` integers on the CPU: top, left, height and width of V crops of each video.
        size: Height and width of the results.
        interpolation: The filter; as it widens with the reduction, no pixel of a crop is skipped.

    Returns:
        ``[B, V, T, C, *size]``, values clipped to 0 to 255, which bicubic weights may exceed.
    """
    largest = boxes[..., 2:].amax((0, 1)).tolist()
    spans = [ceil(2 * REACH[interpolation] * max(old / new, 1)) for old, new in zip(largest, size, strict=True)]
    top, left, height, width = boxes.flatten(0, 1).to(videos).unbind(-1)
    rows = _taps(top, height, size[0], spans[0], interpolation)
    columns = _taps(left, width, size[1], spans[1], interpolation)
    crops = separable(videos, rows, columns)
    return crops.clamp_(0, 255) if interpolation == "bicubic" else crops


def separable(videos: Tensor, rows: Taps, columns: Taps) -> Tensor:
    """Compute videos whose frames are weighted sums of lines, and then of columns.

    Args:
        videos: ``[B, T, C, H, W]``.
        rows: Lines that each of the h new lines sums, for V views of each video: ``[B V, h, K]``.
        columns: Columns that each of the w new columns sums: ``[B V, w, K]``.

    Returns:
        ``[B, V, T, C, h, w]``.
    """
    batch, time, channels, height, width = videos.shape
    many, out = rows.index.shape[:2]
    planes = time * channels  # side by side, for frames and channels to share one sum
    lines = videos.reshape(batch, planes, height, width).transpose(1, 2)
    lines = _sums(lines, Taps(*(part.reshape(batch, -1, part.shape[-1]) for part in (rows.index, rows.weight))))
    lines = _sums(lines.reshape(many, out, planes, width).transpose(1, 3), columns)
    new = lines.view(many, -1, planes, out).permute(0, 2, 3, 1).contiguous()
    return new.view(batch, many // batch, time, channels, out, -1)


def _sums(pixels: Tensor, taps: Taps) -> Tensor:
    """Compute weighted sums along the second axis: ``[N, L, ...]`` to ``[N, out, the rest in one]``.

    ``embedding_bag`` is the one operator that reads its few lines and writes their sum in a single pass.
    """
    count, length = pixels.shape[:2]
    first = torch.arange(0, count * length, length, device=pixels.device)[:, None, None]
    span = taps.index.shape[-1]
    table = pixels.reshape(count * length, -1)
    index, weight = (taps.index + first).view(-1, span), taps.weight.reshape(-1, span)
    return F.embedding_bag(index, table, mode="sum", per_sample_weights=weight).view(count, -1, table.shape[1])


def _taps(start: Tensor, length: Tensor, out: int, span: int, interpolation: Interpolation) -> Taps:
    """Compute the taps of ``out`` new pixels on the ``length [N]`` old ones from ``start [N]``.

    Pixels are unit squares, sampled at their centre. The filter is stretched by the reduction, if any, cut off at the
    ends and normalised.
    """
    start, length = start[:, None, None], length[:, None, None]
    scale = length / out
    stretch = scale.clamp(min=1)
    middle = (torch.arange(out, device=start.device)[:, None] + 0.5) * scale
    first = (middle - REACH[interpolation] * stretch + 0.5).floor()
    place = first + torch.arange(span, device=start.device)
    distance = (place + 0.5 - middle).div_(stretch).abs_()
    weight = (1 - distance).clamp_(min=0) if interpolation == "bilinear" else _cubic(distance)
    weight *= (place >= 0) & (place < length)
    index = place.clamp_(min=0).minimum(length - 1).add_(start).long()
    return Taps(index, weight.div_(weight.sum(-1, keepdim=True)))


def _cubic(distance: Tensor) -> Tensor:
    """Compute the cubic convolution filter of Keys (1981) with a = -1/2, which is exact for parabolas."""
    near = (1.5 * distance - 2.5) * distance.square() + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return torch.where(distance < 1, near, torch.where(distance < 2, far, 0.0))

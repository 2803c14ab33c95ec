"""Positions of tokens on their grid: tables added to them, and rotations of queries and keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit._limits import TOKENS, limited
from tacit.errors import ConfigError

__all__ = ["Positions", "Rotation", "coordinates", "resize_positions", "rotate", "rotations", "sincos"]

Positions: TypeAlias = Literal["learned", "sincos", "rope"]
"""``learned`` and ``sincos`` tables are added to tokens; ``rope`` rotates queries and keys instead."""


class Rotation(NamedTuple):
    """Cosine and sine of the angle of every component of a head, ``[..., 1, n, head width]`` each."""

    cos: Tensor
    sin: Tensor


def sincos(grid: Sequence[int], width: int) -> Tensor:
    """Compute sines and cosines of the coordinates of every grid cell, ``[N, width]``, in C order.

    Each axis has its share of the components, sines first, at frequencies ``10000 ** (-k / count)``. Two axes
    come column first, as in MAE (arXiv 2111.06377) and I-JEPA (arXiv 2301.08243); one and three come in order,
    equal shares of three rounded up and the last one cut, as in V-JEPA (arXiv 2404.08471).

    Raises:
        ConfigError: if the axes cannot share the width.
    """
    axes = len(grid)
    share = 2 * math.ceil(width / 6) if axes == 3 else width // axes
    if width < 2 * axes or (axes < 3 and width % (2 * axes)):
        raise ConfigError(
            f"sine and cosine positions on {axes} axes need a width that is a multiple of {2 * axes}; got {width}."
        )
    limited("a table of positions", TOKENS, cells=math.prod(grid))
    index = torch.arange(math.prod(grid))
    places = [place.double() for place in coordinates(index, grid)]
    parts = []
    for place in places[::-1] if axes == 2 else places:
        angle = place[:, None] * _frequencies(share, place)
        parts += [angle.sin(), angle.cos()]
    return torch.cat(parts, dim=1)[:, :width].float()


def coordinates(index: Tensor, grid: Sequence[int]) -> tuple[Tensor, ...]:
    """Return the coordinates of cells along each axis, float32 of the shape of ``index``.

    Args:
        index: Cells, counted in C order.
        grid: Cells along each axis.
    """
    return tuple(place.float() for place in torch.unravel_index(index, tuple(grid)))


def resize_positions(table: Tensor, grid: Sequence[int], to: Sequence[int]) -> Tensor:
    """Resize a position table to another grid: linear, bicubic or trilinear by the number of axes.

    Args:
        table: ``[1, n, width]``; rows before the last ``prod(grid)`` belong to no cell (a class token) and stay.
        grid: Cells along each axis.
        to: Cells along each axis of the result.

    Returns:
        ``[1, n', width]``, differentiable.
    """
    if tuple(grid) == tuple(to):
        return table
    cells = math.prod(grid)
    rest, own = table[:, : table.shape[1] - cells], table[:, table.shape[1] - cells :]
    own = own.transpose(1, 2).reshape(1, -1, *grid)
    mode = ("linear", "bicubic", "trilinear")[len(grid) - 1]
    resized = F.interpolate(own.float(), size=tuple(to), mode=mode, align_corners=False)
    return torch.cat([rest, resized.flatten(2).transpose(1, 2).to(table.dtype)], dim=1)


def rotations(places: Sequence[Tensor], head_width: int) -> Rotation:
    """Compute rotations by the coordinates of tokens, the components of a head shared among the axes.

    As in V-JEPA 2 (arXiv 2506.09985), each axis has an equal, even share, and the remaining components are not rotated.
    Components rotate in neighbouring pairs ``(2 k, 2 k + 1)``, but the list of frequencies is repeated as a whole, so
    that the two of a pair have different angles and the length of a pair is not kept. Released weights were trained in
    this way.

    Args:
        places: The coordinate along each axis, ``[..., n]``.
        head_width: Size of a head.

    Raises:
        ConfigError: if a head has no pair of components for every axis.
    """
    share = 2 * (head_width // (2 * len(places)))
    if not share:
        raise ConfigError(
            f"rotations on {len(places)} axes need heads of at least {2 * len(places)} components; got {head_width}. "
            "Take fewer heads or a greater width."
        )
    angles = []
    for place in places:
        angle = place[..., None] * _frequencies(share, place)
        angles += [angle, angle]
    angle = F.pad(torch.cat(angles, dim=-1), (0, head_width - share * len(places)))
    return Rotation(angle.cos().unsqueeze(-3), angle.sin().unsqueeze(-3))


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Rotate queries or keys ``[B, heads, n, head width]``."""
    even, odd = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)
    turned = torch.stack([-odd, even], dim=-1).flatten(-2)
    return x * rotation.cos.to(x.dtype) + turned * rotation.sin.to(x.dtype)


def _frequencies(share: int, like: Tensor) -> Tensor:
    half = share // 2
    return 10000.0 ** -(torch.arange(half, dtype=like.dtype, device=like.device) / half)

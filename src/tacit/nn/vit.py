"""Vision transformer: one encoder for images, videos and series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit._limits import TOKENS, limited
from tacit.errors import ConfigError, SpecError
from tacit.nn._block import initialise, run, stack
from tacit.nn.encoders import ImageEncoder, folded, patch_embed, standardised
from tacit.nn.positions import Positions, Rotation, coordinates, resize_positions, rotations, sincos

__all__ = ["VIT_SIZES", "VisionTransformer", "cells"]

VIT_SIZES: dict[str, dict[str, Any]] = {
    "nano": {"width": 96, "depth": 6, "heads": 3},
    "tiny": {"width": 192, "depth": 12, "heads": 3},
    "small": {"width": 384, "depth": 12, "heads": 6},
    "base": {"width": 768, "depth": 12, "heads": 12},
    "large": {"width": 1024, "depth": 24, "heads": 16},
    "huge": {"width": 1280, "depth": 32, "heads": 16},
    "giant": {"width": 1408, "depth": 40, "heads": 22, "mlp_ratio": 48 / 11},
}
"""Options of :class:`VisionTransformer` by size; from ``tiny`` on, the published ones of that name."""

_CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_AXES = {1: "R", 2: "H, W", 3: "T, H, W"}


class VisionTransformer(ImageEncoder):
    """Pre-norm vision transformer (arXiv 2010.11929) on patches of one, two or three axes.

    Patches that are left out are dropped before embedding, as in MAE (arXiv 2111.06377), so that the cost of a context
    encoder depends on its visible patches only.

    Args:
        channels: Channels ``C``.
        size: Extent of the axes: ``(H, W)``, ``(T, H, W)`` or ``(R,)``; a rest smaller than a patch is cut off.
        patch: Extent of a patch along each of them.
        width: Size of a token, and of the output.
        depth: Blocks.
        heads: Attention heads.
        positions: ``learned``, ``sincos`` (fixed sines and cosines) or ``rope`` (rotated queries and keys).
        cls: Put a learned class token first.
        mlp_ratio: Hidden width of the MLPs, in widths.
        norm_eps: Epsilon that the LayerNorms add to a variance.
        checkpointing: Keep only the input of each block, and recompute the block in backward.

    Attributes:
        grid: Patches along each axis.

    Raises:
        ConfigError: if size and patch do not fit each other, or the heads or the positions not the width.
    """

    position: Tensor | None

    def __init__(
        self,
        channels: int,
        size: tuple[int, ...],
        patch: tuple[int, ...],
        *,
        width: int,
        depth: int,
        heads: int,
        positions: Positions = "learned",
        cls: bool = False,
        mlp_ratio: float = 4.0,
        norm_eps: float = 1e-6,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        fits = len(size) == len(patch) and len(size) in _CONVOLUTIONS
        if not fits or any(side < 1 or side > extent for extent, side in zip(size, patch, strict=True)):
            raise ConfigError(
                f"size and patch have the same one, two or three axes, with a whole patch in each; got {size}, {patch}."
            )
        self.channels, self.patch, self.head_width = channels, tuple(patch), width // heads
        self.grid = tuple(extent // side for extent, side in zip(size, patch, strict=True))
        limited("VisionTransformer", TOKENS, patches=math.prod(self.grid))
        self.checkpointing = checkpointing
        self.patches = _CONVOLUTIONS[len(size)](channels, width, patch, patch)  # type: ignore[arg-type]  # any number
        self.cls = nn.Parameter(nn.init.normal_(torch.empty(1, 1, width), std=0.02)) if cls else None
        count = math.prod(self.grid)
        if positions == "learned":
            self.position = nn.Parameter(nn.init.normal_(torch.empty(1, count + cls, width), std=0.02))
        elif positions == "sincos":
            table = torch.cat([torch.zeros(int(cls), width), sincos(self.grid, width)])
            self.register_buffer("position", table[None])
        else:
            self.position = None
            rotations(coordinates(torch.zeros(1, dtype=torch.int64), self.grid), self.head_width)  # refuses small heads
        self.blocks = stack(width, depth, heads, mlp_ratio, norm_eps)
        self.norm = nn.LayerNorm(width, eps=norm_eps)
        self._draw()

    def forward(self, x: Tensor, mean: Tensor, std: Tensor, keep: Tensor | None = None) -> Tensor:
        """Encode an input to tokens.

        Args:
            x: ``[B, C, H, W]``, ``[B, C, T, H, W]`` or ``[B, C, R]``, raw values of any number type. For another
                size than the encoder's, tables of positions are interpolated; rotations extend beyond the grid.
            mean: ``[C]`` in units of ``x``.
            std: ``[C]``.
            keep: ``[B, K]`` int64, the patches to encode, counted in C order; all by default.

        Returns:
            ``[B, K, width]`` after the last LayerNorm, a class token first where there is one.

        Raises:
            SpecError: if ``x`` or ``keep`` has another shape.
        """
        out: Tensor = self.norm(self._features(x, mean, std, keep))
        return out

    @property
    def trunk(self) -> nn.Module:
        """Return the blocks."""
        return self.blocks

    def last_blocks(self, count: int) -> list[nn.Module]:
        """Return the last blocks, and the LayerNorm after them."""
        return [*list(self.blocks)[-count:], self.norm]

    def image_tokens(self, images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Encode single images to the tokens of their patches; videos repeat an image for one tubelet."""
        if len(self.patch) == 3:
            images = images.unsqueeze(2).expand(-1, -1, self.patch[0], -1, -1)
        out: Tensor = self(images, mean, std)
        return out if self.cls is None else out[:, 1:]

    def _features(self, x: Tensor, mean: Tensor, std: Tensor, keep: Tensor | None = None) -> Tensor:
        """Compute the result of :meth:`forward`, before the last LayerNorm."""
        grid = self._grid_of(x)
        if keep is not None and (keep.ndim != 2 or len(keep) != len(x)):
            raise SpecError(f"keep must hold indices of patches, [{len(x)}, K]; got shape {list(keep.shape)}.")
        # Kept in the precision of the weights: under autocast, sums over many blocks would lose precision.
        tokens = self._embed(x, mean, std, keep, grid).to(self.norm.weight.dtype)
        lead = 0 if self.cls is None else 1
        first = None if self.cls is None else self.cls.expand(len(x), -1, -1)
        rotation = None
        if self.position is None:
            rotation = self._rotation(keep, grid, x.device)
        else:
            table = resize_positions(self.position, self.grid, grid)
            own = table[:, lead:]
            tokens = tokens + (own if keep is None else own[0, keep])
            first = None if first is None else first + table[:, :1]
        if first is not None:
            tokens = torch.cat([first, tokens], dim=1)
        return run(self.blocks, tokens, rotation, self.checkpointing)

    def _draw(self) -> None:
        initialise(self, self.blocks)

    def _grid_of(self, x: Tensor) -> tuple[int, ...]:
        """Return the patches along each axis of an input."""
        axes = len(self.patch)
        grid = tuple(extent // side for extent, side in zip(x.shape[2:], self.patch, strict=False))
        if x.ndim != axes + 2 or x.shape[1] != self.channels or not all(grid):
            raise SpecError(
                f"the encoder takes [B, {self.channels}, {_AXES[axes]}] with at least one patch of "
                f"{' x '.join(map(str, self.patch))}; got shape {list(x.shape)}."
            )
        return grid

    def _embed(self, x: Tensor, mean: Tensor, std: Tensor, keep: Tensor | None, grid: tuple[int, ...]) -> Tensor:
        """Return tokens ``[B, K, width]`` of the patches to encode; for pixels, the normalisation is folded in."""
        conv = self.patches
        if keep is None and isinstance(conv, nn.Conv1d | nn.Conv2d):
            return patch_embed(conv, x, mean, std).flatten(2).transpose(1, 2)
        # A convolution whose stride is its kernel is a linear layer on the patches.
        if len(grid) == 1:
            x, weight, bias = standardised(x, mean, std), conv.weight, conv.bias
        else:
            weight, bias = folded(conv, mean, std)
        values = cells(x, grid, self.patch)
        if keep is None:
            values = values.flatten(1, len(grid))
        else:
            batch = torch.arange(len(x), device=x.device)[:, None]
            values = values[(batch, *torch.unravel_index(keep, grid))]
        return F.linear(values.flatten(2).to(weight.dtype), weight.flatten(1), bias)

    def _rotation(self, keep: Tensor | None, grid: tuple[int, ...], device: torch.device) -> Rotation:
        index = torch.arange(math.prod(grid), device=device) if keep is None else keep
        rotation = rotations(coordinates(index, grid), self.head_width)
        if self.cls is None:
            return rotation
        # The class token has no position and is not rotated.
        return Rotation(F.pad(rotation.cos, (0, 0, 1, 0), value=1.0), F.pad(rotation.sin, (0, 0, 1, 0)))


def cells(x: Tensor, grid: Sequence[int], patch: Sequence[int]) -> Tensor:
    """Cut ``[B, C, *size]`` into patches: a view ``[B, *grid, C, *patch]``."""
    axes = len(grid)
    for axis, (count, side) in enumerate(zip(grid, patch, strict=True)):
        x = x.narrow(2 + axis, 0, count * side)
    x = x.reshape(*x.shape[:2], *(extent for pair in zip(grid, patch, strict=True) for extent in pair))
    return x.permute(0, *range(2, 2 + 2 * axes, 2), 1, *range(3, 3 + 2 * axes, 2))

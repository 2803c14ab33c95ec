"""Pairs of images that move by known vectors, for training and measuring optical flow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit.errors import ConfigError

__all__ = ["MovingImages", "move_images", "translations"]

CHUNK = 500
"""Images that are composed at a time."""
COVERED, CLEAR = 0.5, 0.05
"""Shares of an image in a pixel above which it belongs to the moving part, and below which it is background."""


@dataclass(frozen=True)
class MovingImages:
    """Images seen twice.

    Attributes:
        frames: ``[N, 2, 1, S, S]`` uint8.
        vector: ``[N, 2]`` translation (x right, y down) in pixels.
        moving: ``[N, S, S]`` mask of the pixels of the second frame that belong to the moving part.
        known: ``[N, S, S]`` mask of the pixels of the second frame that were visible in the first.
    """

    frames: Tensor
    vector: Tensor
    moving: Tensor
    known: Tensor

    @property
    def flow(self) -> Tensor:
        """Return the displacement ``[N, 2, S, S]`` from each pixel of the second frame to the first."""
        return -self.vector[:, :, None, None] * self.moving[:, None]


def translations(longest: int = 6) -> tuple[Tensor, Tensor]:
    """Return translations ``[n, 2]`` in half pixels to train on, and a quarter of all that are held out.

    Args:
        longest: The largest length in pixels.
    """
    steps = torch.arange(-2 * longest, 2 * longest + 1)
    grid = torch.cartesian_prod(steps, steps)
    grid = grid[grid.square().sum(1) <= (2 * longest) ** 2]
    order = torch.randperm(len(grid), generator=torch.Generator().manual_seed(0))
    return grid[order[len(grid) // 4 :]], grid[order[: len(grid) // 4]]


def move_images(
    images: Tensor, alone: Tensor, vectors: Tensor, *, side: int = 48, longest: int = 6, seed: int = 0
) -> MovingImages:
    """Lay each image at random on a texture of its own, and show both twice, moved by a random vector.

    Frames are composed at twice the size and averaged, so that half a pixel is exact.

    Args:
        images: ``[N, 1, h, w]`` uint8; they are transparent below a quarter of full brightness.
        alone: ``[N]`` bool, True if the image moves before a still texture, False if both move.
        vectors: ``[n, 2]`` translations in half pixels to draw from, such as :func:`translations`.
        side: Side of a frame in pixels.
        longest: The largest length of a vector in pixels.
        seed: Seed of textures, places and vectors.

    Raises:
        ConfigError: if an image that moves by the longest vector does not fit into a frame.
    """
    if max(images.shape[-2:]) + 2 * longest > side:
        raise ConfigError(
            f"images of {images.shape[-2]} x {images.shape[-1]} that move by {longest} pixels do not fit into frames "
            f"of {side}. Give side={max(images.shape[-2:]) + 2 * longest} or more."
        )
    chunks = zip(torch.split(images, CHUNK), torch.split(alone, CHUNK), strict=True)
    parts = [
        _composed(some, objects, vectors, side, 2 * longest, seed + CHUNK * number)
        for number, (some, objects) in enumerate(chunks)
    ]
    return MovingImages(*map(torch.cat, zip(*parts, strict=True)))


def _composed(
    images: Tensor, objects: Tensor, vectors: Tensor, side: int, margin: int, seed: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return frames, vectors in pixels, and the masks of the moving part and of known motion."""
    draw, count, big = torch.Generator().manual_seed(seed), len(images), 2 * side
    sprites = F.interpolate(images / 255.0, scale_factor=2, mode="bilinear", align_corners=False)
    vector = vectors[torch.randint(len(vectors), (count,), generator=draw)]
    room = big - sprites.shape[-1] - 2 * margin
    start = margin + torch.randint(0, room + 1, (count, 2), generator=draw)
    canvas = 0.6 * _textures(count, big + 2 * margin, draw)
    frames, covers = [], []
    for shift in (torch.zeros_like(vector), vector):
        ground, sprite = torch.empty(count, 1, big, big), torch.zeros(count, 1, big, big)
        for one in range(count):
            left, top = (margin - shift[one] * int(not objects[one])).tolist()
            ground[one] = canvas[one, :, top : top + big, left : left + big]
            x, y = (start[one] + shift[one]).tolist()
            sprite[one, :, y : y + sprites.shape[-2], x : x + sprites.shape[-1]] = sprites[one]
        cover = (4 * sprite).clamp(max=1)
        frames.append(F.avg_pool2d(cover * sprite + (1 - cover) * ground, 2))
        covers.append(F.avg_pool2d(cover, 2)[:, 0])
    levels = torch.stack(frames, dim=1).mul(255).round().clamp(0, 255).to(torch.uint8)
    return levels, vector / 2.0, *_masks(vector / 2.0, objects, *covers)


def _textures(count: int, side: int, draw: torch.Generator) -> Tensor:
    """Return grey levels ``[count, 1, side, side]`` of noise at many scales, between 0 and 1."""
    total = torch.zeros(count, 1, side, side)
    for cells in (4, 8, 16, 32, 60):
        noise = torch.randn(count, 1, cells, cells, generator=draw)
        total += cells**-0.35 * F.interpolate(noise, (side, side), mode="bicubic", align_corners=False)
    low, high = total.amin((2, 3), keepdim=True), total.amax((2, 3), keepdim=True)
    return (total - low) / (high - low)


def _masks(vector: Tensor, objects: Tensor, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Return masks of the moving part and of known motion; a half-covered pixel is unknown."""
    side = second.shape[-1]
    moving = torch.where(objects[:, None, None], second >= COVERED, True)
    still = (second < CLEAR) & (first < CLEAR)  # texture that was not hidden before either
    places = torch.arange(side, dtype=torch.float32)
    x, y = (places - vector[:, axis, None] for axis in (0, 1))
    there = ((x >= 0) & (x <= side - 1))[:, None, :] & ((y >= 0) & (y <= side - 1))[:, :, None]
    return moving, torch.where(objects[:, None, None], moving | still, there)

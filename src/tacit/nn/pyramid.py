"""Convolutional encoder that keeps every scale: latents of places, from coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from tacit.errors import ConfigError, SpecError
from tacit.nn.encoders import ImageEncoder
from tacit.nn.linear import Linear

__all__ = ["PYRAMID_SIZES", "PyramidEncoder"]

PYRAMID_SIZES: dict[str, dict[str, Any]] = {
    "nano": {"widths": (24, 48, 72, 96), "depths": (1, 1, 1, 1)},
    "tiny": {"widths": (32, 64, 128, 192), "depths": (1, 1, 2, 2)},
    "small": {"widths": (48, 96, 192, 384), "depths": (2, 2, 4, 2)},
    "base": {"widths": (48, 48, 96, 192, 384, 768), "depths": (1, 1, 3, 3, 9, 3)},
}
"""Options of :class:`PyramidEncoder` by size; ``base`` is ConvNeXt-T with two additional finer levels."""


class PyramidEncoder(ImageEncoder):
    """ConvNeXt blocks (arXiv 2201.03545) at several scales, each half as fine as the one before.

    A level ends in a LayerNorm over channels without weights, so that the latent of every place has the same length: no
    term that compares places can be minimised by small latents. Cells overlap, and their centres are aligned for
    resizing from level to level. Layer scale and stochastic depth are left out.

    Args:
        channels: Channels ``C`` of the images.
        size: Their height and width.
        widths: Channels of each level, from the finest to the coarsest.
        depths: Blocks of each level.
        stem: Side of a cell of the finest level in pixels, an even number.
        kernel: Side of the depthwise convolutions, an odd number.

    Attributes:
        grid: Cells of the coarsest level down and across.

    Raises:
        ConfigError: if the options do not fit each other, or an image has no cell at the coarsest level.
    """

    def __init__(
        self,
        channels: int,
        size: tuple[int, int],
        widths: Sequence[int],
        depths: Sequence[int],
        *,
        stem: int = 2,
        kernel: int = 7,
    ) -> None:
        super().__init__()
        if not widths or len(widths) != len(depths) or min(*widths, *depths) < 1:
            raise ConfigError(
                f"a pyramid needs a width and a depth of at least 1 for each level; got {widths}, {depths}."
            )
        if stem < 2 or stem % 2 or kernel % 2 == 0 or kernel < 1:
            raise ConfigError(f"stem is an even and kernel an odd number of pixels; got {stem} and {kernel}.")
        strides = (stem, *[2] * (len(widths) - 1))
        self.least = stem * 2 ** (len(widths) - 1)
        self.grid = (size[0] // self.least, size[1] // self.least)
        if min(self.grid) < 1:
            raise ConfigError(
                f"{len(widths)} levels from {stem} px on need images of {self.least} px; got {size}. Take fewer."
            )
        inputs = (channels, *widths[:-1])
        self.down = nn.ModuleList(
            nn.Conv2d(before, width, 2 * stride, stride, stride // 2)
            for before, width, stride in zip(inputs, widths, strides, strict=True)
        )
        self.levels = nn.ModuleList(
            nn.Sequential(*(_Block(width, kernel) for _ in range(depth)))
            for width, depth in zip(widths, depths, strict=True)
        )

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> tuple[Tensor, ...]:
        """Return latents ``[N, C', h, w]`` of each level, from the coarsest to the finest.

        Args:
            x: ``[N, C, H, W]``, raw values, of any size that has a cell at the coarsest level.
            mean: ``[C]`` in units of ``x``.
            std: ``[C]``.

        Raises:
            SpecError: if the images are too small.
        """
        if min(x.shape[-2:]) < self.least:
            raise SpecError(f"the pyramid needs images of at least {self.least} px; got {list(x.shape)}.")
        x = ((x - mean[:, None, None]) / std[:, None, None]).permute(0, 2, 3, 1)
        found = []
        for down, level in zip(self.down, self.levels, strict=True):
            # Channels last in memory: the LayerNorms and linear layers of the blocks then copy nothing.
            x = level(down(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
            x = F.layer_norm(x, x.shape[-1:])
            found.append(x.permute(0, 3, 1, 2))
        return tuple(reversed(found))

    @property
    def trunk(self) -> nn.Module:
        """Return the levels."""
        return self.levels

    def last_blocks(self, count: int) -> list[nn.Module]:
        """Return the last blocks of all levels."""
        return [block for level in self.levels for block in level.children()][-count:]

    def image_tokens(self, images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Encode images to the places of the coarsest level."""
        coarsest: Tensor = self(images, mean, std)[0]
        return coarsest.flatten(2).transpose(1, 2)


class _Block(nn.Module):
    """Depthwise convolution, then an MLP at every place, with a residual connection; channels last."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = Linear(width, 4 * width)
        self.out = Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Transform ``[N, h, w, width]`` to the same shape."""
        mixed = self.mix(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out: Tensor = x + self.out(F.gelu(self.up(self.norm(mixed))))
        return out

"""Gaussian blur."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, require, uniform
from tacit.augmentation._resample import Taps, separable
from tacit.errors import SpecError

__all__ = ["Blur"]


@dataclass(frozen=True)
class Blur(Augmentation):
    """Gaussian blur of random width, cut off at ``kernel`` pixels, with mirrored edges.

    Args:
        kernel: Height and width of the window, odd.
        sigma: Range of the standard deviation in pixels, drawn uniformly for each item.

    Raises:
        ConfigError: if an option is out of range.
    """

    kernel: int = 7
    sigma: tuple[float, float] = (0.1, 2.0)

    def __post_init__(self) -> None:
        require(self.kernel >= 1 and self.kernel % 2 == 1, self, "an odd kernel of at least 1")
        require(0 < self.sigma[0] <= self.sigma[1] < float("inf"), self, "a sigma 0 < low <= high")

    def apply(self, videos: Tensor, generator: Generator | None) -> Tensor:
        """See :class:`Augmentation`."""
        return blur(videos, self.kernel, uniform(generator, len(videos), low=self.sigma[0], high=self.sigma[1]))


def blur(videos: Tensor, kernel: int, sigmas: Tensor) -> Tensor:
    """Blur each of the videos ``[B, T, C, H, W]`` by its own ``sigmas [B]``.

    Raises:
        SpecError: if half a kernel does not fit into the videos.
    """
    if kernel // 2 >= min(videos.shape[-2:]):
        height, width = videos.shape[-2:]
        raise SpecError(
            f"a kernel of {kernel} mirrors {kernel // 2} pixels beyond the edge, and images of {height} x {width} "
            "are too small; take a smaller kernel."
        )
    rows, columns = (_taps(size, kernel, sigmas.to(videos)) for size in videos.shape[-2:])
    return separable(videos, rows, columns)[:, 0]


def _taps(size: int, kernel: int, sigmas: Tensor) -> Taps:
    """Compute the taps of each pixel of a line on its neighbours, mirrored at the ends."""
    offsets = torch.arange(kernel, device=sigmas.device) - kernel // 2
    weight = torch.softmax(-0.5 * (offsets / sigmas[:, None]).square(), dim=1)
    index = (torch.arange(size, device=sigmas.device)[:, None] + offsets).abs()
    index = (size - 1) - ((size - 1) - index).abs()
    return Taps(index.expand(len(sigmas), -1, -1), weight[:, None].expand(-1, size, -1))

"""Errors of optical flow, and the translation of two images without a network."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["end_point_error", "phase_correlation"]


def end_point_error(predicted: Tensor, actual: Tensor) -> Tensor:
    """Return the distance ``[N, H, W]`` in pixels between two fields of displacements ``[N, 2, H, W]``."""
    return (predicted - actual).square().sum(1).sqrt()


def phase_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Return the translation ``[N, 2]`` (x, y) in whole pixels from images ``first`` to ``second``, ``[N, H, W]``.

    It is the peak of the normalised cross spectrum of the windowed images (Kuglin, Hines 1975), so it fits images that
    move as a whole.
    """
    height, width = first.shape[-2:]
    rows, columns = (torch.hann_window(side, periodic=False) for side in (height, width))
    one, other = (
        torch.fft.fft2((part - part.mean((-2, -1), keepdim=True)) * columns * rows[:, None]) for part in (first, second)
    )
    cross = other * one.conj()
    peak = torch.fft.ifft2(cross / (cross.abs() + 1e-9)).real.flatten(1).argmax(1)
    y = (peak // width + height // 2) % height - height // 2
    x = (peak % width + width // 2) % width - width // 2
    return torch.stack([x, y], dim=1)

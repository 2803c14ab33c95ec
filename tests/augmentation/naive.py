"""Augmentations of one image written as simply as they can be, to compare the batched ones with."""

from __future__ import annotations

import colorsys

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

LUMA = np.array([0.2989, 0.587, 0.114])


def resized_crop(image: Tensor, box: list[int], size: tuple[int, int], interpolation: str) -> Tensor:
    """Of an image [C, H, W], by PyTorch's own antialiased resize."""
    top, left, height, width = box
    crop = image[None, :, top : top + height, left : left + width].double()
    return F.interpolate(crop, size, mode=interpolation, antialias=True)[0].clamp(0, 255).float()


def blur(image: Tensor, kernel: int, sigma: float) -> Tensor:
    """Of an image [C, H, W], by a convolution of the mirrored image."""
    offsets = np.arange(kernel) - kernel // 2
    line = np.exp(-0.5 * (offsets / sigma) ** 2)
    window = torch.from_numpy(np.outer(line, line) / np.outer(line, line).sum())
    padded = F.pad(image[:, None].double(), [kernel // 2] * 4, mode="reflect")
    return F.conv2d(padded, window[None, None])[:, 0].float()


def adjust(image: Tensor, name: str, number: float) -> Tensor:
    """Brightness, contrast, saturation or hue of an image [3, H, W]."""
    levels = image.double().numpy()
    grey = np.tensordot(LUMA, levels, 1)
    if name == "brightness":
        changed = levels * number
    elif name == "contrast":
        changed = levels * number + grey.mean() * (1 - number)
    elif name == "saturation":
        changed = levels * number + grey * (1 - number)
    else:
        changed = np.empty_like(levels)
        for row, column in np.ndindex(*levels.shape[1:]):
            hue, saturation, value = colorsys.rgb_to_hsv(*levels[:, row, column] / 255)
            changed[:, row, column] = 255 * np.array(colorsys.hsv_to_rgb((hue + number) % 1, saturation, value))
    return torch.from_numpy(changed.clip(0, 255)).float()

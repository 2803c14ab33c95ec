"""Changes of colour and light, each by one number per video."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.augmentation._augmentation import per_video
from tacit.errors import SpecError

__all__ = ["brightness", "contrast", "grey", "hue", "saturation"]

LUMA = (0.2989, 0.587, 0.114)


def grey(videos: Tensor) -> Tensor:
    """Return the luma ``[B, T, 1, H, W]`` of videos ``[B, T, C, H, W]``; return grey videos unchanged.

    Raises:
        SpecError: if the videos have neither one channel nor three.
    """
    if videos.shape[2] == 1:
        return videos
    if videos.shape[2] != 3:
        raise SpecError(
            f"colour is changed in images of 1 channel (grey) or 3 (red, green, blue); these have {videos.shape[2]}."
        )
    red, green, blue = torch.split(videos, 1, dim=2)
    return (LUMA[0] * red).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])


def brightness(videos: Tensor, factors: Tensor) -> Tensor:
    """Multiply pixel values by ``factors [B]``; 0 is black, 1 changes nothing."""
    return (videos * per_video(factors, videos)).clamp_(0, 255)


def contrast(videos: Tensor, factors: Tensor) -> Tensor:
    """Multiply distances from the mean luma of each frame by ``factors [B]``; 0 is one grey, 1 changes nothing."""
    mean = grey(videos.mean(dim=(-2, -1), keepdim=True))
    return _blend(videos, mean, factors)


def saturation(videos: Tensor, factors: Tensor) -> Tensor:
    """Multiply distances from the luma of each pixel by ``factors [B]``; 0 is grey, 1 changes nothing."""
    return videos if videos.shape[2] == 1 else _blend(videos, grey(videos), factors)


def hue(videos: Tensor, turns: Tensor) -> Tensor:
    """Rotate hues by ``turns [B]`` of the colour circle; 0 and 1 change nothing, and grey has no hue.

    With chroma c and hue h in sixths of the circle, a channel is ``max - c clip(2 - |h' - 3|, 0, 1)``, where h' is
    h for red, h + 4 for green and h + 2 for blue, modulo 6.
    """
    if videos.shape[2] == 1:
        return videos
    red, green, blue = torch.split(videos, 1, dim=2)
    most = torch.maximum(torch.maximum(red, green), blue)
    chroma = most - torch.minimum(torch.minimum(red, green), blue)
    # Cases as factors of 0 and 1: a choice by mask mispredicts half its branches on a CPU.
    is_red = torch.eq(most, red, out=torch.empty_like(most))
    is_green = torch.eq(most, green, out=torch.empty_like(most)).mul_(1 - is_red)
    is_blue = 1 - is_red - is_green
    sixths = ((green - blue) * is_red).addcmul_(blue - red, is_green).addcmul_(red - green, is_blue)
    sixths.div_(chroma + (chroma == 0)).add_(is_green, alpha=2).add_(is_blue, alpha=4)
    sixths += 6 * per_video(turns, videos)
    angles = sixths + torch.tensor([0.0, 4.0, 2.0], device=videos.device).view(3, 1, 1)
    angles.sub_((angles / 6).floor_(), alpha=6)
    return most - angles.sub_(3).abs_().neg_().add_(2).clamp_(0, 1).mul_(chroma)


def _blend(videos: Tensor, other: Tensor, factors: Tensor) -> Tensor:
    """Mix ``factors`` parts of the videos with the rest of the other, clipped."""
    factors = per_video(factors, videos)
    return (videos * factors).add_((1 - factors) * other).clamp_(0, 255)

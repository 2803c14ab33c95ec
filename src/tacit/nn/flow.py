"""Optical flow: warping, local correlation, and a head that estimates the flow.

A flow ``[N, 2, h, w]`` holds a vector ``(x right, y down)`` for each place of one image, in places: its displacement to
another image. :func:`warp` samples the other image there, which aligns it with the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.errors import ConfigError, SpecError

__all__ = ["FlowHead", "correlation", "inside", "resize_flow", "visible", "warp"]


def warp(x: Tensor, flow: Tensor) -> Tensor:
    """Sample ``x`` where the flow points, ``out(p) = x(p + flow(p))``: bilinear, and exact at whole places.

    Outside of the image, edge values are repeated; :func:`inside` marks the places where that is not needed. NaN in the
    flow gives NaN in the result.

    Args:
        x: ``[N, C, h, w]``.
        flow: ``[N, 2, h, w]``.

    Raises:
        SpecError: if the shapes do not fit.
    """
    if x.ndim != 4 or flow.shape != (len(x), 2, *x.shape[2:]):
        raise SpecError(
            f"expected values [N, C, h, w] and a flow [N, 2, h, w]; got {list(x.shape)} and {list(flow.shape)}."
        )
    height, width = x.shape[2:]
    across, down = _places(flow)
    across, down = across.clamp(0, width - 1), down.clamp(0, height - 1)
    left = across.detach().nan_to_num(0).floor().clamp(max=max(width - 2, 0))
    top = down.detach().nan_to_num(0).floor().clamp(max=max(height - 2, 0))
    first = (top * width + left).long().flatten(1)
    flat = x.flatten(2).to(torch.promote_types(x.dtype, flow.dtype))

    def corner(offset: int) -> Tensor:
        index = (first + offset)[:, None].expand(-1, x.shape[1], -1)
        return flat.gather(2, index).view(*x.shape)

    right, below = int(width > 1), width * int(height > 1)
    share = (across - left)[:, None]
    upper = torch.lerp(corner(0), corner(right), share)
    lower = torch.lerp(corner(below), corner(below + right), share)
    return torch.lerp(upper, lower, (down - top)[:, None])


def inside(flow: Tensor) -> Tensor:
    """Return the mask ``[N, 1, h, w]`` of the places whose flow ``[N, 2, h, w]`` points into the image."""
    height, width = flow.shape[2:]
    across, down = _places(flow.detach())
    return ((across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1))[:, None]


def visible(flow: Tensor, back: Tensor, share: float = 0.01, slack: float = 0.5) -> Tensor:
    """Return the mask ``[N, 1, h, w]`` of the places inside the other image and not occluded there.

    A place is occluded where forward and backward flow disagree: ``|f + b|^2 > share (|f|^2 + |b|^2) + slack``, with
    ``b`` the flow of the other image where ``f`` points (Meister, Hur and Roth, arXiv 1711.07837, eq. 1).

    Args:
        flow: ``[N, 2, h, w]``.
        back: ``[N, 2, h, w]``, the flow of the other image.
        share: Tolerance of the gap, as a share of the squared lengths.
        slack: Absolute tolerance of the gap, in squared places.
    """
    with torch.no_grad():
        there = warp(back, flow)
        gap, length = (flow + there).square().sum(1), (flow.square() + there.square()).sum(1)
        return inside(flow) & (gap <= share * length + slack)[:, None]


def correlation(first: Tensor, second: Tensor, radius: int) -> Tensor:
    """Compute the similarity of each place of ``first`` to the places around it in ``second``.

    This is the local part of a 4-D correlation volume.

    Args:
        first: ``[N, C, h, w]``.
        second: ``[N, C, h, w]``.
        radius: Largest displacement ``r`` along an axis, in places.

    Returns:
        ``[N, 2r + 1, 2r + 1, h, w]``: at ``[:, r + dy, r + dx]`` the mean over channels of
        ``first(y, x) second(y + dy, x + dx)``, 0 where that is outside.
    """
    out: Tensor = _Correlation.apply(first, second, radius)  # type: ignore[no-untyped-call]
    return out


def resize_flow(flow: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize a flow ``[N, 2, h, w]`` to ``(h', w')``, with vectors in places of that size; bilinear."""
    height, width = flow.shape[2:]
    if (height, width) == tuple(size):
        return flow
    scale = flow.new_tensor([size[1] / width, size[0] / height])[:, None, None]
    return scale * F.interpolate(flow, size, mode="bilinear", align_corners=False)


class FlowHead(nn.Module):
    """Coarse-to-fine flow estimation between two pyramids, after PWC-Net (arXiv 1709.02371).

    At each level the source is warped by the flow of the previous level and correlated with the target within a radius,
    and a small convolutional network computes a correction from the correlations. The same network is used at every
    level, as MC-JEPA (arXiv 2307.12698) writes it; it starts with no correction, and corrections are smaller than the
    radius of the comparison.

    Args:
        radius: Radius of the comparison, in places of a level.
        width: Channels of the network.
        depth: Its hidden layers.

    Raises:
        ConfigError: if one of them is below 1.
    """

    def __init__(self, radius: int = 2, width: int = 48, depth: int = 3) -> None:
        super().__init__()
        if min(radius, width, depth) < 1:
            raise ConfigError(f"a flow head has radius, width and depth of at least 1; got {radius}, {width}, {depth}.")
        self.radius = radius
        widths = [(2 * radius + 1) ** 2 + 2, *[width] * depth]
        self.hidden = nn.ModuleList(nn.Conv2d(before, after, 3, padding=1) for before, after in pairwise(widths))
        self.out = nn.Conv2d(width, 2, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, source: Sequence[Tensor], target: Sequence[Tensor]) -> list[Tensor]:
        """Return the flow from target to source, ``[N, 2, h, w]`` for each level, in places of it.

        Args:
            source: ``[N, C, h, w]`` for each level, from the coarsest to the finest.
            target: The same shapes.
        """
        flows: list[Tensor] = []
        flow = target[0].new_zeros((len(target[0]), 2, *target[0].shape[2:]), dtype=torch.float32)
        for there, here in zip(source, target, strict=True):
            flow = resize_flow(flow, (here.shape[2], here.shape[3]))
            volume = correlation(here.float().contiguous(), warp(there.float(), flow), self.radius).flatten(1, 2)
            flow = flow + self._correction(volume, flow)
            flows.append(flow)
        return flows

    def _correction(self, volume: Tensor, flow: Tensor) -> Tensor:
        x = torch.cat([volume, flow], dim=1).contiguous(memory_format=torch.channels_last)
        for layer in self.hidden:
            x = F.gelu(layer(x))
        out: Tensor = self.out(x)
        return self.radius * torch.tanh(out.float() / self.radius)


class _Correlation(torch.autograd.Function):
    """Correlation computed displacement by displacement, with less memory than autograd needs.

    Autograd would keep each product, and clear a gradient for it.
    """

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor, radius: int) -> Tensor:
        ctx.save_for_backward(first, second)
        ctx.radius = radius
        side = 2 * radius + 1
        out = first.new_empty(len(first), side, side, *first.shape[2:])
        product = torch.empty_like(first)
        for dy, dx, part in _displaced(_padded(second, radius), radius):
            out[:, dy, dx] = torch.mul(first, part, out=product).mean(1)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        first, second = ctx.saved_tensors
        change, radius = gradients[0] / first.shape[1], ctx.radius
        on_first, on_padded = torch.zeros_like(first), torch.zeros_like(_padded(second, radius))
        for dy, dx, part in _displaced(_padded(second, radius), radius):
            on_first.addcmul_(change[:, dy, dx, None], part)
        for dy, dx, part in _displaced(on_padded, radius):
            part.addcmul_(change[:, dy, dx, None], first)
        height, width = second.shape[2:]
        return on_first, on_padded[:, :, radius : radius + height, radius : radius + width], None


def _padded(x: Tensor, radius: int) -> Tensor:
    return F.pad(x, (radius, radius, radius, radius))


def _displaced(padded: Tensor, radius: int) -> Iterator[tuple[int, int, Tensor]]:
    """Yield each displacement, and the part of the padded values at it."""
    height, width = padded.shape[2] - 2 * radius, padded.shape[3] - 2 * radius
    for dy in range(2 * radius + 1):
        for dx in range(2 * radius + 1):
            yield dy, dx, padded[:, :, dy : dy + height, dx : dx + width]


def _places(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Return the target of a flow, ``[N, h, w]`` across and down; at least in single precision."""
    height, width = flow.shape[2:]
    flow = flow.to(torch.promote_types(flow.dtype, torch.float32))
    across = torch.arange(width, device=flow.device, dtype=flow.dtype)
    down = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    return flow[:, 0] + across, flow[:, 1] + down

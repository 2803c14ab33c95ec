"""SIGReg: regularisation of latents towards an isotropic Gaussian along random directions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit.errors import ConfigError
from tacit.nn.collectives import all_mean, world_size
from tacit.objectives._objective import Term
from tacit.types import Forecast, ViewEmbeddings

__all__ = ["SIGReg"]

Over: TypeAlias = Literal["step", "pooled"]
KNOTS = 17
SPACING = 3.0 / (KNOTS - 1)
# Elements of a tile of the projections: it and its sines and cosines stay in the second-level cache of a core.
FEWEST, MOST = 64, 1024
TILE = 1 << 17


class SIGReg(Term):
    """Epps-Pulley distance of latents from ``N(0, I)`` along random directions (LeJEPA, arXiv 2511.08544).

    The statistic of one direction is ``T = N sum_k w_k |phi_N(t_k) - exp(-t_k^2 / 2)|^2``, with the empirical
    characteristic function ``phi_N`` of the N projections and 17 knots on [0, 3]; the loss is the mean over
    directions and, with ``over="step"``, over time steps. Location and scale count: nothing is standardised.

    **Mind the scale.** With ``scale_by_n`` (LeJEPA, LeWorldModel: weight 0.09) Gaussian latents have an expected loss
    of 1.0525 for every N, so a healthy loss levels off there, and collapse has a loss of 0.402 N. Without (eb_jepa:
    weight 10) both are N times smaller, and a weight is N times larger for the same pressure.

    The samples of all processes count as one batch, exactly, gradients included; each process must hold as many clips.
    Cost of a step, with S = samples over all statistics, D channels and M slices: ``2 S D M`` multiply-adds forward and
    as many backward, one sine and cosine per element of the projections, then 4 multiply-adds per knot forward and
    again backward. No ``[S, M, 17]`` array is made.

    Args:
        slices: Random directions M, redrawn at every step; None: twice as many as channels, from 64 to 1024. Fewer
            make each step's estimate noisier, not different on average; LeJEPA and LeWorldModel take 1024.
        scale_by_n: Multiply by the number of samples in a statistic.
        over: ``step``: one statistic for each time step, over the batch (LeWorldModel); ``pooled``: one over both.
        time_centred: Subtract each clip's mean over time first, so that only changes over time count.
        channels: The part of the latent to read, as fractions of its size: ``(0.0, 0.5)`` is the first half.
        name: Name in logs.
    """

    reads = (Forecast, ViewEmbeddings)
    prevents_collapse = True
    spread = "gaussian"

    def __init__(
        self,
        slices: int | None = None,
        scale_by_n: bool = True,
        over: Over = "step",
        time_centred: bool = False,
        channels: tuple[float, float] = (0.0, 1.0),
        name: str = "sigreg",
    ) -> None:
        super().__init__(name)
        if slices is not None and slices < 1:
            raise ConfigError(f"SIGReg needs slices >= 1; got {slices}.")
        if over not in get_args(Over):
            raise ConfigError(f"over is one of {', '.join(get_args(Over))}; got {over!r}.")
        if not 0 <= channels[0] < channels[1] <= 1:
            raise ConfigError(f"channels are fractions 0 <= first < last <= 1 of the latent; got {channels}.")
        self.slices, self.scale_by_n, self.time_centred = slices, scale_by_n, time_centred
        self.over: Over = over
        self.channels = (float(channels[0]), float(channels[1]))

    def loss(self, forecast: Forecast | ViewEmbeddings, seed: int, /) -> Tensor:
        """Return a scalar; the same ``seed`` gives the same directions on every process."""
        samples = self.samples(forecast.latents)
        channels = samples.shape[-1]
        slices = min(max(2 * channels, FEWEST), MOST) if self.slices is None else self.slices
        axes = directions(channels, slices, seed).to(samples)
        return epps_pulley(samples, axes, self.scale_by_n)

    def samples(self, latents: Tensor) -> Tensor:
        """Return the samples of the statistics: ``[B, T, D]`` to ``[T, B, D']`` or, pooled, ``[1, B T, D']``.

        Raises:
            ConfigError: if the latent is too small to have a channel in the wanted part.
        """
        first, last = (round(fraction * latents.shape[-1]) for fraction in self.channels)
        if first == last:
            raise ConfigError(f"a latent of size {latents.shape[-1]} has no channel within the part {self.channels}.")
        latents = latents[..., first:last]
        if self.time_centred:
            latents = latents - latents.mean(dim=1, keepdim=True)
        return latents.reshape(1, -1, last - first) if self.over == "pooled" else latents.transpose(0, 1)


def directions(size: int, slices: int, seed: int) -> Tensor:
    """Draw unit vectors ``[size, slices]``, uniform on the sphere; a pure function of the arguments, on the CPU."""
    drawn = torch.randn(size, slices, generator=torch.Generator().manual_seed(seed))
    return F.normalize(drawn, dim=0)


def floor(samples: int, scale_by_n: bool = True) -> float:
    """Return the expected value of the statistic under Gaussian latents.

    It is 1.0525 for ``samples`` draws from ``N(0, I)``, or that divided by ``samples`` without ``scale_by_n``.
    """
    knots, weights = _quadrature(torch.float64)
    value = float((weights * (1.0 - torch.exp(-knots.square()))).sum())
    return value if scale_by_n else value / samples


def collapsed(samples: int) -> float:
    """Return the statistic of ``samples`` latents that are all zero: 0.4020 times ``samples``."""
    knots, weights = _quadrature(torch.float64)
    return samples * float((weights * (1.0 - torch.exp(-knots.square() / 2)).square()).sum())


def epps_pulley(samples: Tensor, axes: Tensor, scale_by_n: bool = True) -> Tensor:
    """Compute the mean Epps-Pulley statistic of ``samples [..., N, D]`` along unit vectors ``axes [D, M]``; a scalar.

    N counts the samples of all processes.
    """
    knots, weights = _quadrature(samples.dtype)
    knots, weights = knots.to(samples.device), weights.to(samples.device)
    samples = samples.reshape(-1, *samples.shape[-2:])
    cosines, sines = _Characteristic.apply(samples @ axes)  # type: ignore[no-untyped-call]
    cosines, sines = all_mean(torch.stack([cosines, sines])).unbind()
    gaussian = torch.exp(-knots.square() / 2)[:, None]
    statistic = (weights[:, None] * ((cosines - gaussian).square() + sines.square())).sum(dim=-2).mean()
    return statistic * (samples.shape[-2] * world_size()) if scale_by_n else statistic


def _quadrature(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return knots and weights ``[K]``: the trapezoid on [0, 3], doubled for the even half, times ``exp(-t^2 / 2)``."""
    knots = torch.arange(KNOTS, dtype=torch.float64) * SPACING
    weights = torch.full((KNOTS,), 2 * SPACING, dtype=torch.float64)
    weights[0] = weights[-1] = SPACING
    return knots.to(dtype), (weights * torch.exp(-knots.square() / 2)).to(dtype)


class _Characteristic(torch.autograd.Function):
    """Means over the samples of ``cos(t_k h)`` and ``sin(t_k h)``: ``h [G, N, M]`` to twice ``[G, K, M]``.

    The knots are multiples of one spacing, so each follows from the one before by a complex product, and the
    gradient is a trigonometric polynomial of h that Horner's rule sums: one sine and cosine an element in all,
    where autograd would take 17 and keep them.
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(h)
        cosines = h.new_ones(len(h), KNOTS, h.shape[-1])
        sines = torch.zeros_like(cosines)
        for groups, columns in _tiles(h):
            angle = h[groups, :, columns] * SPACING
            cosine, sine = angle.cos(), angle.sin()
            real, imaginary = cosine, sine
            for knot in range(1, KNOTS):
                cosines[groups, knot, columns] = real.mean(1)
                sines[groups, knot, columns] = imaginary.mean(1)
                real, imaginary = _product(real, imaginary, cosine, sine)
        return cosines, sines

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (h,) = ctx.saved_tensors
        knots = (torch.arange(KNOTS, dtype=h.dtype, device=h.device) * (SPACING / h.shape[1]))[:, None]
        # The gradient by h of c cos(t h) + s sin(t h) is the real part of t (s + i c) exp(i t h).
        on_cosine, on_sine = gradients[0] * knots, gradients[1] * knots
        gradient = torch.empty_like(h)
        for groups, columns in _tiles(h):
            angle = h[groups, :, columns] * SPACING
            cosine, sine = angle.cos(), angle.sin()
            real, imaginary = torch.zeros_like(angle), torch.zeros_like(angle)
            for knot in range(KNOTS - 1, 0, -1):
                real += on_sine[groups, knot, None, columns]
                imaginary += on_cosine[groups, knot, None, columns]
                real, imaginary = _product(real, imaginary, cosine, sine)
            gradient[groups, :, columns] = real
        return gradient


def _product(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """Return real and imaginary part of ``(a + ib)(c + id)``."""
    return torch.mul(a, c).addcmul_(b, d, value=-1), torch.mul(a, d).addcmul_(b, c)


def _tiles(h: Tensor) -> Iterator[tuple[slice, slice]]:
    """Yield groups and columns that cut ``h [G, N, M]`` into cache-sized tiles on a CPU; other devices get it whole."""
    groups, rows, columns = h.shape
    width = max(TILE // rows, 16) if h.device.type == "cpu" else columns
    depth = max(TILE // (rows * columns), 1) if h.device.type == "cpu" else groups
    for group in range(0, groups, depth):
        for column in range(0, columns, width):
            yield slice(group, group + depth), slice(column, column + width)

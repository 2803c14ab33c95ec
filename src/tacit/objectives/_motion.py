"""Helpers of motion terms: source and target of a flow, and masked means."""

from __future__ import annotations

from torch import Tensor

from tacit.errors import SpecError
from tacit.types import FlowForecast

__all__ = ["masked_mean", "require", "sides"]


def require(motion: FlowForecast, directions: int, name: str) -> None:
    """Check that a motion has as many flows as a term reads.

    Raises:
        SpecError: if it has fewer, with the name of the term and the option to set.
    """
    there = motion.flow.shape[1]
    if there < directions:
        raise SpecError(
            f"term {name!r} reads flows in {directions} direction(s); there are {there}. Ask for them: "
            f"model.forecast(clip, ForecastRequest(directions={directions}))."
        )


def sides(pair: Tensor, directions: int) -> tuple[Tensor, Tensor]:
    """Return the source and the target image (or flow) of each direction, ``[B R, ...]`` each.

    ``pair [B, 2, ...]`` holds both images, or both flows; R is ``directions``.
    """
    return pair[:, :directions].flatten(0, 1), pair.flip(1)[:, :directions].flatten(0, 1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of ``[N, C, h, w]`` where ``mask [N, 1, h, w]`` holds; 0 where it holds nowhere."""
    weight = mask.to(values.dtype)
    # Values outside of the mask may be anything finite: zero times infinity is NaN.
    return (values.mean(1, keepdim=True) * weight).sum() / weight.sum().clamp(min=1)

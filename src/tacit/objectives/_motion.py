"""What the terms over motion share: the two sides of a flow, and means over the places that count."""

from __future__ import annotations

from torch import Tensor

from tacit.errors import SpecError
from tacit.types import Motion

__all__ = ["masked_mean", "require", "sides"]


def require(motion: Motion, directions: int, name: str) -> None:
    """Refuse what has fewer flows than a term reads.

    Raises:
        SpecError: naming the term and what to ask for.
    """
    there = motion.flow.shape[1]
    if there < directions:
        raise SpecError(
            f"term {name!r} reads flows in {directions} direction(s); there are {there}. Ask for them: "
            f"model.forecast(clip, directions={directions})."
        )


def sides(pair: Tensor, directions: int) -> tuple[Tensor, Tensor]:
    """Both pictures ``[B, 2, ...]``, or both flows, by direction: where it looks, and whence; ``[B R, ...]`` each."""
    return pair[:, :directions].flatten(0, 1), pair.flip(1)[:, :directions].flatten(0, 1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """The mean of ``[N, C, h, w]`` over the places where ``mask [N, 1, h, w]`` holds; 0 where it holds nowhere."""
    weight = mask.to(values.dtype)
    # Where it does not hold, values may be anything but not infinite: nothing times infinity is no number.
    return (values.mean(1, keepdim=True) * weight).sum() / weight.sum().clamp(min=1)

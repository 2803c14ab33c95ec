"""Energies as planners compute with them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tacit.errors import SpecError

__all__ = ["as_energies"]

DOUBLE = (torch.float64, torch.int64, torch.int32)


def as_energies(scored: object, candidates: Tensor) -> Tensor:
    """Return the answer of a score as floating-point energies on the device of the candidates.

    Args:
        scored: A tensor or a NumPy array ``[B, S]`` of real numbers. What float32 cannot hold exactly, float64 and
            large integers, becomes float64, everything else float32.
        candidates: ``[B, S, H, A]`` what was scored.

    Raises:
        SpecError: if ``scored`` is of another type, shape or kind of number.
    """
    batch, count = candidates.shape[:2]
    if isinstance(scored, np.ndarray) and not isinstance(scored, np.ma.MaskedArray):
        scored = _tensor(scored)
    if not isinstance(scored, Tensor):
        raise SpecError(
            f"score must return energies [B, S] = [{batch}, {count}] as a torch tensor or a NumPy array; "
            f"got {type(scored).__name__}. Convert them with torch.as_tensor."
        )
    if scored.shape != (batch, count):
        raise SpecError(f"score must return energies [B, S] = [{batch}, {count}]; got {list(scored.shape)}.")
    if scored.is_complex() or scored.layout is not torch.strided or scored.is_meta:
        raise SpecError(
            f"score must return dense tensors of real numbers; got {scored.dtype}, {scored.layout} on {scored.device}."
        )
    return scored.to(candidates.device, torch.float64 if scored.dtype in DOUBLE else torch.float32)


def _tensor(array: np.ndarray) -> Tensor:
    """Copy an array of any byte order and strides.

    Raises:
        SpecError: if it does not hold real numbers.
    """
    if array.dtype.kind not in "biuf":
        raise SpecError(f"score must return real numbers; got a NumPy array of {array.dtype}.")
    wide = np.float32 if np.can_cast(array.dtype, np.float32) else np.float64
    with np.errstate(over="ignore"):  # a long double beyond float64 is an infinite energy
        return torch.tensor(np.ascontiguousarray(array, wide))

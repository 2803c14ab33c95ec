"""Validation and conversion of scores for planners."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from tacit.errors import SpecError
from tacit.types import Numbers, Scored

__all__ = ["as_energies", "as_scored"]


def as_scored(answer: object, candidates: Numbers) -> Scored:
    """Return the result of a score with arrays of the same kind as the candidates.

    Args:
        answer: A :class:`tacit.types.Scored`, or energies alone.
        candidates: ``[B, S, H, A]`` the scored candidates.

    Raises:
        SpecError: if it holds anything else than real numbers ``[B, S]``.
    """
    if not isinstance(answer, Scored):
        return Scored(as_energies(answer, candidates))
    violation = answer.violation
    return Scored(
        as_energies(answer.energy, candidates),
        None if violation is None else as_energies(violation, candidates, "violations"),
        answer.terms,
    )


def as_energies(scored: object, candidates: Numbers, what: str = "energies") -> Numbers:
    """Return the result of a score as floating-point energies in the array kind and device of the candidates.

    Args:
        scored: A tensor or a NumPy array ``[B, S]`` of real numbers. Types that float32 cannot hold exactly, float64
            and large integers, become float64, all others float32.
        candidates: ``[B, S, H, A]`` the scored candidates.
        what: Its name in errors.

    Raises:
        SpecError: if ``scored`` is of another type, shape or kind of number.
    """
    batch, count = candidates.shape[:2]
    expected = f"score must return {what} [B, S] = [{batch}, {count}]"
    tensor = is_torch_array(scored)
    if not tensor and (not isinstance(scored, np.ndarray) or isinstance(scored, np.ma.MaskedArray)):
        raise SpecError(
            f"{expected} as a torch tensor or a NumPy array; got {type(scored).__name__}. Convert them with "
            "torch.as_tensor."
        )
    if tuple(scored.shape) != (batch, count):  # type: ignore[attr-defined]
        raise SpecError(f"{expected}; got {list(scored.shape)}.")  # type: ignore[attr-defined]
    if is_torch_array(candidates):
        import torch

        found = scored if isinstance(scored, torch.Tensor) else torch.from_numpy(_plain(scored))
        return _dense(found).to(candidates.device, torch.float64 if _wide(found.dtype) else torch.float32)
    return _plain(_dense(scored).detach().cpu().numpy() if tensor else scored)


def _dense(scored: Any) -> Any:
    """Return a tensor of real numbers; refuse any other."""
    import torch

    if scored.is_complex() or scored.layout is not torch.strided or scored.is_meta:
        raise SpecError(
            f"score must return dense tensors of real numbers; got {scored.dtype}, {scored.layout} on {scored.device}."
        )
    return scored


def _wide(dtype: Any) -> bool:
    import torch

    return dtype in (torch.float64, torch.int64, torch.int32)


def _plain(array: Any) -> np.ndarray[Any, Any]:
    """Copy an array of any byte order and strides.

    Raises:
        SpecError: if it does not hold real numbers.
    """
    if array.dtype.kind not in "biuf":
        raise SpecError(f"score must return real numbers; got a NumPy array of {array.dtype}.")
    wide = np.float32 if np.can_cast(array.dtype, np.float32) else np.float64
    with np.errstate(over="ignore"):  # a long double beyond float64 is an infinite energy
        return np.array(np.ascontiguousarray(array, wide))

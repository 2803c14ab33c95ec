"""Differences between a recorded and a repeated outcome."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["differences"]


def differences(expected: Any, found: Any, where: str = "") -> Iterator[tuple[str, float]]:
    """Yield the places where two decoded values differ, and the size of each difference.

    The size is the largest absolute difference of their numbers, and infinite where they are not comparable. Equal
    numbers have the same bits; those that differ only in theirs, such as NaN, have a difference of 0.
    """
    if isinstance(expected, np.ndarray) and isinstance(found, np.ndarray):
        if (expected.dtype, expected.shape) != (found.dtype, found.shape):
            yield where, math.inf
        elif expected.tobytes() != found.tobytes():
            yield where, _largest(expected, found)
    elif isinstance(expected, Mapping) and isinstance(found, Mapping):
        for name in {**expected, **found}:
            inner = f"{where}.{name}" if where else str(name)
            if name in expected and name in found:
                yield from differences(expected[name], found[name], inner)
            else:
                yield inner, math.inf
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (one, other) in enumerate(zip(expected, found, strict=True)):
            yield from differences(one, other, f"{where}[{index}]")
    elif type(expected) is not type(found) or isinstance(expected, (np.ndarray, Mapping, list)):
        yield where, math.inf
    elif expected != found:
        yield where, abs(expected - found) if isinstance(expected, (int, float)) else math.inf


def _largest(expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> float:
    if expected.dtype.kind == "U":
        return math.inf
    one, other = expected.astype(np.float64), found.astype(np.float64)
    apart = np.where((one == other) | (np.isnan(one) & np.isnan(other)), 0.0, np.abs(one - other))
    return float(np.nan_to_num(apart, nan=math.inf).max(initial=0.0))

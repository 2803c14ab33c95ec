"""Checks of a method's options and arguments."""

from __future__ import annotations

import math
from collections.abc import Collection

from tacit._check import require

__all__ = ["check_call", "check_range"]

FORMS = {1: "(T,)", 2: "(H, W)", 3: "(T, H, W)"}
METHODS = {1: "Spans, Future and RandomPatches", 2: "Blocks and RandomPatches", 3: "Tubes, Future and RandomPatches"}


def check_range(method: str, name: str, value: tuple[float, float], highest: float = math.inf) -> None:
    """Check that a pair of bounds satisfies ``0 < low <= high <= highest``.

    Raises:
        ConfigError: if it does not, with the name of the option.
    """
    fine = (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and 0 < value[0] <= value[1] <= highest
        and math.isfinite(value[1])
    )
    limit = "" if math.isinf(highest) else f" <= {highest:g}"
    require(fine, method, f"{name} = (low, high) with 0 < low <= high{limit}; got {value}")


def check_call(method: str, grid: tuple[int, ...], axes: Collection[int], batch: int, seed: int, rank: int) -> None:
    """Check the number of axes of a grid against ``axes``, and the range of the numbers.

    Raises:
        ConfigError: if one does not fit, with the methods that mask such a grid.
    """
    wanted = " or ".join(form for number, form in FORMS.items() if number in axes)
    advice = f"; {METHODS[len(grid)]} mask {FORMS[len(grid)]}" if len(grid) in FORMS else ""
    require(len(grid) in axes, method, f"a grid {wanted}; got {tuple(grid)}{advice}")
    require(min(grid) >= 1, method, f"a grid of at least one token along each axis; got {tuple(grid)}")
    require(batch >= 1, method, f"batch >= 1; got {batch}")
    require(min(seed, rank) >= 0, method, f"seed >= 0 and rank >= 0; got {seed} and {rank}")

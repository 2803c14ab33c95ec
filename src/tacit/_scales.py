"""Smallest spread that float32 numbers of a given size can show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

__all__ = ["varies"]

RESOLUTION = 8 * 2.0**-23
"""Eight steps of float32, relative to the size of a number: below it, a spread is rounding."""


@overload
def varies(spread: npt.NDArray[np.floating[Any]], size: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.bool_]: ...
@overload
def varies(spread: Tensor, size: Tensor) -> Tensor: ...
def varies(spread: Any, size: Any) -> Any:
    """Return an elementwise mask of numbers that vary by more than float32 rounding.

    Code that divides by a spread divides by 1 where this is false: division by nearly zero would amplify rounding, or a
    small shift after training, above everything that varies.

    Args:
        spread: Standard deviations, an array or a tensor.
        size: Largest magnitudes of the same numbers.
    """
    return spread > RESOLUTION * size

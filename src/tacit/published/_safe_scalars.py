"""Safe stand-ins for NumPy scalars in ``torch.load(weights_only=True)``.

Training loops save their loss as ``np.float64``, which a pickle rebuilds by ``scalar(dtype(code), bytes)``. Under
those two names the reader finds the functions below, which know numbers and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from tacit.errors import CheckpointError

__all__ = ["SAFE_SCALARS"]


_REFUSED = "has what says it is a number of numpy and is none: the file is damaged, or made to do harm."


class _Kind:
    """Stand-in for ``numpy.dtype``: the kind of a number."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or not re.fullmatch(r"[fiub][1248]", code):
            raise CheckpointError(_REFUSED)
        self.code, self.order = code, "="

    def __setstate__(self, state: object) -> None:
        """Take the order of bytes, the second entry of numpy's own state."""
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else None
        if order not in ("<", ">", "|", "="):
            raise CheckpointError(_REFUSED)
        self.order = order


def _number(kind: object, data: object) -> bool | int | float:
    """Return the number in the bytes, in place of numpy's ``scalar``."""
    if not isinstance(kind, _Kind) or not isinstance(data, bytes):
        raise CheckpointError(_REFUSED)
    dtype = np.dtype(kind.order + kind.code)
    if len(data) != dtype.itemsize:
        raise CheckpointError(_REFUSED)
    value: bool | int | float = np.frombuffer(data, dtype)[0].item()
    return value


SAFE_SCALARS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Kind, "numpy.dtype"),
    (_number, "numpy.core.multiarray.scalar"),  # of numpy 1
    (_number, "numpy._core.multiarray.scalar"),
]
"""Arguments for ``torch.serialization.safe_globals``."""

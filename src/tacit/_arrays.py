"""Shared functions for NumPy arrays and torch tensors; torch is imported only for tensors."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from array_api_compat import array_namespace as found_namespace
from array_api_compat import is_torch_array

__all__ = ["Numbers", "array_namespace", "as_numbers", "like"]

Numbers: TypeAlias = Any
"""Torch tensor or NumPy array."""
NAMESPACES: dict[type, Any] = {}
"""Namespaces of array types that were seen: a look-up takes longer than a small operation."""


def array_namespace(array: Numbers) -> Any:
    """Return the functions of the array API standard for a NumPy array or a torch tensor."""
    kind = type(array)
    if kind not in NAMESPACES:
        NAMESPACES[kind] = found_namespace(array)
    return NAMESPACES[kind]


def as_numbers(values: Numbers, device: Any) -> Numbers:
    """Return values as a float32 tensor without gradient, or a NumPy array if ``device`` is None."""
    if device is None:
        return np.asarray(values.detach().cpu() if is_torch_array(values) else values, np.float32)
    import torch

    return torch.as_tensor(values).detach().to(device, torch.float32)


def like(values: np.ndarray[Any, Any] | Numbers, array: Numbers, dtype: Any = None) -> Numbers:
    """Return values as an array of the kind, device and (by default) dtype of another one."""
    if isinstance(array, np.ndarray):
        return np.asarray(values, dtype=dtype or array.dtype)
    import torch

    values = values if isinstance(values, torch.Tensor) else torch.from_numpy(np.asarray(values))
    return values.detach().to(array.device, dtype or array.dtype)

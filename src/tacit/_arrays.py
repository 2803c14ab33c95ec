"""NumPy arrays and torch tensors in one code, which imports torch only for the latter."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from tacit.types import Numbers

__all__ = ["as_numbers", "like"]


def as_numbers(values: Numbers, device: Any) -> Numbers:
    """Return values as float32 without a gradient, as a tensor on a torch device or, for None, as a NumPy array."""
    if device is None:
        return np.asarray(values.detach().cpu() if is_torch_array(values) else values, np.float32)
    import torch

    return torch.as_tensor(values).detach().to(device, torch.float32)


def like(values: np.ndarray[Any, Any] | Numbers, array: Numbers, dtype: Any = None) -> Numbers:
    """Return values as an array of the kind and on the device of another one, in its dtype unless another is given."""
    xp = array_namespace(array)
    if is_torch_array(array):
        import torch

        values = values if is_torch_array(values) else torch.from_numpy(np.asarray(values))
        return values.detach().to(array.device, dtype or array.dtype)
    return xp.asarray(values, dtype=dtype or array.dtype)

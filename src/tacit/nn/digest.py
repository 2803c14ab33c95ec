"""Digest of weights and settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

__all__ = ["digest"]


def digest(settings: Any, tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of JSON values and named tensors as hexadecimal digits, on any device.

    Args:
        settings: JSON values.
        tensors: Tensors by name, such as a state dict.
    """
    total = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        tensor = value.detach().cpu().contiguous()
        total.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()

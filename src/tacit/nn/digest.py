"""Digest of weights and settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from tacit._config import to_json

__all__ = ["Digestible", "digest", "model_digest"]


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


class Digestible(Protocol):
    """Interface of a model with a digest: a torch module with a configuration."""

    @property
    def config(self) -> Any:
        """Return the configuration of the model."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return its parameters and buffers by name."""


def model_digest(model: Digestible) -> str:
    """Hash the class, the configuration and every parameter and buffer of a model.

    The hash does not depend on where the model was loaded from.
    """
    config = to_json(model.config) if is_dataclass(model.config) else None
    return digest([type(model).__name__, config], model.state_dict())

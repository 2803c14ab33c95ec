"""Digest of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Protocol

from tacit._config import to_json
from tacit.nn.digest import digest

__all__ = ["Digestible", "model_digest"]


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

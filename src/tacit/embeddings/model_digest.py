"""Digest of a model, which identifies the encoder of an embedding."""

from __future__ import annotations

from dataclasses import is_dataclass

from tacit._config import to_json
from tacit.nn.digest import digest
from tacit.probing.encoder import Encoder

__all__ = ["model_digest"]


def model_digest(model: Encoder) -> str:
    """Hash the class, the configuration and every parameter and buffer of a model.

    The hash does not depend on where the model was loaded from.
    """
    config = to_json(model.config) if is_dataclass(model.config) else None
    return digest([type(model).__name__, config], model.state_dict())

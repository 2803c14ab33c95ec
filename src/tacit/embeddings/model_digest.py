"""Digest of a model, which identifies the encoder of an embedding."""

from __future__ import annotations

import hashlib
import json
from dataclasses import is_dataclass

import torch

from tacit._config import to_json
from tacit.probing.encoder import Encoder

__all__ = ["model_digest"]


def model_digest(model: Encoder) -> str:
    """Hash the class, the configuration and every parameter and buffer of a model.

    The hash does not depend on where the model was loaded from.
    """
    config = to_json(model.config) if is_dataclass(model.config) else None
    total = hashlib.sha256(json.dumps([type(model).__name__, config], sort_keys=True).encode())
    for name, value in sorted(model.state_dict().items()):
        tensor = value.detach().cpu().contiguous()
        total.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()

"""Carriers of saved agents as JSON values and tensors, named as in their registry."""

from __future__ import annotations

from typing import Any

import torch

from tacit import checkpoint
from tacit._config import from_json, to_json
from tacit._part import Part as Named
from tacit._registry import name_of
from tacit.errors import ConfigError
from tacit.memory import carriers
from tacit.memory.carriers import CarrierModule
from tacit.types import Carrier

__all__ = ["read_carrier", "write_carrier"]


def write_carrier(carrier: Carrier) -> checkpoint.Part:
    """Return a carrier as JSON values and tensors.

    Raises:
        ConfigError: if it is none of the registry.
    """
    name = name_of(carriers.__name__, type(carrier))
    if name is None or not isinstance(carrier, CarrierModule):
        raise ConfigError(
            f"a {type(carrier).__name__} cannot be saved: a carrier is one of tacit.memory.carriers or of an entry "
            "point of the group 'tacit.memory.carriers'."
        )
    return checkpoint.Part(to_json(Named(name, to_json(carrier.config))), carrier.state_dict())


def read_carrier(part: checkpoint.Part, device: str | torch.device) -> CarrierModule:
    """Return the carrier of :func:`write_carrier`.

    Raises:
        CheckpointError: if it is incomplete, or its tensors do not fit.
        ConfigError: if there is no such carrier, or its options do not fit.
    """
    named = from_json(Named, part.config, "carrier")
    kind: Any = carriers.load(named.name)
    config = from_json(kind.configuration, named.options, "carrier")
    found: CarrierModule = checkpoint.fill(lambda: kind(config), part.tensors, "the carrier of the agent")
    return found.to(device).eval()

"""Readouts on disk: JSON and safetensors, with the digest of the model that they belong to."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as serialize

from tacit._files import check_file, parse_json, read_bytes, resolve, staged_directory
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.nn.digest import digest
from tacit.nn.readout import LinearReadout
from tacit.probing.encoder import Encoder

__all__ = ["load_readout", "save_readout"]

VALUES, TENSORS = "readout.json", "readout.safetensors"
MODEL = "model"
"""The entry with the digest of the model."""
LIMIT = 2**28
"""The largest number of bytes of the weights of a readout."""


def save_readout(readout: LinearReadout, path: str | Path, model: Encoder) -> None:
    """Write a readout to a directory, atomically.

    Args:
        readout: The readout.
        path: The directory to make or to replace.
        model: The model that it reads from; its digest is written too.

    Raises:
        CheckpointError: if something else is at ``path``.
    """
    place = resolve(path)
    if place.exists() and not (place / VALUES).is_file():
        raise CheckpointError(f"{place} is no readout, and is not replaced. Choose another place.")
    values, tensors = readout.pack()
    with staged_directory(place) as folder:
        (folder / VALUES).write_text(json.dumps({**values, MODEL: _digest(model)}, indent=1))
        (folder / TENSORS).write_bytes(serialize(tensors))


def load_readout(path: str | Path, model: Encoder) -> LinearReadout:
    """Read the readout of :func:`save_readout`.

    Args:
        path: Its directory.
        model: The model that it is to read from.

    Raises:
        CheckpointError: if it is missing or damaged, or belongs to another model.
    """
    place = resolve(path)
    try:
        values = parse_json(read_bytes(place / VALUES))
        check_file(place / TENSORS, LIMIT)
        tensors = parse_tensors((place / TENSORS).read_bytes())
        if not isinstance(values, dict):
            raise ConfigError(f"{VALUES} holds a mapping; got {type(values).__name__}.")
        owner = values.pop(MODEL, None)
        readout = LinearReadout.unpack(values, tensors)
    except (OSError, ValueError, SpecError, SafetensorError) as error:  # a ConfigError is a ValueError
        raise CheckpointError(
            f"{place} is not a readable readout: {error} Write one with tacit.probing.save_readout, or with: tacit "
            "probe RUN --target QUANTITY"
        ) from error
    if owner != _digest(model):
        raise CheckpointError(
            f"the readout of {readout.target!r} in {place} belongs to another model, or to this one before it was "
            f"trained further. Fit it again: tacit probe RUN --target {readout.target}"
        )
    return readout


def _digest(model: Encoder) -> str:
    return digest(type(model).__name__, model.state_dict())

"""Saved guards: scores by their registered names, thresholds as JSON, fitted constants as arrays."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load as parse_arrays
from safetensors.numpy import save as serialize

from tacit._config import from_json, to_json
from tacit._files import check_file, parse_json, read_bytes, staged_directory
from tacit._part import Part
from tacit._registry import name_of
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.guard._calibration import Calibration, Threshold
from tacit.guard._guard import Caution, Guard
from tacit.guard._standardization import Standardization
from tacit.types import Store

__all__ = ["load_guard", "pack", "save_guard", "unpack"]

Arrays = Mapping[str, npt.NDArray[Any]]
CONFIG, ARRAYS = "guard.json", "guard.safetensors"
STANDARDIZATION = "standardization."
LIMIT = 2**31
"""The largest number of bytes of the arrays of a guard."""


@dataclass(frozen=True)
class _Written:
    """The JSON content; the arrays of score ``i`` are stored as ``<i>.<option>``."""

    scores: tuple[Part, ...]
    names: tuple[str, ...]
    slow: Threshold
    stop: Threshold
    caution: Caution


def pack(guard: Guard) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Return a guard as JSON values and arrays by name.

    Raises:
        ConfigError: if a score is not registered or not a dataclass.
    """
    scores: list[Part] = []
    arrays: dict[str, npt.NDArray[Any]] = {}
    for index, score in enumerate(guard.scores):
        name = name_of("tacit.guard", type(score))
        if name is None or not dataclasses.is_dataclass(score):
            raise ConfigError(
                f"a {type(score).__name__} cannot be saved: a score is a dataclass of tacit.guard or of an entry point "
                "of the group 'tacit.guard'."
            )
        options = {one.name: vars(score)[one.name] for one in dataclasses.fields(score)}
        # A saved guard holds the latents of a memory, so that it stays the same when the memory forgets.
        options |= {key: one.entries().latents for key, one in options.items() if isinstance(one, Store)}
        for key in [key for key, option in options.items() if isinstance(option, np.ndarray)]:
            arrays[f"{index}.{key}"] = np.ascontiguousarray(options.pop(key))
        scores.append(Part(name, to_json(options)))
    calibration = guard.calibration
    arrays |= {STANDARDIZATION + name: value for name, value in vars(calibration.standardization).items()}
    written = _Written(tuple(scores), calibration.names, calibration.slow, calibration.stop, guard.caution)
    return to_json(written), arrays


def unpack(config: Mapping[str, Any], arrays: Arrays) -> Guard:
    """Return the guard of :func:`pack`.

    Raises:
        CheckpointError: if something is missing or does not fit, or names a score that is not installed.
    """
    try:
        written = from_json(_Written, config, "guard")
        registry = import_module("tacit.guard")
        scores = [part.build(registry.load, **_under(arrays, f"{i}.")) for i, part in enumerate(written.scores)]
        standard = Standardization(**_under(arrays, STANDARDIZATION))
        return Guard(tuple(scores), Calibration(written.names, standard, written.slow, written.stop), written.caution)
    except (ConfigError, SpecError, TypeError, ValueError) as error:
        raise CheckpointError(f"the guard cannot be built here: {error}") from error


def save_guard(guard: Guard, path: Path) -> None:
    """Write a guard to a directory, atomically."""
    config, arrays = pack(guard)
    with staged_directory(path) as folder:
        (folder / CONFIG).write_text(json.dumps(config, indent=1))
        (folder / ARRAYS).write_bytes(serialize(arrays))


def load_guard(path: Path) -> Guard:
    """Read the guard of :func:`save_guard`.

    Raises:
        CheckpointError: if it is missing, damaged, or names a score that is not installed.
    """
    try:
        config = parse_json(read_bytes(path / CONFIG))
        check_file(path / ARRAYS, LIMIT)
        arrays = parse_arrays((path / ARRAYS).read_bytes())
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not a readable guard: {error}") from error
    return unpack(config, arrays)


def _under(arrays: Arrays, prefix: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays whose names begin with a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

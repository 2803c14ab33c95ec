"""Files that others published, read without running anything that is in them."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tacit._files import resolve
from tacit.checkpoint._mapped import Mapped
from tacit.checkpoint._numbers import NUMBERS
from tacit.errors import CheckpointError

__all__ = ["Published", "read"]

Parts: TypeAlias = Mapping[str, Mapping[str, Tensor]]

_ENTRIES = ("encoder", "target_encoder", "predictor")
_READOUTS = ("pooler", "classifier")  # of transformers, beside an encoder
_TRAINING = ("opt", "optimizer", "scaler", "scheduler", "epoch", "loss", "batch_size", "world_size", "lr")
_SUFFIXES = (".safetensors", ".pt", ".pth", ".tar", ".bin")
_WRAPPERS = re.compile(r"(?:module\.|backbone\.|vjepa2\.|ijepa\.)+")  # of distributed training, masks, classifiers


@dataclass(frozen=True)
class Published:
    """What a file holds, under the names of its publication.

    Attributes:
        where: What errors call it.
        parts: Tensors by name: ``encoder``, ``target_encoder``, ``predictor``, or ``world_model``. They are mapped
            from the file and read from it when they are first needed.
        left: What else has tensors, and is not read.
        again: Maps the file anew.
        config: The ``config.json`` beside the weights; empty where there is none.
    """

    where: str
    parts: Parts
    left: tuple[str, ...]
    again: Callable[[], Parts]
    config: Mapping[str, Any] = field(default_factory=dict)

    def mapped(self, part: str) -> Mapped:
        """The tensors of a part, to be converted one after the other."""
        return Mapped(self.parts[part], lambda: self.again()[part])


def read(path: str | Path) -> Published:
    """Read a file, or the directory of a model as the Hugging Face hub has it.

    Raises:
        CheckpointError: if there is none, it is damaged, or it holds anything but tensors and plain values.
    """
    path = resolve(path)
    files = _files(path)
    parts, left = _parts(files)
    return Published(str(path), parts, left, lambda: _parts(files)[0], _config(files[0].with_name("config.json")))


def _parts(files: list[Path]) -> tuple[Parts, tuple[str, ...]]:
    """The networks, and what else has tensors."""
    if files[0].suffix == ".safetensors":
        tensors = {name: value for file in files for name, value in _safetensors(file).items()}
        return _split(_tensors(tensors, files[0]), files[0])
    content = _torch(files[0])
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{files[0]} holds a {type(content).__name__}; expected tensors by name.")
    entries = {name: content[name] for name in _ENTRIES if isinstance(content.get(name), Mapping)}
    if not entries:
        return _split(_tensors(content, files[0]), files[0])
    known = (*entries, *_TRAINING)
    left = tuple(str(name) for name, value in content.items() if name not in known and _has_tensors(value))
    return {name: _tensors(entry, files[0]) for name, entry in entries.items()}, left


def _has_tensors(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_tensors, value.values()))
    return any(map(_has_tensors, value)) if isinstance(value, (list, tuple, set)) else isinstance(value, Tensor)


def _files(path: Path) -> list[Path]:
    """The files of weights: one, or the shards of an index."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CheckpointError(f"expected weights to convert; {path} does not exist.")
    index = path / "model.safetensors.index.json"
    if index.exists():
        shards = sorted(set(_config(index).get("weight_map", {}).values()))
        if shards and all(Path(name).name == name and (path / name).is_file() for name in shards):
            return [path / name for name in shards]
        raise CheckpointError(f"{path} is incomplete: {index.name} names shards that are not beside it.")
    found = [file for file in sorted(path.iterdir()) if file.suffix in _SUFFIXES]
    preferred = [file for file in found if file.name == "model.safetensors"] or found
    if len(preferred) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise CheckpointError(f"expected one file of weights in {path}; it has {names}. Give the path of one.")
    return preferred


def _config(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{file} is not readable JSON ({error}).") from error
    return value if isinstance(value, dict) else {}


def _safetensors(file: Path) -> dict[str, Tensor]:
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{file} is not a safetensors file ({error}).") from error


def _torch(file: Path) -> Any:
    mapped = zipfile.is_zipfile(file)  # files of PyTorch before 1.6 are not, and cannot be mapped
    try:
        with torch.serialization.safe_globals(NUMBERS):
            return torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except CheckpointError as error:
        raise CheckpointError(f"{file} {error}") from error
    except Exception as error:  # torch raises many kinds, of which only the text tells what happened
        if "weights_only" in str(error) or "Weights only" in str(error):
            reason = re.search(r"Unsupported (?:global|class|operand)[^\n]*|GLOBAL [^\n]*", str(error))
            raise CheckpointError(
                f"{file} holds more than tensors and plain values{f' ({reason[0]})' if reason else ''}: a pickled "
                "module, array or other object, and reading that would run whatever code its author put there. Ask for "
                "a state dict, or save one where you trust the file: torch.save(module.state_dict(), ...)."
            ) from error
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{file} is damaged or no file of PyTorch ({said}).") from error


def _tensors(entry: Mapping[Any, Any], file: Path) -> dict[str, Tensor]:
    """The tensors of a state dict, without the prefixes that wrappers of the module left."""
    out: dict[str, Tensor] = {}
    for key, value in entry.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{file} has {key!r}, of type {type(value).__name__}, among its tensors.")
        name = key[found.end() :] if (found := _WRAPPERS.match(key)) else key
        if name in out:
            raise CheckpointError(f"{file} has {name!r} twice, once as {key!r}.")
        out[name] = value
    return out


def _split(tensors: Mapping[str, Tensor], file: Path) -> tuple[Parts, tuple[str, ...]]:
    """Tensors of one dict by the first part of their names, and what else it names."""
    if any(name.startswith("predictor.transformer.") for name in tensors):
        return {"world_model": tensors}, ()
    groups: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        first, _, name = key.partition(".")
        groups.setdefault(first, {})[name] = value
    # An encoder of transformers alone may itself call its blocks "encoder".
    if "embeddings" not in groups and any(name in groups for name in _ENTRIES):
        parts = {name: _tensors(groups[name], file) for name in _ENTRIES if name in groups}
        return parts, tuple(name for name in groups if name not in parts)
    left = tuple(name for name in _READOUTS if name in groups)
    return {"encoder": {key: value for key, value in tensors.items() if key.partition(".")[0] not in left}}, left

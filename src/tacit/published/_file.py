"""Files of publications, read without running anything that is in them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import Parameter

from tacit._files import check_file, is_file, read_json, resolve
from tacit.errors import CheckpointError
from tacit.published._lazy_tensors import LazyTensors
from tacit.published._safe_scalars import SAFE_SCALARS

__all__ = ["PublishedFile", "read"]

Parts: TypeAlias = Mapping[str, Mapping[str, Tensor]]
T = TypeVar("T")

_ENTRIES = ("encoder", "target_encoder", "predictor")
_READOUTS = ("pooler", "classifier")  # of transformers, next to an encoder
_TRAINING = ("opt", "optimizer", "scaler", "scheduler", "epoch", "loss", "batch_size", "world_size", "lr")
_LARGE = 2**53
_SHOWN, _SHOWN_LETTERS = 5, 100
_SHARED = 4
"""Times that the tensors of a file may use its bytes; a file may hold one encoder as two."""
_SUFFIXES = (".safetensors", ".pt", ".pth", ".tar", ".bin")
_WRAPPERS = re.compile(r"(?:module\.|backbone\.|vjepa2\.|ijepa\.)+")  # of distributed training, masks, classifiers


@dataclass(frozen=True)
class PublishedFile:
    """Content of a file, under the names of its publication.

    Attributes:
        where: Its name in errors.
        parts: Tensors by name: ``encoder``, ``target_encoder``, ``predictor``, or ``world_model``. They are mapped
            from the file and read from it when they are first needed.
        left: Names of other entries that have tensors and are not read.
        again: Maps the file again.
        config: The ``config.json`` next to the weights; empty where there is none.
    """

    where: str
    parts: Parts
    left: tuple[str, ...]
    again: Callable[[], Parts]
    config: Mapping[str, Any] = field(default_factory=dict)

    def setting(self, name: str, kind: type[T]) -> T | None:
        """Return an entry of the config, None where there is none or it is null.

        Raises:
            CheckpointError: if it is of another type, or a number below 1 where a whole one is meant.
        """
        value: Any = self.config.get(name)
        if value is None:
            return None
        if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGE:
            value = float(value)
        right = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not right or (kind is int and not 1 <= value < _LARGE):
            expected = "a whole number of at least 1" if kind is int else f"a {kind.__name__}"
            raise CheckpointError(
                f"the config of {self.where} has {name} {_short(value)}; expected {expected}. Check that the config is "
                "that of these weights."
            )
        return cast("T", value)

    def mapped(self, part: str) -> LazyTensors:
        """Return the tensors of a part, to be converted one after the other."""
        return LazyTensors(self.parts[part], lambda: self.again()[part])


def read(path: str | Path) -> PublishedFile:
    """Read a file, or the directory of a model from the Hugging Face hub.

    Raises:
        CheckpointError: if there is none, it is damaged, or it holds anything but tensors and plain values.
    """
    path = resolve(path)
    files = _files(path)
    parts, left = _parts(files)
    return PublishedFile(str(path), parts, left, lambda: _parts(files)[0], _config(files[0].with_name("config.json")))


def _parts(files: list[Path]) -> tuple[Parts, tuple[str, ...]]:
    """Return the networks, and the other entries that have tensors."""
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
    left = tuple(str(name) for name, value in content.items() if name not in known and _has_tensors(value, set()))
    return {name: _tensors(entry, files[0]) for name, entry in entries.items()}, left


def _has_tensors(value: object, seen: set[int]) -> bool:
    """Return True if there is a tensor in nested containers.

    They may hold each other; ``seen`` are those looked into.
    """
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Tensor):
            return True
        if isinstance(one, (Mapping, list, tuple, set)) and id(one) not in seen:
            seen.add(id(one))
            waiting += one.values() if isinstance(one, Mapping) else one
    return False


def _files(path: Path) -> list[Path]:
    """Return the files of weights: one, or the shards of an index."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        problem = "is no regular file" if path.exists() else "does not exist"
        raise CheckpointError(f"expected weights to convert; {path} {problem}.")
    index = path / "model.safetensors.index.json"
    if index.exists():
        return [path / name for name in _shards(index)]
    found = [file for file in sorted(path.iterdir()) if file.suffix in _SUFFIXES]
    preferred = [file for file in found if file.name == "model.safetensors"] or found
    if len(preferred) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise CheckpointError(f"expected one file of weights in {path}; it has {names}. Give the path of one.")
    return preferred


def _shards(index: Path) -> list[str]:
    """Return the names of the shards in an index of the Hugging Face hub. Each of them is next to it."""
    named = _config(index).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise CheckpointError(
            f"{index} needs the entry 'weight_map', which maps names of tensors to names of files; got {_short(named)}."
        )
    shards = sorted(set(named.values()))
    missing = [name for name in shards if Path(name).name != name or not is_file(index.parent / name)]
    if missing or not shards:
        which = ", ".join(_short(name) for name in missing[:_SHOWN]) or "no file"
        raise CheckpointError(
            f"{index.parent} is incomplete: {index.name} names shards that are not next to it: {which}."
        )
    wrong = [name for name in shards if not name.endswith(".safetensors")]
    if wrong:
        raise CheckpointError(f"{index} names shards in safetensors; got {_short(wrong[0])}.")
    return shards


def _config(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        value = read_json(file)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} is not readable JSON ({error}).") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{file} must hold a JSON object; got a {type(value).__name__}.")
    return value


def _short(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, float, type(None))) else type(value).__name__
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}..."


def _safetensors(file: Path) -> dict[str, Tensor]:
    try:
        check_file(file)
        with safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{file} is not a safetensors file ({error}).") from error


def _torch(file: Path) -> Any:
    mapped = _is_zip(file)  # files of PyTorch before 1.6 are not, and cannot be mapped
    try:
        with torch.serialization.safe_globals(SAFE_SCALARS):
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
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{file} is damaged or no file of PyTorch ({problem}).") from error


def _is_zip(file: Path) -> bool:
    """Return True if a file is an archive as torch writes them. A compressed one could unpack to any size.

    Raises:
        CheckpointError: if it is no regular file, or a damaged or compressed archive.
    """
    try:
        check_file(file)
        if not zipfile.is_zipfile(file):
            return False
        with zipfile.ZipFile(file) as archive:
            packed = [entry.filename for entry in archive.infolist() if entry.compress_type != zipfile.ZIP_STORED]
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{file} is damaged or no file of PyTorch ({error}).") from error
    if packed:
        raise CheckpointError(
            f"{file} has the compressed entry {_short(packed[0])}; torch.save compresses nothing. Unpack it, or get "
            "the file as its authors published it."
        )
    return True


def _check_memory(tensors: Mapping[str, Tensor], file: Path) -> None:
    """Refuse tensors that are no arrays in the file: strides of 0, views that overlap, sparse and quantised ones.

    Such a tensor can claim terabytes that a few bytes of the file stand for.

    Raises:
        CheckpointError: naming the first one.
    """
    claimed = 0
    for name, value in tensors.items():
        plain = type(value) in (Tensor, Parameter) and value.layout == torch.strided and value.device.type == "cpu"
        if not plain or value.is_quantized:
            raise CheckpointError(
                f"{file} has {_short(name)}, which is no plain array in memory but {value.layout}, {value.dtype} on "
                f"{value.device}. Save it as a dense tensor on the CPU."
            )
        held = value.untyped_storage().nbytes()
        if value.nbytes > held:
            raise CheckpointError(
                f"{file} has {_short(name)} of shape {list(value.shape)}, {value.nbytes} bytes, of which the file "
                f"holds {held}: its rows share memory. Save value.contiguous() in its place where you trust the file."
            )
        claimed += value.nbytes
    size = file.stat().st_size
    if claimed > _SHARED * size:
        raise CheckpointError(
            f"the tensors of {file} are {claimed} bytes and the file has {size}: they share memory more than networks "
            "do that a file holds twice. It is damaged, or made to do harm."
        )


def _tensors(entry: Mapping[Any, Any], file: Path) -> dict[str, Tensor]:
    """Return the tensors of a state dict, without prefixes that wrappers of modules left."""
    out: dict[str, Tensor] = {}
    for key, value in entry.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise CheckpointError(f"{file} has {_short(key)}, of type {type(value).__name__}, among its tensors.")
        name = key[found.end() :] if (found := _WRAPPERS.match(key)) else key
        if name in out:
            raise CheckpointError(f"{file} has {name!r} twice, once as {key!r}.")
        out[name] = value
    if file.suffix != ".safetensors":
        _check_memory(out, file)
    return out


def _split(tensors: Mapping[str, Tensor], file: Path) -> tuple[Parts, tuple[str, ...]]:
    """Return tensors of one dict by the first part of their names.

    The other entries that it names are returned as well.
    """
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

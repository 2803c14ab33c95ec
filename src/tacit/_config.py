"""Conversion of configurations, frozen dataclasses next to their owners, to JSON and back.

Unknown keys and wrong types are errors that name the key and the nearest known one; missing values are never
filled in from a second source.
"""

from __future__ import annotations

import dataclasses
import functools
import reprlib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from tacit._files import parse_json
from tacit._registry import suggest
from tacit.errors import ConfigError

__all__ = ["OMIT_DEFAULT", "from_json", "named_value", "to_json"]

T = TypeVar("T")


OMIT_DEFAULT: Mapping[str, Any] = {"omit_default": True}
"""Metadata of a field that is left out of the JSON at its default, so that files and hashes stay unchanged."""

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 100, 100


def to_json(value: Any) -> Any:
    """Return dataclasses, mappings and sequences as plain JSON values.

    A field with ``metadata=OMIT_DEFAULT`` is left out where it has its default, so that a new field changes neither
    the JSON nor the hash of configurations that do not use it.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value) if not _omitted(f, value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ConfigError(f"a configuration holds numbers, strings, sequences and mappings; got {type(value).__name__}.")


def _omitted(field: dataclasses.Field[Any], value: Any) -> bool:
    return "omit_default" in field.metadata and bool(getattr(value, field.name) == field.default)


def from_json(cls: type[T], data: Mapping[str, Any], where: str = "") -> T:
    """Build the dataclass ``cls`` from JSON values.

    Raises:
        ConfigError: on an unknown or missing key or a value of another type, naming it.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{where or cls.__name__} must be a mapping; got {type(data).__name__}.")
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    hints = _hints(cls)  # type: ignore[arg-type]  # classes are hashable
    for key in data:
        if key not in fields:
            near = suggest(key, fields) or f" It has {', '.join(fields) or 'none'}."
            raise ConfigError(f"{where or cls.__name__} has no option {_shown(key)}.{near}")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in data:
            raise ConfigError(f"{where or cls.__name__} needs the option {name!r}.")
    return cls(**{key: _convert(hints[key], value, f"{where or cls.__name__}.{key}") for key, value in data.items()})


def named_value(word: str) -> tuple[str, Any]:
    """Return name and value of ``NAME=VALUE``, the value JSON or else text.

    Raises:
        ConfigError: if the word has no ``=``, or its value looks like a list or a mapping and is not JSON.
    """
    name, equals, value = word.partition("=")
    if not equals or not name:
        raise ConfigError(f"an option is NAME=VALUE, for example training.lr=3e-4; got {word!r}.")
    try:
        return name, parse_json(value)
    except ValueError:
        if value[:1] in ("(", "[", "{"):
            raise ConfigError(
                f'lists and mappings are written as JSON, for example size=[48,64] or columns=["a","b"]; got '
                f"{word!r}. Quote the word, so that the shell leaves it as it is."
            ) from None
        return name, value


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    """Return the types of a dataclass's fields, cached because they take longer than all the rest."""
    return typing.get_type_hints(cls)


def _convert(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        for option in arguments:
            try:
                return _convert(option, value, where)
            except ConfigError:
                continue
    elif origin is typing.Literal:
        if value in arguments:
            return value
        raise ConfigError(f"{where} is one of {', '.join(map(repr, arguments))}; got {_shown(value)}.")
    elif dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return from_json(kind, value, where)
    elif origin is tuple and isinstance(value, (list, tuple)):
        items = [arguments[0]] * len(value) if len(arguments) == 2 and arguments[1] is Ellipsis else list(arguments)
        if len(items) == len(value):
            if len(arguments) == 2 and arguments[0] is float and set(map(type, value)) <= {float}:
                return tuple(value)  # many numbers, such as the bounds of actions
            return tuple(_convert(item, entry, where) for item, entry in zip(items, value, strict=True))
    elif isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {str(key): _convert(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    elif kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise ConfigError(f"{where} must be a number that a float holds; got {_shown(value)}.") from None
    elif isinstance(kind, type) and isinstance(value, kind) and not (isinstance(value, bool) and kind is int):
        return value
    elif kind is type(None) and value is None:
        return None
    expected = getattr(kind, "__name__", str(kind))
    raise ConfigError(f"{where} must be {expected}; got {_shown(value)}.")


def _shown(value: Any) -> str:
    """Return the beginning of the repr of a value of any size."""
    return _SHORT.repr(value)

"""Conversion of configurations, frozen dataclasses next to their owners, to JSON and back.

Unknown keys and wrong types are errors that name the key and the nearest known one; missing values are never
filled in from a second source.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import reprlib
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from tacit._files import parse_json
from tacit._registry import name_of, suggest
from tacit.errors import ConfigError

__all__ = ["OMIT_DEFAULT", "WEIGHTLESS", "from_json", "named_value", "registered", "to_json"]

T = TypeVar("T")


OMIT_DEFAULT: Mapping[str, Any] = {"omit_default": True}
"""Metadata of a field that is left out of the JSON at its default, so that files and hashes stay unchanged."""

WEIGHTLESS: Mapping[str, Any] = {"weights": False}
"""Metadata of an option in which a model may differ from the one whose weights it starts from."""


def registered(package: str, attribute: str = "") -> Mapping[str, Any]:
    """Return metadata of a field that holds a component of a registry, or a mapping of them.

    In JSON a component is the mapping of its options, with its registered name under ``name``.

    Args:
        package: The package of the registry, such as ``tacit.models.predictors``.
        attribute: Attribute of the registered class that is the class of the component; the class itself by default.
    """
    return {"registry": (package, attribute)}


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 100, 100


def to_json(value: Any) -> Any:
    """Return dataclasses, mappings and sequences as plain JSON values.

    A field with ``metadata=OMIT_DEFAULT`` is left out where it has its default, so that a new field changes neither
    the JSON nor the hash of configurations that do not use it.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _field_json(f, value) for f in dataclasses.fields(value) if not _omitted(f, value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ConfigError(f"a configuration holds numbers, strings, sequences and mappings; got {type(value).__name__}.")


def _field_json(field: dataclasses.Field[Any], value: Any) -> Any:
    """Return a field of a dataclass as JSON values."""
    own = getattr(value, field.name)
    if "registry" not in field.metadata:
        return to_json(own)
    if isinstance(own, Mapping):
        return {str(key): _component_json(field.metadata["registry"][0], item) for key, item in own.items()}
    return _component_json(field.metadata["registry"][0], own)


def _component_json(package: str, value: Any) -> dict[str, Any]:
    """Return the name and the options of a component.

    Raises:
        ConfigError: if the registry does not have its class.
    """
    name = name_of(package, type(value))
    if name is None:
        raise ConfigError(
            f"a {type(value).__qualname__} is not registered, so that a file cannot name it. Add an entry point of the "
            f"group {package!r} to your package."
        )
    return {"name": name, **to_json(value)}


def _component(registry: tuple[str, str], value: Any, where: str) -> Any:
    """Build a component, or a mapping of them, from JSON values."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a mapping; got {_shown(value)}.")
    name = value.get("name")
    if not isinstance(name, str):
        return {str(key): _component(registry, item, f"{where}.{key}") for key, item in value.items()}
    package, attribute = registry
    kind = importlib.import_module(package).load(name)
    kind = vars(kind).get(attribute) if attribute else kind
    if not dataclasses.is_dataclass(kind):
        raise ConfigError(f"{where} cannot be {name!r}.")
    return from_json(kind, {key: item for key, item in value.items() if key != "name"}, where)  # type: ignore[arg-type]


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
    options = {}
    for key, value in data.items():
        place, registry = f"{where or cls.__name__}.{key}", fields[key].metadata.get("registry")
        options[key] = _component(registry, value, place) if registry else _convert(hints[key], value, place)
    return cls(**options)


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

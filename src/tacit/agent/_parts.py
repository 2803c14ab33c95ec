"""Planners, costs and constraints of a saved agent: by their registered names, or given again when it is loaded."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from torch import Tensor, nn

from tacit._config import to_json
from tacit._part import Part as Named
from tacit.agent._owned import read_owned, write_owned
from tacit.errors import CheckpointError, ConfigError

__all__ = ["built", "described", "label_of"]

OWN = "own:"
"""The start of the name of an object that is not in a registry."""
WEIGHTS = "weights:"
"""The start of the names of the tensors of such an object."""


def described(value: object, kind: Any, own: dict[str, object]) -> tuple[Named, dict[str, Tensor]]:
    """Return an object as plain values, and its tensors separately.

    An object that is no dataclass of the registry is written as its name, with its weights if it is a torch module.

    Args:
        value: A planner, a cost or a constraint.
        kind: The namespace of its registry, such as :mod:`tacit.costs`.
        own: The objects outside the registries so far, by name; this one is added.

    Raises:
        ConfigError: if an object outside the registry has no name, or another one has the same.
    """
    name = next((name for name in kind.names() if kind.load(name) is type(value)), None)
    if name is None or not dataclasses.is_dataclass(value):
        label = label_of(value)
        if own.setdefault(label, value) is not value:
            raise ConfigError(f"two different objects of the agent are called {label!r}. Rename one to save them.")
        weights = value.state_dict() if isinstance(value, nn.Module) else {}
        return Named(OWN + label), {WEIGHTS + key: tensor for key, tensor in weights.items()}
    options = {field.name: vars(value)[field.name] for field in dataclasses.fields(value)}
    tensors: dict[str, Tensor] = {}
    for key, option in list(options.items()):
        if (owned := write_owned(option)) is not None:
            options[key], arrays = owned
            tensors |= {f"{key}.{part}": array for part, array in arrays.items()}
        elif isinstance(option, Tensor):
            tensors[key] = options.pop(key)
    return Named(name, {key: to_json(option) for key, option in options.items()}), tensors


def built(named: Named, kind: Any, tensors: Mapping[str, Tensor], own: Mapping[str, object]) -> Any:
    """Return the object of :func:`described`.

    Args:
        named: Its plain values.
        kind: The namespace of its registry.
        tensors: Its tensors.
        own: The objects that are not in a registry, by name.

    Raises:
        CheckpointError: if it is not in a registry and was not given, or its weights do not fit.
        ConfigError: if it is not installed, or its options do not fit.
    """
    if not named.name.startswith(OWN):
        plain, given = _with_owned(named, tensors)
        return plain.build(kind.load, **given)
    label = named.name.removeprefix(OWN)
    if label not in own:
        raise CheckpointError(
            f"this agent uses {label!r}, which is not in a registry and which a file cannot hold. Give it again: "
            f"Agent.load(path, own={{{label!r}: ...}})."
        )
    value, weights = own[label], {key.removeprefix(WEIGHTS): tensor for key, tensor in tensors.items()}
    if isinstance(value, nn.Module):
        try:
            value.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(f"the weights of {label!r} do not fit the given one: {error}") from error
    return value


def label_of(value: object) -> str:
    """Return the name of a function, or of the class of an object.

    Raises:
        ConfigError: if it has none, such as a lambda.
    """
    kind = value if isinstance(value, (type, FunctionType)) else type(value)
    label = kind.__qualname__.rpartition(".")[2]
    if not label.isidentifier():
        raise ConfigError(f"what is saved needs a name; got {value!r}. Write a function with def, or a class.")
    return label


def _with_owned(part: Named, arrays: Mapping[str, Tensor]) -> tuple[Named, dict[str, Any]]:
    """Return a part without the fitted values that it owns, and these values with their tensors."""
    given: dict[str, Any] = {key: value for key, value in arrays.items() if "." not in key}
    options = dict(part.options)
    for key in {key.partition(".")[0] for key in arrays if "." in key}:
        own = {name.removeprefix(f"{key}."): array for name, array in arrays.items() if name.startswith(f"{key}.")}
        try:
            given[key] = read_owned(options.pop(key, None), own)
        except ConfigError as error:
            raise ConfigError(f"{key!r} of {part.name!r} cannot be read: {error}") from error
    return dataclasses.replace(part, options=options), given

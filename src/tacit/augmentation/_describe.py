"""Augmentations as plain JSON values and back: a run writes down what it did to its pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import tacit.augmentation
from tacit._config import from_json, to_json
from tacit.augmentation._augmentation import Augmentation
from tacit.augmentation.multi_crop import MultiCrop
from tacit.errors import ConfigError

__all__ = ["build", "describe"]


def describe(augmentation: Augmentation | MultiCrop) -> dict[str, Any]:
    """The registered name of an augmentation and its options, those within it too, as plain values.

    Raises:
        ConfigError: if it is no dataclass of the registry.
    """
    names = tacit.augmentation.names()
    name = next((name for name in names if tacit.augmentation.load(name) is type(augmentation)), None)
    if name is None or not dataclasses.is_dataclass(augmentation):
        raise ConfigError(
            f"what can be described are the dataclasses of tacit.augmentation ({', '.join(names)}) and of installed "
            f"extensions; got {augmentation!r}."
        )
    options = {field.name: _plain(getattr(augmentation, field.name)) for field in dataclasses.fields(augmentation)}
    return {"name": name, "options": options}


def build(described: Mapping[str, Any]) -> Any:
    """The augmentation that :func:`describe` described.

    Raises:
        ConfigError: if it names one that is not installed, or options that it does not have.
    """
    if set(described) != {"name", "options"}:
        raise ConfigError(f"an augmentation is described by a name and options; got {dict(described)!r}.")
    options = {key: _built(value) for key, value in described["options"].items()}
    return from_json(tacit.augmentation.load(described["name"]), options)


def _plain(value: Any) -> Any:
    if isinstance(value, Augmentation):
        return describe(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else to_json(value)


def _built(value: Any) -> Any:
    if isinstance(value, Mapping):
        return build(value)
    return [_built(item) for item in value] if isinstance(value, list) else value

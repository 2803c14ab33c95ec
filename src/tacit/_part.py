"""Registered part, such as a planner, as plain values: its name, its options and its weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, is_dataclass
from inspect import signature
from typing import Any

from tacit._config import from_json, to_json
from tacit._registry import suggest
from tacit.errors import ConfigError

__all__ = ["Part"]


@dataclass(frozen=True)
class Part:
    """Objective term, masking, planner or cost as its registered name, its options and its weight."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    weight: float = 1.0

    def build(self, load: Callable[[str], Any], **arrays: Any) -> Any:
        """Build the part, without its weight.

        Args:
            load: The ``load`` of its registry, such as ``tacit.planners.load``.
            arrays: Further options that are not plain values.

        Raises:
            ConfigError: if there is no such part or it has no such option.
        """
        kind = load(self.name)
        known = signature(kind).parameters
        for option in self.options:
            if option not in known:
                raise ConfigError(f"{self.name!r} has no option {option!r}.{suggest(option, known)}")
        if isinstance(kind, type) and is_dataclass(kind):
            return from_json(kind, {**to_json(self.options), **arrays}, self.name)
        return kind(**self.options, **arrays)

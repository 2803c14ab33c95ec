"""Options of reading a LeRobot dataset."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np

from tacit._config import to_json
from tacit._resize import check_size
from tacit.errors import ConfigError
from tacit.types import ActionKind

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """Options of reading a LeRobot dataset; see :class:`tacit.data.formats.LeRobotReader`, which inherits them."""

    action: str | tuple[str, ...] | None = None
    observation: str | tuple[str, ...] | None = None
    label: str | tuple[str, ...] = ()
    skip: str | tuple[str, ...] = ()
    strip: str | tuple[str, ...] | None = None
    size: int | tuple[int, int] | None = None
    tolerance: float | None = None
    kind: ActionKind | tuple[ActionKind | None, ...] | None = None
    position: str | None = None
    position_index: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("action", "observation", "label", "skip", "strip"):
            value = getattr(self, name)
            names = value if value is None else (value,) if isinstance(value, str) else tuple(value)
            if names is not None and not all(isinstance(item, str) and item for item in names):
                raise ConfigError(f"{name}= is the name of a feature or several of them; got {value!r}.")
            object.__setattr__(self, name, names)
        check_size(self.size)
        if self.position_index and self.position is None:
            raise ConfigError("position_index= are components of a modality; name it too: position='state'.")
        if self.tolerance is not None and not (np.isfinite(self.tolerance) and self.tolerance > 0):
            raise ConfigError(f"tolerance is a positive number of seconds; got {self.tolerance}.")

    @property
    def identity(self) -> str:
        """Return the options that change the result of reading, for hashes; empty for all defaults."""
        found = to_json(replace(self, tolerance=None))
        return "" if found == to_json(type(self)()) else json.dumps(found, sort_keys=True)

    def names(self, option: str) -> tuple[str, ...]:
        """Return the features or patterns that an option names."""
        found: str | tuple[str, ...] | None = getattr(self, option)
        return (found,) if isinstance(found, str) else found or ()

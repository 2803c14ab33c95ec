"""Options of reading a LeRobot dataset."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from tacit._config import to_json
from tacit._limits import is_positive
from tacit.data.formats._feature_options import FeatureOptions
from tacit.errors import ConfigError

__all__ = ["Options"]


@dataclass(frozen=True)
class Options(FeatureOptions):
    """Options of reading a LeRobot dataset; see :class:`tacit.data.formats.LeRobotReader`, which inherits them."""

    tolerance: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tolerance is not None and not is_positive(self.tolerance):
            raise ConfigError(f"tolerance is a positive number of seconds; got {self.tolerance}.")

    @property
    def identity(self) -> str:
        """Return the options that change the result of reading, for hashes; empty for all defaults."""
        found = to_json(replace(self, tolerance=None))
        return "" if found == to_json(type(self)()) else json.dumps(found, sort_keys=True)

"""Result files that grow run by run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tacit._config import from_json, to_json
from tacit._files import locked, read_json, write_atomically
from tacit.errors import ConfigError, DataError
from tacit.studies.study import RunResult

__all__ = ["Results"]


@dataclass(frozen=True)
class Results:
    """Result file of a study: a JSON file with recorded runs by name.

    Several processes may add runs to one file.

    Attributes:
        path: The file; it need not exist yet.
    """

    path: Path

    def read(self) -> dict[str, RunResult]:
        """Return the recorded runs by name.

        Raises:
            DataError: if the file is not a result file.
        """
        if not self.path.exists():
            return {}
        try:
            found = read_json(self.path)
            return {name: from_json(RunResult, run, name) for name, run in found["runs"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, ConfigError) as error:
            raise DataError(f"{self.path} is not a result file of a study: {error}. Choose another file.") from error

    def add(self, name: str, result: RunResult) -> None:
        """Record a run; the file is replaced atomically."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path.with_name(f".{self.path.name}.lock")):
            runs = {**self.read(), name: result}
            write_atomically(self.path, json.dumps({"runs": to_json(runs)}, indent=1) + "\n")

    def missing(self, settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
        """Return the names of runs that are not recorded.

        Args:
            settings: The settings of each run by its name.

        Raises:
            ConfigError: if a run was recorded with other settings.
        """
        recorded = self.read()
        for name in (one for one in settings if one in recorded):
            if different := _differences(recorded[name].settings, settings[name]):
                raise ConfigError(
                    f"{self.path} holds the run {name!r} with other settings: {different}. "
                    "Choose another file with --results, or remove the run from this one."
                )
        return [name for name in settings if name not in recorded]


def _differences(recorded: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> str:
    """Return the settings that differ, in words."""
    found = []
    for name in sorted({*recorded, *asked}):
        old, new = recorded.get(name), asked.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found.append(_differences(old, new, f"{prefix}{name}."))
        elif old != new:
            found.append(f"{prefix}{name} was {old!r} and is {new!r}")
    return ", ".join(part for part in found if part)

"""Protocol of loggers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tacit._files import is_file, read_bytes, write_atomically

__all__ = ["LoggedRun", "Logger"]


@dataclass(frozen=True)
class LoggedRun:
    """Description of a run for loggers.

    Attributes:
        directory: The directory of the run.
        first: Step at which this process begins; later lines of a killed process are logged again.
        steps: The number of steps of the run.
        options: Model, objective, data and options, as JSON values.
    """

    directory: Path
    first: int
    steps: int
    options: Mapping[str, Any]

    def recorded_id(self, name: str) -> str | None:
        """Return the id that a service gave to this run earlier; None for a new run."""
        file = self.directory / f"{name}.id"
        return read_bytes(file, limit=1000).decode().strip() if self.first > 0 and is_file(file) else None

    def record_id(self, name: str, value: str) -> None:
        """Keep the id that a service gave to this run, for a resume."""
        write_atomically(self.directory / f"{name}.id", f"{value}\n")

    def flat_options(self) -> dict[str, str]:
        """Return the options by dotted name, as texts."""
        found: dict[str, str] = {}

        def visit(prefix: str, value: Any) -> None:
            if isinstance(value, Mapping) and value:
                for key, item in value.items():
                    visit(f"{prefix}.{key}" if prefix else str(key), item)
            else:
                found[prefix] = str(value)

        visit("", self.options)
        return found


class Logger(Protocol):
    """Destination of the log of a run. Only the first process of a distributed run has one."""

    def open(self, run: LoggedRun, /) -> None:
        """Begin or continue the log of a run."""

    def write(self, step: int, values: Mapping[str, float | str], /) -> None:
        """Write one line: numbers, and texts such as warnings, by name."""

    def close(self) -> None:
        """End the log, also after an error."""

"""The errors that Tacit raises on purpose.

::

    TacitError
    ├── SpecError        data or an action does not fit the declared Spec   (also a ValueError)
    ├── DataError        a file is corrupt, truncated or of another format  (also a ValueError)
    ├── ConfigError      an option is unknown or out of range               (also a ValueError)
    ├── CheckpointError  a checkpoint is incomplete or of another model     (also a ValueError)
    ├── TrainingError    a loss or gradient stopped being finite
    ├── PlanningError    no candidate plan has a finite energy
    ├── AuditError       an act cannot be written to its audit log
    └── MissingExtra     an optional dependency is not installed            (also an ImportError)

Each message states what was expected, what was received, and what to do. Frequent ones name the code of a section of
the page of troubleshooting.
"""

from __future__ import annotations

from tacit._install import install_command

__all__ = [
    "AuditError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "MissingExtra",
    "PlanningError",
    "SpecError",
    "TacitError",
    "TrainingError",
    "see",
]


LONGEST = 4000
"""The largest number of characters of a message; files can hold names and values of any length."""


def see(code: str) -> str:
    """Return the part of a message that names a section of the page of troubleshooting."""
    return f" (see {code}: docs/troubleshooting.md)"


class TacitError(Exception):
    """The base class of the errors that Tacit raises on purpose.

    Args:
        message: The expected value, the received value, and what to do; a very long message is shortened in the middle.
        code: The section of the page of troubleshooting, such as ``T01``, which the message then names; empty if there
            is none.
    """

    def __init__(self, message: str = "", code: str = "") -> None:
        if len(message) > LONGEST:
            half = LONGEST // 2
            message = f"{message[:half]} [...] {message[-half:]}"
        super().__init__(message + see(code) if code else message)
        self.code = code


class SpecError(TacitError, ValueError):
    """Data or an action does not fit the declared :class:`tacit.types.Spec`."""


class DataError(TacitError, ValueError):
    """A data file is corrupt, truncated, empty or of another format."""


class ConfigError(TacitError, ValueError):
    """An option or a name is unknown or out of range."""


class CheckpointError(TacitError, ValueError):
    """A checkpoint is incomplete, damaged or belongs to another model."""


class TrainingError(TacitError):
    """A loss or a gradient is no longer finite."""


class PlanningError(TacitError):
    """No candidate plan has a finite energy."""


class AuditError(TacitError):
    """An act cannot be written to its audit log."""


class MissingExtra(TacitError, ImportError):
    """An optional dependency is not installed.

    Args:
        package: The package that is missing.
        extra: The extra of Tacit that holds it.
        purpose: The feature that needs it.
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package '{package}', which is not installed{see('T01')}. "
            f"Install it with: {install_command(extra)}"
        )
        self.code = "T01"
        self._arguments = package, extra, purpose

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str, str]]:
        return MissingExtra, self._arguments

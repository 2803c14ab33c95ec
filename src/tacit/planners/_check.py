"""Ranges of a planner's options."""

from __future__ import annotations

from tacit.errors import ConfigError

__all__ = ["require"]


def require(condition: bool, planner: str, message: str) -> None:
    """Refuse an option.

    Raises:
        ConfigError: unless ``condition`` holds.
    """
    if not condition:
        raise ConfigError(f"{planner} needs {message}.")

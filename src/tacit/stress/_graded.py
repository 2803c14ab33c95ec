"""Severities of perturbations: five levels, fixed before any agent was tested with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from tacit.errors import ConfigError

__all__ = ["SEVERITIES", "Graded"]

SEVERITIES = (1, 2, 3, 4, 5)


class Graded:
    """Base class of perturbations with five severities, whose options are ``LEVELS``."""

    LEVELS: ClassVar[tuple[Mapping[str, Any], ...]]

    @classmethod
    def at(cls, severity: int) -> Self:
        """Return the perturbation of a severity from 1 to 5.

        Raises:
            ConfigError: if there is no such severity.
        """
        if severity not in SEVERITIES:
            raise ConfigError(f"severities are 1 to 5; got {severity!r}.")
        return cls(**cls.LEVELS[severity - 1])

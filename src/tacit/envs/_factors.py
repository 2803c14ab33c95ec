"""Factors of drawn worlds: numbers such as a thickness or a colour that an episode fixes or draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tacit._registry import suggest
from tacit.errors import ConfigError

__all__ = ["Factors"]


@dataclass(frozen=True)
class Factors:
    """The factors of an environment.

    Attributes:
        owner: The name of the environment in errors.
        defaults: Values of each factor.
        ranges: The lowest and the highest value that an episode draws.
        limits: The lowest and the highest value that a user may set.
    """

    owner: str
    defaults: Mapping[str, tuple[float, ...]]
    ranges: Mapping[str, tuple[float, float]]
    limits: Mapping[str, tuple[float, float]]

    def chosen(
        self, variation: Sequence[str], factors: Mapping[str, float | Sequence[float]] | None
    ) -> tuple[tuple[str, ...], dict[str, tuple[float, ...]]]:
        """Return the factors that every episode draws, and the values of all.

        Args:
            variation: Names of the factors to draw.
            factors: Values that replace the defaults.

        Raises:
            ConfigError: if there is no such factor, or a value is out of range.
        """
        if isinstance(variation, str):
            raise ConfigError(f"variation is a list of factors; got the text {variation!r}. Write [{variation!r}].")
        if not isinstance(factors or {}, Mapping):
            raise ConfigError(f"factors maps names to values, such as {{'speed': 3.0}}; got {factors!r}.")
        for name in (*variation, *(factors or {})):
            if name not in self.ranges:
                known = ", ".join(self.ranges)
                hint = suggest(str(name), self.ranges)
                raise ConfigError(f"{self.owner} has no factor {name!r}.{hint} Its factors are {known}.")
        given = {name: self._values(name, value) for name, value in (factors or {}).items()}
        return tuple(dict.fromkeys(variation)), {**self.defaults, **given}

    def bounds(self, name: str, varied: Sequence[str], fixed: Mapping[str, tuple[float, ...]]) -> tuple[float, float]:
        """Return the lowest and the highest value of a factor of one number over all episodes."""
        return self.ranges[name] if name in varied else (fixed[name][0], fixed[name][0])

    def _values(self, name: str, value: float | Sequence[float]) -> tuple[float, ...]:
        """Return the numbers of a factor. Refuse a wrong count or a number outside its limits."""
        try:
            values = tuple(
                float(number) for number in (value if isinstance(value, (Sequence, np.ndarray)) else (value,))
            )
        except (TypeError, ValueError) as error:
            raise ConfigError(f"factor {name!r} takes numbers; got {value!r}.") from error
        if len(values) != len(self.defaults[name]):
            raise ConfigError(f"factor {name!r} takes {len(self.defaults[name])} numbers; got {len(values)}.")
        low, high = self.limits[name]
        if not all(low <= number <= high for number in values):  # NaN is outside too
            raise ConfigError(f"factor {name!r} is between {low:g} and {high:g}; got {value!r}.")
        return values

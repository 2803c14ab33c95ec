"""Upper limits of numbers from users or files that determine memory or time."""

from __future__ import annotations

import sys
from numbers import Real
from typing import cast

from tacit.errors import ConfigError

__all__ = ["BATCH", "DEPTH", "HORIZON", "ITERATIONS", "LENGTH", "SAMPLES", "TOKENS", "WIDTH", "is_positive", "limited"]

WIDTH = 2**16
"""Size of a layer, or of one axis of an input."""
DEPTH = 1000
"""Layers of a network."""
LENGTH = 10**5
"""Steps of a window."""
HORIZON = 1000
"""Blocks of a plan."""
BATCH = 2**20
"""Items of a batch."""
TOKENS = 2**20
"""Patches of an input."""
SAMPLES = 10**6
"""Candidates of one round of a planner."""
ITERATIONS = 10**4
"""Rounds of a planner."""

PRINTED = 10**50


def limited(owner: str, limit: int, **options: float) -> None:
    """Refuse options above a limit.

    Raises:
        ConfigError: naming the option and the limit.
    """
    for name, value in options.items():
        if value > limit:
            came = str(value) if value < PRINTED else "a far larger number"  # Python prints integers of limited length
            raise ConfigError(f"{owner} takes {name} of at most {limit}; got {came}. Choose a smaller {name}.")


def is_whole(value: object) -> bool:
    """Return whether a value is an integer; a bool is not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_positive(value: object) -> bool:
    """Return whether a value is a number above zero that a float can hold; a bool is not."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    return number and bool(0 < cast("float", value) <= sys.float_info.max)

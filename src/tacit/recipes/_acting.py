"""Planning settings of a recipe, and weighted sums of its parts."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from tacit._config import OMIT_DEFAULT
from tacit._part import Part
from tacit.agent import NamedFallback
from tacit.errors import ConfigError

__all__ = ["Acting", "weighted"]


@dataclass(frozen=True)
class Acting:
    """Planning settings of an agent with the trained model. See :class:`tacit.Agent` for the options after the cost."""

    planner: Part = field(default_factory=lambda: Part("cem"))
    cost: tuple[Part, ...] = (Part("goal"),)
    horizon: int = 10
    replan_every: int = 1
    arrive_by: int | None = None
    deadline_ms: float | None = field(default=None, metadata=OMIT_DEFAULT)
    repeat_action: bool = False
    fallback: NamedFallback | None = field(default=None, metadata=OMIT_DEFAULT)
    constraints: tuple[Part, ...] = field(default=(), metadata=OMIT_DEFAULT)
    proposals: int = field(default=16, metadata=OMIT_DEFAULT)


def weighted(
    parts: tuple[Part, ...], load: Callable[[str], Any], given: Mapping[str, Mapping[str, Any]] | None = None
) -> Any:
    """Return the sum of the parts times their weights, with the values ``given`` to parts by their name."""
    if not parts:
        raise ConfigError("a recipe needs at least one term in its objective and in its cost.")
    values = given or {}
    return reduce(operator.add, (part.weight * part.build(load, **values.get(part.name, {})) for part in parts))

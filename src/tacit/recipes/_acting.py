"""Planning settings of a recipe, and weighted sums of its parts."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from torch import Tensor

from tacit._config import OMIT_DEFAULT
from tacit._part import Part
from tacit.agent import Agent, NamedFallback
from tacit.errors import ConfigError
from tacit.planners import WorldNoise
from tacit.types import Problem

__all__ = ["Acting", "check_planner", "weighted"]


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


def check_planner(agent: Agent) -> None:
    """Search the actions of an agent once.

    Raises:
        ConfigError: if its planner cannot search them, such as discrete actions.
    """
    try:
        agent.config.planner(Problem(_bowl, agent.space, 1, WorldNoise((0,)), device="cpu"))
    except ConfigError as error:
        raise ConfigError(
            f"the agent of this recipe could not act: {error} Name a planner that can, on the command line with "
            """--set 'acting.planner={"name": "cem"}'."""
        ) from error


def _bowl(actions: Tensor) -> Tensor:
    """Return an energy that every planner can minimise."""
    return actions.square().sum(dim=(2, 3))

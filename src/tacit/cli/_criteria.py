"""Goals and criteria of success from words of the command line."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tacit.evaluation.episode_scores import Success
    from tacit.types import Observation

__all__ = ["goal_of", "success_of"]


def goal_of(words: tuple[str, ...]) -> Observation | None:
    """Return the goal that ``MODALITY=VALUE`` words give."""
    import numpy as np

    from tacit._config import named_value
    from tacit.errors import ConfigError

    goal = {}
    for name, value in map(named_value, words):
        try:
            goal[name] = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            raise ConfigError(
                f"a goal is MODALITY=NUMBERS, for example 'state=[0.45,0]'; got {name}={value!r}."
            ) from None
    return goal or None


def success_of(word: str, goal: Observation | None, radius: float | None) -> Success | None:
    """Return the success criterion."""
    from tacit.errors import ConfigError
    from tacit.evaluation import Near

    if word == "goal" or (not word and radius is not None):
        if goal is None or radius is None:
            raise ConfigError("--success goal needs --goal and --radius.")
        return Near(goal, radius)
    if word in ("info", "terminated"):
        return word  # type: ignore[return-value]
    if not word:
        return None
    module, colon, name = word.partition(":")
    if not colon:
        raise ConfigError(f"--success is info, terminated, goal or module:function; got {word!r}.")
    try:
        found: Success = getattr(importlib.import_module(module), name)
    except Exception as error:  # an import runs external code
        raise ConfigError(f"--success names no function, {word!r}: {type(error).__name__}: {error}.") from error
    return found

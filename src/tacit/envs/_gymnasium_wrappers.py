"""Gymnasium wrappers by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import gymnasium

from tacit._foreign import foreign
from tacit._registry import suggest
from tacit.errors import ConfigError, SpecError

__all__ = ["Wrapped", "Wrapper", "check_wrappers"]

Wrapper = str | Sequence[Any]
"""``"FlattenObservation"`` of ``gymnasium.wrappers``, ``"module:Class"``, or one of these and keyword arguments."""
EXAMPLE = '"FlattenObservation", "minigrid.wrappers:ImgObsWrapper" or ["FrameStackObservation", {"stack_size": 4}]'


@dataclass(frozen=True)
class Wrapped:
    """A registered environment with wrappers, the first one innermost.

    Attributes:
        env: The id.
        wrappers: See :data:`Wrapper`.
    """

    env: str
    wrappers: tuple[Wrapper, ...] = field(default=())

    def wrap(self, env: gymnasium.Env[Any, Any]) -> gymnasium.Env[Any, Any]:
        """Return the environment inside all wrappers.

        Raises:
            ConfigError: if there is no such wrapper, or it does not take its arguments.
            SpecError: if the result of a wrapper is no environment.
            TacitError: if a wrapper fails.
        """
        for wrapper in self.wrappers:
            name, options = _parts(wrapper)
            kind = _found(name)
            with foreign(f"wrapping the environment {self.env!r} in {name}"):
                try:
                    env = kind(env, **options)
                except TypeError as error:
                    raise ConfigError(f"the wrapper {name!r} does not take {dict(options)}: {error}.") from error
            if not isinstance(env, gymnasium.Env):
                raise SpecError(f"the wrapper {name!r} makes no gymnasium.Env; got {type(env).__name__}.")
        return env


def check_wrappers(env: object, wrappers: Sequence[Wrapper]) -> None:
    """Refuse values that are no wrappers, and wrappers that an environment cannot have by name.

    Raises:
        ConfigError: naming the wrapper.
    """
    if isinstance(wrappers, str) or not isinstance(wrappers, Sequence):
        raise ConfigError(f"wrappers are a list, each {EXAMPLE}; got {wrappers!r}.")
    if wrappers and not isinstance(env, str):
        raise ConfigError("wrappers go with an id. Wrap an environment that a function makes in that function.")
    for wrapper in wrappers:
        _found(_parts(wrapper)[0])


def _parts(wrapper: Wrapper) -> tuple[str, Mapping[str, Any]]:
    """Return the name and the keyword arguments of a wrapper."""
    match wrapper:
        case str():
            return wrapper, {}
        case [str() as name]:
            return name, {}
        case [str() as name, Mapping() as options]:
            return name, options
    raise ConfigError(f"a wrapper is {EXAMPLE}; got {wrapper!r}.")


def _found(name: str) -> Callable[..., Any]:
    """Return the class of a wrapper."""
    module, colon, kind = name.rpartition(":")
    try:
        home = importlib.import_module(module) if colon else gymnasium.wrappers
        found = getattr(home, kind, None)
    except Exception as error:  # an import runs code of others
        raise ConfigError(f"the wrapper {name!r} cannot be imported: {type(error).__name__}: {error}.") from error
    if not (isinstance(found, type) and issubclass(found, gymnasium.Env)):
        where = module or "gymnasium.wrappers"
        hint = "" if colon else " One of another module is named as 'module:Class'."
        raise ConfigError(f"{where} has no wrapper {kind!r}.{suggest(kind, dir(home))}{hint}")
    return found

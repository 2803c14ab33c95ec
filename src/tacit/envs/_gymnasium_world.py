"""Wrapper of one Gymnasium environment whose errors name it."""

from __future__ import annotations

import inspect
import math
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import data_equivalence

from tacit._foreign import foreign
from tacit.envs._gymnasium_wrappers import Wrapped
from tacit.envs._mujoco import choose_opengl, lower_quality
from tacit.errors import ConfigError, SpecError, TacitError

__all__ = ["SUCCESS", "Factory", "Maker", "Step", "World", "drawn_at", "frame_of", "name_of", "number"]

SUCCESS = ("is_success", "success")
"""The entries of an info that hold whether the task is solved."""
STARTS = 8
"""Number of equal starts after which two worlds count as the same."""
Factory = Callable[[], gymnasium.Env[Any, Any]]
Maker = str | EnvSpec | Wrapped | Factory


class Step(NamedTuple):
    """The result of one step of an environment; NaN marks an unknown reward or success."""

    observation: Any
    terminated: bool
    truncated: bool
    reward: float
    success: float


def number(value: Any) -> float:
    """Return a single number, NaN for everything else."""
    if type(value) is float:
        return value
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return math.nan
    return float(array.item()) if array.size == 1 else math.nan


def success_in(info: Any) -> float:
    """Return 1 or 0 for the ``is_success`` or ``success`` of an info, NaN where it has neither."""
    if not info or not isinstance(info, Mapping):
        return math.nan
    found = next((number(info[name]) for name in SUCCESS if name in info), math.nan)
    return found if math.isnan(found) else float(found > 0)


class World:
    """An environment whose exceptions and violations of its interface become errors that name it.

    A reward that is no single number, and a success that is not in the info, count as unknown.

    Args:
        env: An id, a specification, or a function that makes the environment.
        options: Keyword arguments for ``gymnasium.make``.
        draws: Whether frames will be rendered.

    Raises:
        ConfigError: if there is no such environment, or it does not take an option.
        SpecError: if it cannot be seeded.
        TacitError: if it cannot be made.
    """

    def __init__(self, env: Maker, options: Mapping[str, Any], draws: bool) -> None:
        self.env = _made(env, options, draws)
        self.name = name_of(self.env)
        self._reset = foreign(f"environment {self.name!r}: reset")
        self._step = foreign(f"environment {self.name!r}: step")
        self._render = foreign(f"environment {self.name!r}: render")
        parameters = inspect.signature(self.env.unwrapped.reset).parameters.values()
        if not any(one.name == "seed" or one.kind is one.VAR_KEYWORD for one in parameters):
            raise SpecError(
                f"environment {self.name!r}: reset takes no seed, so no episode could be made again. Give it the "
                "arguments of Gymnasium's reset: seed and options."
            )
        self._compared = False

    def reset(self, seed: int) -> Any:
        """Start an episode and return its first observation."""
        with self._reset:
            result = self.env.reset(seed=seed)
        if not isinstance(result, tuple) or len(result) != 2:
            raise SpecError(
                f"environment {self.name!r}: reset returned {_described(result)}; Gymnasium's returns a pair of "
                "observation and info."
            )
        if not self._compared:
            self._compared = True
            self._warn_of_more(result[0], self.env.observation_space, "")
        return result[0]

    def step(self, action: Any) -> Step:
        """Step the environment and return the result."""
        with self._step:
            result = self.env.step(action)
        if not isinstance(result, tuple) or len(result) != 5:
            raise SpecError(
                f"environment {self.name!r}: step returned {_described(result)}; Gymnasium's returns five values: "
                "observation, reward, terminated, truncated and info."
            )
        terminated, truncated = self._flag("terminated", result[2]), self._flag("truncated", result[3])
        return Step(result[0], terminated, truncated, number(result[1]), success_in(result[4]))

    def render(self) -> npt.NDArray[np.uint8]:
        """Render a frame ``[3, H, W]``."""
        with self._render:
            frame = self.env.render()
        return frame_of(frame, self.name)

    def close(self) -> None:
        """Close the environment."""
        with foreign(f"environment {self.name!r}: close"):
            self.env.close()

    def _flag(self, name: str, value: Any) -> bool:
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        array = np.asarray(value)
        if array.size != 1 or array.dtype.kind not in "biuf":
            raise SpecError(f"environment {self.name!r}: step's {name} is one truth value; got {_described(value)}.")
        return bool(array.item())

    def _warn_of_more(self, observation: Any, space: gymnasium.Space[Any], where: str) -> None:
        """Warn about entries that the observation space does not declare."""
        if not isinstance(space, gymnasium.spaces.Dict) or not isinstance(observation, Mapping):
            return
        for key, value in observation.items():
            if key in space.spaces:
                self._warn_of_more(value, space.spaces[key], f"{where}{key}.")
            else:
                warnings.warn(
                    f"environment {self.name!r}: the entry {where + str(key)!r} of its observations is left out, since "
                    "its observation space does not declare it.",
                    stacklevel=2,
                )


def name_of(env: gymnasium.Env[Any, Any]) -> str:
    """Return the id of an environment, or the name of its class."""
    spec = env.spec
    return spec.id if spec is not None else type(env.unwrapped).__name__


def frame_of(frame: Any, name: str) -> npt.NDArray[np.uint8]:
    """Return the result of ``render()`` as ``[3, H, W]``.

    Raises:
        SpecError: if it is no uint8 image.
    """
    image = np.asarray(frame)
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.dtype != np.uint8 or image.shape[2] not in (1, 3, 4):
        raise SpecError(
            f"environment {name!r}: pixels need a render() that returns a uint8 image [H, W, 3]; got "
            f"{_described(frame)}."
        )
    shown = image[..., :3] if image.shape[2] > 1 else np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(shown.transpose(2, 0, 1))


def drawn_at(env: Maker, options: Mapping[str, Any], size: int) -> dict[str, Any]:
    """Return options with the ``width`` and ``height`` at which the environment is to render, where it has them.

    It has them if the environment's class has both options with defaults that are the size of its frames, and changing
    them changes the frames and nothing else. In a grid world they are numbers of cells.
    """
    plain = {"render_mode": "rgb_array", **options}
    if not isinstance(env, str | EnvSpec | Wrapped) or {"width", "height"} & plain.keys():
        return plain
    first = World(env, plain, draws=True)
    try:
        if first.env.render_mode != "rgb_array" or (size, size) == (shape := _frame_shape(first)):
            return plain
        if shape != _default_size(type(first.env.unwrapped)):
            return plain
        sized = {"width": size, "height": size, **plain}
        with suppress(TacitError):
            second = World(env, sized, draws=True)
            try:
                if _frame_shape(second) == (size, size) and _same_world(first, second):
                    return sized
            finally:
                second.close()
        return plain
    finally:
        first.close()


def _frame_shape(world: World) -> tuple[int, ...]:
    world.reset(0)
    return world.render().shape[1:]


def _default_size(kind: type) -> tuple[Any, Any] | None:
    """Return the defaults of ``height`` and ``width`` of the class that has both."""
    for base in kind.__mro__:
        with suppress(TypeError, ValueError):
            parameters = inspect.signature(vars(base)["__init__"]).parameters if "__init__" in vars(base) else {}
            if "width" in parameters and "height" in parameters:
                return parameters["height"].default, parameters["width"].default
    return None


def _same_world(one: World, two: World) -> bool:
    return (
        one.env.observation_space == two.env.observation_space
        and one.env.action_space == two.env.action_space
        and all(data_equivalence(one.reset(seed), two.reset(seed), exact=True) for seed in range(STARTS))
    )


def _made(env: Maker, options: Mapping[str, Any], draws: bool) -> gymnasium.Env[Any, Any]:
    """Make one environment; MuJoCo's are rendered without shadows."""
    choose_opengl()
    if isinstance(env, Wrapped):
        return env.wrap(_made(env.env, options, draws))
    if not isinstance(env, str | EnvSpec):
        what = f"the environment that {getattr(env, '__qualname__', env)} makes"
        with foreign(f"making {what}"):
            made = env()
        if not isinstance(made, gymnasium.Env):
            raise SpecError(f"{what} is no gymnasium.Env; got {type(made).__name__}.")
    else:
        name = env if isinstance(env, str) else env.id
        with foreign(f"making the environment {name!r}"):
            made = _registered(env, name, options)
    if "gymnasium.envs.mujoco" in sys.modules:
        from gymnasium.envs.mujoco import MujocoEnv

        if isinstance(made.unwrapped, MujocoEnv):
            lower_quality(made.unwrapped.model)
            if draws and made.render_mode == "rgb_array":
                # The camera is aimed once, by the state of the first frame: use the same state in every world.
                made.reset(seed=0)
                made.render()
    return made


def _registered(env: str | EnvSpec, name: str, options: Mapping[str, Any]) -> gymnasium.Env[Any, Any]:
    given = f" with the options {dict(options)}" if options else ""
    try:
        return gymnasium.make(env, **options)
    except gymnasium.error.DependencyNotInstalled as error:
        raise TacitError(f"Gymnasium cannot make {name!r}: {error}") from error
    except (gymnasium.error.UnregisteredEnv, ModuleNotFoundError) as error:
        hint = "" if ":" in name else f" If a module registers it, name that too: 'module:{name}'."
        raise ConfigError(f"Gymnasium cannot make {name!r}: {error}{hint}") from error
    except gymnasium.error.Error as error:
        raise ConfigError(f"Gymnasium cannot make {name!r}{given}: {error}") from error
    except TypeError as error:
        if not options:
            raise
        raise ConfigError(f"Gymnasium cannot make {name!r}{given}: {error}") from error


def _described(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return f"{type(value).__name__} of {len(value)} values" if isinstance(value, (tuple, list)) else repr(value)[:80]

"""Any Gymnasium environment as a batch of worlds."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv, VectorEnv

from tacit._registry import suggest
from tacit.envs._batch import check_actions, per_world
from tacit.envs._gymnasium_kinds import with_kinds
from tacit.envs._mujoco import choose_opengl, lower_quality
from tacit.envs._spaces import action_space, resize, streams
from tacit.errors import ConfigError, TacitError
from tacit.types import Array, Box, Modality, Observation, Spec, Transition

__all__ = ["GymnasiumEnvironment"]

Factory = Callable[[], gymnasium.Env[Any, Any]]


class GymnasiumEnvironment:
    """A batch of Gymnasium environments.

    Observations become modalities: a uint8 image ``pixels`` with channels first, any other Box ``state``,
    flattened to float32, a Discrete a one-hot ``state``; a Dict gives one modality to each key. An
    environment that has ended stays as it ended until the next reset, so an episode never crosses one.

    Args:
        env: An id such as ``"Pendulum-v1"``, a function that makes one environment, or a vector environment.
        num_envs: Worlds in the batch, 1 by default; a vector environment brings its own number.
        pixels: Height and width of a modality ``pixels`` from ``render()``, drawn at that size where the
            environment takes ``width`` and ``height`` (as MuJoCo's do) and averaged down to it otherwise.
        modalities: What to show, by default everything; what is left out becomes a label.
        fps: Steps a second, by default the environment's ``render_fps``.
        processes: Run every world in a process of its own.
        options: Keyword arguments for ``gymnasium.make``.

    Raises:
        SpecError: if a space has no fixed size or the action space is unbounded.
        ConfigError: if the options contradict each other.
        TacitError: if a package that the environment or its pictures need is not installed; also when it is reset.
    """

    def __init__(
        self,
        env: str | Factory | VectorEnv[Any, Any, Any],
        num_envs: int | None = None,
        pixels: int | None = None,
        modalities: Sequence[str] | None = None,
        fps: float | None = None,
        processes: bool = False,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(env, VectorEnv):
            if num_envs not in (None, env.num_envs) or options or processes:
                raise ConfigError("a vector environment brings its own num_envs, processes and options.")
            self._vector = env
        else:
            make = functools.partial(_make, env, pixels, dict(options or {}))
            kind = AsyncVectorEnv if processes else SyncVectorEnv
            with _packages(f"{env!r}" if isinstance(env, str) else "the environment"):
                self._vector = kind([make] * (num_envs or 1))
        mode = self._vector.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        self._mode = AutoresetMode(mode)
        self._check_pixels(pixels)
        self._pixels = pixels
        self._streams = streams(self._vector.single_observation_space)
        kinds = {name: stream.modality for name, stream in self._streams.items()}
        if pixels is not None:
            kinds["pixels"] = Modality("pixels", (3, pixels, pixels))
        for name in modalities or ():
            if name not in kinds:
                raise ConfigError(f"the environment has no modality {name!r}.{suggest(name, kinds)}")
        shown = {name: kinds[name] for name in modalities or kinds}
        rate = fps or float(self._vector.metadata.get("render_fps") or 10.0)
        self.spec = Spec(
            shown, with_kinds(action_space(self._vector.single_action_space), env, options or {}), fps=rate
        )
        self._terminated = self._truncated = np.zeros(self.num_envs, np.bool_)
        self._all: dict[str, Array] = {}

    @property
    def num_envs(self) -> int:
        """Worlds in the batch."""
        return int(self._vector.num_envs)

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Reset every world with a seed of its own; see :class:`tacit.types.Environment`."""
        observation, _ = self._vector.reset(seed=per_world(seed, self.num_envs))  # type: ignore[arg-type]
        self._terminated = self._truncated = np.zeros(self.num_envs, np.bool_)
        self._all = self._read(observation)
        return self._shown()

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Step every world that has not ended; continuous actions outside the box are clipped to it."""
        check_actions(action, self.num_envs, self.spec.action.size)
        ended = self._terminated | self._truncated
        if self._mode is AutoresetMode.DISABLED and ended.any():
            self._vector.reset(options={"reset_mask": ended})
        observation, _, terminated, truncated, info = self._vector.step(self._raw(action))
        now = self._read(observation)
        if self._mode is AutoresetMode.SAME_STEP:
            self._restore_last(now, info, (terminated | truncated) & ~ended)
        for name, batch in now.items():
            batch[ended] = self._all[name][ended]
        self._all = now
        self._terminated = np.where(ended, self._terminated, terminated)
        self._truncated = np.where(ended, self._truncated, truncated)
        return Transition(self._shown(), terminated=self._terminated.copy(), truncated=self._truncated.copy())

    def labels(self) -> Mapping[str, Array]:
        """The modalities that are not shown."""
        return {name: batch for name, batch in self._all.items() if name not in self.spec.modalities}

    def close(self) -> None:
        """Close every world."""
        self._vector.close()

    def _shown(self) -> Observation:
        return {name: self._all[name] for name in self.spec.modalities}

    def _read(self, observation: Any) -> dict[str, Array]:
        batch = {name: stream.read(observation) for name, stream in self._streams.items()}
        if self._pixels is not None:
            with _packages("a picture of the environment"):
                frames = np.stack(self._vector.render() or ())[..., :3]
            batch["pixels"] = resize(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)), self._pixels)
        return batch

    def _restore_last(self, batch: dict[str, Array], info: Mapping[str, Any], ended: npt.NDArray[np.bool_]) -> None:
        for world in np.flatnonzero(ended):
            last = info["final_obs"][world]
            for name, stream in self._streams.items():
                value = last
                for key in stream.path:
                    value = value[key]
                batch[name][world] = stream.convert(np.asarray(value)[None])[0]

    def _raw(self, action: npt.NDArray[np.float32]) -> Any:
        space = self._vector.single_action_space
        if isinstance(space, gymnasium.spaces.Box) and isinstance(self.spec.action, Box):
            clipped = np.clip(action.reshape(-1, *space.shape), space.low, space.high)
            return clipped.astype(space.dtype)
        start = int(space.start) if isinstance(space, gymnasium.spaces.Discrete) else 0
        return action.argmax(axis=1) + start

    def _check_pixels(self, pixels: int | None) -> None:
        if pixels is None:
            return
        if "pixels" in streams(self._vector.single_observation_space):
            raise ConfigError("the environment already shows pixels; leave out the option pixels.")
        if self._vector.render_mode != "rgb_array":
            raise ConfigError(f"pixels need render_mode='rgb_array'; the environment has {self._vector.render_mode!r}.")
        if self._mode is AutoresetMode.SAME_STEP:
            raise ConfigError("pixels cannot show the last frame under AutoresetMode.SAME_STEP; use NEXT_STEP.")


@contextmanager
def _packages(what: str) -> Iterator[None]:
    """Say which package ``what`` lacks, in the words of Gymnasium, which knows how to install it."""
    try:
        yield
    except gymnasium.error.DependencyNotInstalled as error:
        raise TacitError(f"Gymnasium cannot make {what}: {error}") from error


def _make(env: str | Factory, pixels: int | None, options: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    """One environment, drawn at the size asked for where it can be, MuJoCo's without shadows."""
    choose_opengl()
    if isinstance(env, str) and env not in gymnasium.registry:
        try:
            gymnasium.spec(env)  # imports the module that an id may name, and knows near names
        except (gymnasium.error.Error, ImportError) as error:
            raise ConfigError(f"Gymnasium cannot make {env!r}: {error}") from error
    if not isinstance(env, str):
        made = env()
    elif pixels is None:
        made = gymnasium.make(env, **options)
    else:
        options = {"render_mode": "rgb_array", **options}
        try:
            made = gymnasium.make(env, **{"width": pixels, "height": pixels, **options})
        except TypeError:
            made = gymnasium.make(env, **options)
    if "gymnasium.envs.mujoco" in sys.modules:
        from gymnasium.envs.mujoco import MujocoEnv

        if isinstance(made.unwrapped, MujocoEnv):
            lower_quality(made.unwrapped.model)
            if pixels is not None:
                # The camera is aimed once, by the state of the first picture: let it be the same in every world.
                made.reset(seed=0)
                made.render()
    return made

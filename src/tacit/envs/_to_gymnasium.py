"""Adapter from an environment of Tacit to Gymnasium, for libraries that need one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from tacit.errors import ConfigError
from tacit.types import ActionSpace, Array, Box, Discrete, Environment, Modality

__all__ = ["to_gymnasium"]


def to_gymnasium(env: Environment) -> gymnasium.Env[dict[str, Any], Any]:
    """Return an environment of one world as a :class:`gymnasium.Env`.

    An observation is a dict with one entry for each modality; pixels have their channels last, ``[H, W, C]``. A
    discrete action is a number. The reward is 0 where the environment gives none, and ``is_success`` and the
    ``reason`` of a truncation are in the info where the environment gives them. ``render`` returns the first camera.

    Args:
        env: The environment; step it only through the result from now on.

    Raises:
        ConfigError: if it has several worlds, or a modality is a series, which has no fixed size in a step.
    """
    if env.num_envs != 1:
        raise ConfigError(f"to_gymnasium takes an environment of one world; got num_envs={env.num_envs}.")
    for name, modality in env.spec.modalities.items():
        if modality.kind == "series":
            raise ConfigError(f"to_gymnasium shows pixels and vectors; {name!r} is a series.")
    return _AsGymnasium(env)


class _AsGymnasium(gymnasium.Env[dict[str, Any], Any]):
    """A single world with the interface of Gymnasium."""

    def __init__(self, env: Environment) -> None:
        self._env, spec = env, env.spec
        self._camera = next(iter(spec.cameras), None)
        self.metadata = {"render_modes": ["rgb_array"] if self._camera else [], "render_fps": spec.fps}
        self.render_mode = "rgb_array" if self._camera else None
        self.observation_space = spaces.Dict({name: _space(one) for name, one in spec.modalities.items()})
        self.action_space = _action_space(spec.action)
        self._frame: npt.NDArray[np.uint8] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start an episode; without a seed, one is drawn from the environment's generator."""
        super().reset(seed=seed, options=options)
        own = int(self.np_random.integers(2**31)) if seed is None else seed
        return self._shown(self._env.reset([own])), {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Step the environment once."""
        now = self._env.step(_row(self._env.spec.action, action)[None])
        reward = 0.0 if now.reward is None else float(now.reward[0])
        info: dict[str, Any] = {} if now.success is None else {"is_success": bool(now.success[0])}
        if now.reasons and now.reasons[0]:
            info["reason"] = now.reasons[0]
        return self._shown(now.observation), reward, bool(now.terminated[0]), bool(now.truncated[0]), info

    def render(self) -> Any:
        """Return a frame of the first camera ``[H, W, 3]``; None before the first reset or without cameras."""
        if self._frame is None:
            return None
        return np.repeat(self._frame, 3, axis=2) if self._frame.shape[2] == 1 else self._frame.copy()

    def close(self) -> None:
        """Close the environment."""
        self._env.close()

    def _shown(self, observation: Mapping[str, Array]) -> dict[str, Any]:
        kinds = self._env.spec.modalities
        shown = {
            name: np.array(np.moveaxis(value[0], 0, -1) if kinds[name].kind == "pixels" else value[0])
            for name, value in observation.items()
        }
        if self._camera is not None:
            self._frame = shown[self._camera]
        return shown


def _action_space(space: ActionSpace) -> spaces.Space[Any]:
    """Return an action space of Gymnasium: for a mixed one a Dict by its names, or else a Tuple."""
    if isinstance(space, Box):
        return spaces.Box(np.array(space.low, np.float32), np.array(space.high, np.float32))
    if isinstance(space, Discrete):
        return spaces.Discrete(space.n)
    parts = [_action_space(part) for part in space.spaces]
    return spaces.Dict(dict(zip(space.names, parts, strict=True))) if space.names else spaces.Tuple(parts)


def _row(space: ActionSpace, action: Any) -> npt.NDArray[np.float32]:
    """Return an action of Gymnasium as components ``[A]``."""
    if isinstance(space, Box):
        return np.asarray(action, np.float32)
    if isinstance(space, Discrete):
        return np.asarray(np.eye(space.n)[action], np.float32)
    values = [action[name] for name in space.names] if space.names else action
    return np.concatenate([_row(part, value) for part, value in zip(space.spaces, values, strict=True)])


def _space(modality: Modality) -> spaces.Box:
    if modality.kind == "pixels":
        channels, height, width = modality.shape
        return spaces.Box(0, 255, (height, width, channels), np.uint8)
    return spaces.Box(-np.inf, np.inf, modality.shape, np.float32)

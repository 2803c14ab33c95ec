"""Adapter from Gymnasium environments to a batch of worlds."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import VectorEnv

from tacit._limits import is_positive
from tacit._registry import suggest
from tacit.envs._actions import Actions, actions
from tacit.envs._batch import check_actions, check_finite, check_options, per_world
from tacit.envs._gymnasium_batches import Batch, LocalBatch, ProcessBatch
from tacit.envs._gymnasium_kinds import with_kinds
from tacit.envs._gymnasium_vector import VectorBatch
from tacit.envs._gymnasium_world import Factory
from tacit.envs._gymnasium_wrappers import Wrapped, Wrapper, check_wrappers
from tacit.envs._spaces import Stream, streams
from tacit.errors import ConfigError, SpecError
from tacit.types import Array, Modality, Observation, Spec, Transition

__all__ = ["GymnasiumEnvironment"]


class GymnasiumEnvironment:
    """A batch of Gymnasium environments.

    An image in an observation becomes the modality ``pixels`` with channels first, any other Box ``state``, flattened
    to float32, a Discrete a one-hot ``state``; a Dict gives one modality to each key. Stacked frames become channels,
    the oldest first. An environment that has ended stays as it ended until the next reset, so an episode never crosses
    one.

    Args:
        env: An id such as ``"Pendulum-v1"``, a function that makes one environment, or a vector environment.
        num_envs: Worlds in the batch, 1 by default; a vector environment brings its own number.
        pixels: Height and width of a modality ``pixels`` from ``render()``, drawn at that size where ``width`` and
            ``height`` are the size of the environment's frames (as MuJoCo's are) and averaged down to it otherwise.
        modalities: Modalities to show, by default all; the others become labels, or are dropped where they have no
            fixed size, as texts have none.
        fps: Steps a second, by default the environment's ``render_fps``, and 10 where it has none.
        processes: Run every world in a separate process.
        options: Keyword arguments for ``gymnasium.make``.
        wrappers: Wrappers for an id, the first one innermost: names of ``gymnasium.wrappers``, ``"module:Class"``, or
            pairs of one and its keyword arguments, such as ``["FrameStackObservation", {"stack_size": 4}]``.

    Raises:
        SpecError: if a modality to show has no fixed size or the action space is unbounded; later, if an observation
            does not fit its space, is not finite or not exact in float32.
        ConfigError: if the options contradict each other, or ``gymnasium.make`` does not take them.
        TacitError: if the environment fails, here or later, or a package that it needs is not installed.
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
        wrappers: Sequence[Wrapper] = (),
    ) -> None:
        check_options("the Gymnasium adapter", num_envs, pixels, modalities)
        if options is not None and not isinstance(options, Mapping):
            raise ConfigError(f"options are a mapping of keyword arguments for gymnasium.make; got {options!r}.")
        if fps is not None and not is_positive(fps):
            raise ConfigError(f"fps is a positive number of steps a second; got {fps!r}.")
        check_wrappers(env, wrappers)
        if isinstance(env, VectorEnv):
            if num_envs not in (None, env.num_envs) or options or processes:
                raise ConfigError("a vector environment brings its own num_envs, processes and options.")
            self._batch: Batch = VectorBatch(env)
            self._num_envs = int(env.num_envs)
        else:
            self._num_envs = num_envs or 1
            kind = ProcessBatch if processes else LocalBatch
            maker = Wrapped(env, tuple(wrappers)) if isinstance(env, str) and wrappers else env
            self._batch = kind(maker, options or {}, self._num_envs, pixels)
        try:
            self.spec, self._actions = self._declare(pixels, modalities, fps)
        except BaseException:
            self._batch.close()
            raise
        self.spec = replace(self.spec, action=with_kinds(self.spec.action, None if wrappers else env, options or {}))
        self._terminated = self._truncated = np.zeros(self._num_envs, np.bool_)
        self._all: dict[str, Array] = {}
        self._says_success = False

    @property
    def num_envs(self) -> int:
        """Return the number of worlds in the batch."""
        return self._num_envs

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Reset every world with its own seed; see :class:`tacit.types.Environment`."""
        self._all = self._batch.reset(per_world(seed, self._num_envs))
        self._terminated = self._truncated = np.zeros(self._num_envs, np.bool_)
        return self._shown()

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Step every world that has not ended.

        Continuous actions outside the box are clipped to it, and rounded where the environment's are integers; the
        transition then holds the executed actions.
        """
        check_actions(action, self._num_envs, self.spec.action.size)
        if not self._all:
            raise ConfigError("step comes after reset; this environment was never reset.")
        ended = self._terminated | self._truncated
        now, terminated, truncated, reward, success = self._batch.step(self._actions.raw(action), ~ended)
        if ended.any():
            for name, batch in now.items():
                batch[ended] = self._all[name][ended]
        self._all = now
        self._terminated = np.where(ended, self._terminated, terminated)
        self._truncated = np.where(ended, self._truncated, truncated)
        executed = None if self._actions.executed is None else self._actions.executed(action)
        self._says_success = self._says_success or not np.isnan(success[~ended]).all()
        return Transition(
            self._shown(),
            self._terminated.copy(),
            self._truncated.copy(),
            action=executed,
            reward=None if np.isnan(reward[~ended]).any() else np.where(ended, 0.0, reward),
            success=np.nan_to_num(success) > 0 if self._says_success else None,
        )

    def labels(self) -> Mapping[str, Array]:
        """Return the modalities that are not shown."""
        return {name: batch for name, batch in self._all.items() if name not in self.spec.modalities}

    def close(self) -> None:
        """Close every world."""
        self._batch.close()

    def _shown(self) -> Observation:
        shown = {name: self._all[name] for name in self.spec.modalities}
        check_finite(shown, self._name)
        return shown

    def _declare(self, pixels: int | None, modalities: Sequence[str] | None, fps: float | None) -> tuple[Spec, Actions]:
        """Choose the modalities to show, and warn of lossy conversions."""
        facts = self._batch.facts
        self._name = f"environment {facts.name!r}"
        found, refused = streams(facts.observation_space)
        if pixels is not None and "pixels" in found:
            raise ConfigError(f"{self._name} already shows pixels; leave out the option pixels.")
        if pixels is not None and facts.render_mode != "rgb_array":
            raise ConfigError(
                f"pixels need render_mode='rgb_array'; {self._name} has {facts.render_mode!r}. Where it is made by a "
                "function, give it there."
            )
        kinds = {name: stream.modality for name, stream in found.items()}
        if pixels is not None:
            kinds["pixels"] = Modality("pixels", (3, pixels, pixels))
        shown = [*kinds, *refused] if modalities is None else list(modalities)
        for name in shown:
            if name not in kinds and name not in refused:
                raise ConfigError(f"{self._name} has no modality {name!r}.{suggest(name, kinds)}")
        if reasons := [f"{name!r}: {refused[name]}" for name in shown if name in refused]:
            usable = [name for name in shown if name in kinds]
            advice = (
                f"Leave it out: modalities={json.dumps(usable, separators=(',', ':'))}"
                if usable
                else "Wrap it in TransformObservation"
            )
            raise SpecError(f"{self._name} shows what cannot be a modality: {'; '.join(reasons)}. {advice}.")
        self._warn(found, shown)
        self._batch.show(shown, pixels)
        try:
            acts = actions(facts.action_space)
            if facts.fps is not None and fps is None and not is_positive(facts.fps):
                raise SpecError(f"its render_fps is no positive number, {facts.fps!r}. Say how many: fps=...")
            spec = Spec({name: kinds[name] for name in shown}, acts.space, fps=float(fps or facts.fps or 10.0))
        except (TypeError, ValueError) as error:  # a SpecError is a ValueError; metadata may hold anything as fps
            raise SpecError(f"{self._name}: {error}") from error
        if acts.executed is not None:
            warnings.warn(
                f"{self._name} takes whole numbers as actions: continuous ones are rounded, and recorded so.",
                stacklevel=3,
            )
        return spec, acts

    def _warn(self, found: Mapping[str, Stream], shown: Sequence[str]) -> None:
        for name in shown:
            if name in found and found[name].note:
                warnings.warn(f"{self._name}: {name!r} {found[name].note}.", stacklevel=4)

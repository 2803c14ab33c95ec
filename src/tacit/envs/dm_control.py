"""Adapter from tasks of the DeepMind Control Suite to a batch of worlds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit._foreign import foreign
from tacit._registry import suggest
from tacit.envs._batch import check_actions, check_finite, check_options, per_world
from tacit.envs._mujoco import Camera, actuator_kinds, close_first_at_exit, load_mujoco
from tacit.errors import ConfigError, MissingExtra, SpecError
from tacit.types import Array, Box, Modality, Observation, Spec, Transition

__all__ = ["DMControlEnvironment"]


class DMControlEnvironment:
    """A batch of dm_control environments, stepped one after the other.

    Each entry of dm_control's observation becomes a vector modality under its own name. A world that has
    ended stays as it ended until the next reset; it terminated if its discount was 0 and was truncated
    otherwise.

    Args:
        task: Domain and task, such as ``"cartpole/swingup"``.
        num_envs: Worlds in the batch.
        pixels: Height and width of a modality ``pixels``, drawn without shadows and multisampling.
        camera: Name or number of the camera that draws them.
        modalities: Modalities to show, by default all; the others become labels.

    Raises:
        MissingExtra: if dm_control is not installed.
        ConfigError: if there is no such task or modality.
        SpecError: later, if an observation is not finite.
        TacitError: at the first image, if there is no OpenGL to render it with; if dm_control fails, here or later.
    """

    def __init__(
        self,
        task: str,
        num_envs: int = 1,
        pixels: int | None = None,
        camera: int | str = 0,
        modalities: Sequence[str] | None = None,
    ) -> None:
        check_options("the dm_control adapter", num_envs, pixels, modalities)
        self._worlds = _load(task, num_envs)
        self._task = f"dm_control's {task}"
        self._cameras: list[Camera] = []
        self._pixels, self._camera = pixels, camera
        first = self._worlds[0]
        with foreign(f"{self._task}: its specification"):
            parts, action = first.observation_spec(), first.action_spec()
        self._sizes = {name: int(np.prod(part.shape)) for name, part in parts.items()}
        for name, size in self._sizes.items():
            if size < 1:
                raise SpecError(f"{self._task} shows nothing under {name!r}: it has shape {parts[name].shape}.")
        kinds = {name: Modality("vector", (size,)) for name, size in self._sizes.items()}
        if pixels is not None:
            kinds["pixels"] = Modality("pixels", (3, pixels, pixels))
        for name in modalities or ():
            if name not in kinds:
                raise ConfigError(f"{task} has no modality {name!r}.{suggest(name, kinds)}")
        bounds = (
            np.broadcast_to([action.minimum], (1, *action.shape)),
            np.broadcast_to([action.maximum], (1, *action.shape)),
        )
        low, high = (tuple(map(float, bound.ravel())) for bound in bounds)
        if not low:
            raise SpecError(f"{task} takes no actions.")
        commanded = actuator_kinds(first.physics.model)
        box = Box(low, high, commanded if len(commanded) == len(low) else None)
        self.spec = Spec({name: kinds[name] for name in modalities or kinds}, box, 1 / first.control_timestep())
        self._last: list[Any] = [None] * num_envs
        self._all: dict[str, Array] = {}

    @property
    def num_envs(self) -> int:
        """Return the number of worlds in the batch."""
        return len(self._worlds)

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """Reset every world with its own seed; see :class:`tacit.types.Environment`."""
        for index, one in enumerate(per_world(seed, self.num_envs)):
            with foreign(f"{self._task}: reset"):
                self._worlds[index].task.random.seed(one)
                self._last[index] = self._worlds[index].reset()
        self._all = self._read(np.ones(self.num_envs, np.bool_))
        return self._shown()

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """Step every world that has not ended; actions outside the box are clipped to it."""
        box = self.spec.action
        check_actions(action, self.num_envs, box.size)
        if self._last[0] is None:
            raise ConfigError(f"step comes after reset; {self._task} was never reset.")
        going = np.array([not step.last() for step in self._last])
        if isinstance(box, Box):
            action = np.clip(np.asarray(action, np.float64), box.low, box.high)
        with foreign(f"{self._task}: step"):
            for index in np.flatnonzero(going):
                self._last[index] = self._worlds[index].step(action[index])
        self._all = self._read(going)
        ended = np.array([step.last() for step in self._last])
        terminated = ended & np.array([step.discount == 0 for step in self._last])
        reward = np.array([step.reward or 0.0 for step in self._last], np.float64)
        return Transition(
            self._shown(), terminated=terminated, truncated=ended & ~terminated, reward=np.where(going, reward, 0.0)
        )

    def labels(self) -> Mapping[str, Array]:
        """Return the modalities that are not shown."""
        return {name: batch for name, batch in self._all.items() if name not in self.spec.modalities}

    def close(self) -> None:
        """Free the OpenGL contexts and the simulators."""
        for closable in (*self._cameras, *self._worlds):
            closable.close()
        self._cameras = []

    def _shown(self) -> Observation:
        shown = {name: self._all[name] for name in self.spec.modalities}
        check_finite(shown, self._task)
        return shown

    def _read(self, changed: npt.NDArray[np.bool_]) -> dict[str, Array]:
        with foreign(f"{self._task}: the observation"), np.errstate(over="ignore"):
            batch: dict[str, Array] = {
                name: np.stack([np.asarray(step.observation[name], np.float32).reshape(size) for step in self._last])
                for name, size in self._sizes.items()
            }
        if self._pixels is not None:
            batch["pixels"] = self._draw(self._pixels, changed)
        return batch

    def _draw(self, size: int, changed: npt.NDArray[np.bool_]) -> Array:
        if not self._cameras:
            self._cameras = [Camera(world.physics.model.ptr, size, self._camera) for world in self._worlds]
        drawing = foreign(f"{self._task}: drawing camera {self._camera!r}", ConfigError)
        images = np.array(self._all["pixels"]) if self._all else np.empty((self.num_envs, 3, size, size), np.uint8)
        for index in np.flatnonzero(changed):
            with drawing:
                images[index] = self._cameras[index].image(self._worlds[index].physics.data.ptr)
        return images


def _load(task: str, num_envs: int) -> list[Any]:
    load_mujoco("the dm_control adapter")
    try:
        from dm_control import suite
    except ModuleNotFoundError as error:
        raise MissingExtra("dm-control", "mujoco", "the dm_control adapter") from error
    close_first_at_exit()
    known = ["/".join(pair) for pair in suite.ALL_TASKS]
    if task not in known:
        raise ConfigError(f"dm_control has no task {task!r}.{suggest(task, known)} Name it as 'domain/task'.")
    domain, _, name = task.partition("/")
    with foreign(f"making dm_control's {task}"):
        return [suite.load(domain, name, task_kwargs={"random": 0}) for _ in range(num_envs)]

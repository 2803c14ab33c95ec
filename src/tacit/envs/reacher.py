"""Reacher: the two-link arm of the DeepMind Control Suite in MuJoCo; the goal is an image of a pose.

The simulator and the arm are dm_control's (``suite/reacher.xml``); the target marker is not drawn, since it
would reveal the goal. Angles are in radians: ``shoulder`` turns freely, ``wrist`` within 160 degrees.

Protocol, fixed before any method was tuned on it; it follows LeWorldModel's evaluation in
stable-worldmodel (``ReacherDMControl``, task ``qpos_match``, 25 steps to the goal, budget 50):

- Actions are torques in ``[-1, 1]^2``. A step is two control steps of dm_control, 0.04 s in all; a model
  with frameskip 5 receives five frames a second.
- A task is drawn as in their protocol, from episodes of a random policy: a pose uniform over the joint
  ranges and at rest, then between 0 and 100 steps of actions uniform in the box (a new one each step)
  give the start, with its velocity, and 25 more give the goal.
- The distance is the larger of the two joints' absolute differences; the shoulder's is taken around the
  circle (an image does not show full turns; theirs counts them). Velocities do not count.
- A task is solved if the distance is at most 0.05 at any of 50 steps, as in theirs, where the episode
  ends at the first such step.
- Tasks whose start is solved already (about 1 in 200) are drawn again; theirs are kept and count as successes.
- Images are 64 pixels wide, theirs 224, rendered without shadows, reflections and sky at twice the size and
  averaged: pixels of other code are not comparable.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.envs._batch import check_options
from tacit.envs._mujoco import Camera, load_mujoco
from tacit.envs._worlds import Floats, StateWorlds
from tacit.errors import ConfigError, MissingExtra
from tacit.types import Array, Box, Modality, Observation, Spec, State, TaskRules, Tasks

__all__ = ["Reacher"]

CONTROL_STEPS = 2
CONTROL_SECONDS = 0.02
GOAL_STEPS = 25
WARM_UP = 100


class Reacher(StateWorlds):
    """A batch of arms, which start at rest in poses uniform over the joint ranges.

    A state is ``angle [B, 2]`` (shoulder, wrist; turns are counted) and ``velocity [B, 2]``; a step applies a torque to
    each joint for 0.04 s.

    Args:
        num_envs: Worlds in the batch.
        size: Height and width of the images, at least 16.

    Raises:
        MissingExtra: if mujoco or dm_control is not installed.
        TacitError: at the first image, if there is no OpenGL to render it with.
    """

    rules = TaskRules(radius=0.05, budget=50, success_at="any", unit="radians, of the worse joint")

    def __init__(self, num_envs: int = 1, size: int = 64) -> None:
        check_options("Reacher", num_envs, size)
        if size < 16:
            raise ConfigError(f"Reacher needs size >= 16; got {size}.")
        self._mujoco = load_mujoco("the Reacher environment")
        self._model = self._mujoco.MjModel.from_xml_path(str(_suite() / "reacher.xml"))
        self._model.mat_rgba[self._model.geom("target").matid, 3] = 0.0
        self._data = self._mujoco.MjData(self._model)
        self._size = size
        self._camera: Camera | None = None
        self.spec = Spec(
            {"pixels": Modality("pixels", (3, size, size))},
            Box((-1.0, -1.0), (1.0, 1.0), kind="force"),
            fps=1 / (CONTROL_STEPS * CONTROL_SECONDS),
        )
        self._state = self._draw(np.random.default_rng(0), num_envs)

    def labels(self) -> Mapping[str, Array]:
        """Return joints and finger tip of each arm.

        ``pose [B, 4]`` (cosine and sine of the shoulder's angle, then of the wrist's), ``velocity [B, 2]``
        in radians a second, and ``finger [B, 2]``, the tip's x and y in metres.
        """
        shoulder, wrist = self._state["angle"].T
        pose = np.stack([np.cos(shoulder), np.sin(shoulder), np.cos(wrist), np.sin(wrist)], axis=1)
        both = shoulder + wrist
        finger = 0.12 * (pose[:, :2] + np.stack([np.cos(both), np.sin(both)], axis=1))
        labels = {"pose": pose, "velocity": self._state["velocity"], "finger": finger}
        return {name: value.astype(np.float32) for name, value in labels.items()}

    def close(self) -> None:
        """Free the OpenGL context."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def observe(self, state: State) -> Observation:
        """Render images ``[B, 3, size, size]`` of the given states."""
        if self._camera is None:
            self._camera = Camera(self._model, self._size, "fixed", plain=True, supersample=2)
        images = np.empty((len(state["angle"]), 3, self._size, self._size), np.uint8)
        for world, angle in enumerate(state["angle"]):
            self._data.qpos[:] = angle
            self._mujoco.mj_kinematics(self._model, self._data)
            self._mujoco.mj_camlight(self._model, self._data)
            images[world] = self._camera.image(self._data)
        return {"pixels": images}

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw ``count`` pairs, the goal 25 random steps after the start; see the protocol above."""
        rng = np.random.default_rng(seed)
        start, goal = self._pairs(rng, count)
        while (solved := self.distance(start, goal) <= self.rules.radius).any():
            for old, new in zip((start, goal), self._pairs(rng, int(solved.sum())), strict=True):
                for name in old:
                    old[name][solved] = new[name]
        return Tasks(start, goal)

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """Return ``[B]`` the larger joint's absolute difference in radians, the shoulder's around the circle."""
        difference = np.asarray(state["angle"], np.float64) - np.asarray(goal["angle"], np.float64)
        return np.asarray(np.maximum(np.abs(_turn(difference[..., 0])), np.abs(difference[..., 1])))

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """Compute torques by inverse dynamics (computed torque) for a damped spring towards the goal."""
        angle, velocity = np.asarray(state["angle"], np.float64), np.asarray(state["velocity"], np.float64)
        error = np.asarray(goal["angle"], np.float64) - angle
        error[:, 0] = _turn(error[:, 0])
        wanted = 60.0 * error - 14.0 * velocity
        inertia, torque = np.empty((2, 2)), np.empty_like(wanted)
        for world in range(len(angle)):
            self._data.qpos[:], self._data.qvel[:] = angle[world], velocity[world]
            self._mujoco.mj_fwdPosition(self._model, self._data)
            self._mujoco.mj_fwdVelocity(self._model, self._data)
            self._mujoco.mj_fullM(self._model, inertia, self._data.qM)
            torque[world] = inertia @ wanted[world] + self._data.qfrc_bias - self._data.qfrc_passive
        return np.asarray(np.clip(torque / self._model.actuator_gear[:, 0], -1.0, 1.0), np.float32)

    def _draw(self, rng: np.random.Generator, count: int) -> Floats:
        low, high = self._model.jnt_range[1]
        shoulder, wrist = rng.uniform(-np.pi, np.pi, count), rng.uniform(low, high, count)
        return {"angle": np.stack([shoulder, wrist], axis=1), "velocity": np.zeros((count, 2))}

    def _pairs(self, rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
        """Draw starts and goals, some of which may be the same."""
        state, warm_up = self._draw(rng, count), rng.integers(0, WARM_UP + 1, count)
        actions = rng.uniform(-1.0, 1.0, (count, WARM_UP + GOAL_STEPS, 2)).astype(np.float32)
        path = self.simulate(state, actions)
        world = np.arange(count)
        start = {n: np.where((warm_up > 0)[:, None], path[n][world, warm_up - 1], state[n]) for n in state}
        return start, {name: np.array(path[name][world, warm_up + GOAL_STEPS - 1]) for name in state}

    def _push(self, state: State, action: npt.NDArray[np.float32]) -> Floats:
        """Compute one step of every arm from its state and action alone, without warm start of the solver."""
        from mujoco import rollout

        now = np.concatenate([np.zeros((len(action), 1)), state["angle"], state["velocity"]], axis=1)
        control = np.clip(np.asarray(action, np.float64), -1.0, 1.0)[:, None].repeat(CONTROL_STEPS, axis=1)
        states, _ = rollout.rollout(self._model, self._data, now, control)
        return {"angle": states[:, -1, 1:3].copy(), "velocity": states[:, -1, 3:5].copy()}


def _suite() -> Path:
    """Return the folder of dm_control's models without the import of the package, which opens a display."""
    spec = importlib.util.find_spec("dm_control")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("dm-control", "mujoco", "the Reacher environment")
    return Path(spec.submodule_search_locations[0]) / "suite"


def _turn(angle: Any) -> Any:
    """Return an angle in ``[-pi, pi)``."""
    return (angle + np.pi) % (2 * np.pi) - np.pi

"""Arm: a small arm of five joints and a gripper in MuJoCo, with a cube on a table; the goal is an image.

The proportions are those of an SO-101, a low-cost arm; the model is Tacit's own, without meshes. The cube slides on the
table and does not tip over. One camera shows arm and cube from the front.

Protocol, fixed before any method was tuned on it:

- Actions are changes of the joint angles: each servo aims at the current angle plus ``0.15`` radians times the action.
  A step takes 0.1 s.
- ``reach``: start and goal are poses at rest whose tips are uniform in a box over the table. The distance is that of
  the two tips; solved within 0.03 m at any of 30 steps. The cube does not count.
- ``push``: the goal is what the scripted controller leaves after a push of the cube by 0.05 to 0.12 m; the distance is
  that of the two centres of the cube. Solved within 0.025 m at any of 60 steps. The arm does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt

from tacit.envs._arm_expert import ArmKinematics, push_target
from tacit.envs._arm_model import JOINTS, LIMITS, XML
from tacit.envs._batch import check_options
from tacit.envs._mujoco import Camera, load_mujoco
from tacit.envs._worlds import Floats, StateWorlds
from tacit.errors import ConfigError
from tacit.types import Array, Box, Modality, Observation, Spec, State, TaskRules, Tasks

__all__ = ["Arm"]

STEP_SECONDS, CHANGE = 0.1, 0.15
COUNT = len(JOINTS)
TIPS = ((0.15, -0.12, 0.05), (0.27, 0.12, 0.14))
"""The box of the tips of drawn poses, in metres."""
CUBES = ((0.19, -0.08), (0.26, 0.08))
"""The box of the cube at the start."""
PUSH, PUSH_STEPS = (0.05, 0.12), 60
RULES = {
    "reach": TaskRules(radius=0.03, budget=30, success_at="any", unit="m, of the tip"),
    "push": TaskRules(radius=0.025, budget=60, success_at="any", unit="m, of the cube"),
}
PARTS = {"joints": COUNT, "joint_velocity": COUNT, "cube": 3, "cube_velocity": 3}
POSITIONS, VELOCITIES = ("joints", "cube"), ("joint_velocity", "cube_velocity")


class Arm(StateWorlds):
    """A batch of arms with a cube each, which start at rest.

    A state is ``joints [B, 6]`` and ``joint_velocity [B, 6]`` (five joints and the gripper), ``cube [B, 3]`` (x, y and
    turn) and ``cube_velocity [B, 3]``.

    Args:
        num_envs: Worlds in the batch.
        task: ``reach`` a pose with the tip, or ``push`` the cube.
        size: Height and width of the images, at least 16.

    Raises:
        ConfigError: if an option is out of range.
        MissingExtra: if mujoco is not installed.
        TacitError: at the first image, if there is no OpenGL to render it with.
    """

    def __init__(self, num_envs: int = 1, task: Literal["reach", "push"] = "reach", size: int = 64) -> None:
        check_options("Arm", num_envs, size)
        if size < 16 or task not in RULES:
            raise ConfigError(f"Arm needs size >= 16 and task 'reach' or 'push'; got {size} and {task!r}.")
        self.task, self.rules = task, RULES[task]
        mujoco = load_mujoco("the Arm environment")
        self._mujoco, self._model = mujoco, mujoco.MjModel.from_xml_string(XML)
        self._data = mujoco.MjData(self._model)
        self._kinematics = ArmKinematics(mujoco, self._model, self._data)
        self._size = size
        self._camera: Camera | None = None
        self.spec = Spec(
            {"pixels": Modality("pixels", (3, size, size))},
            Box((-1.0,) * COUNT, (1.0,) * COUNT, kind="delta"),
            fps=1 / STEP_SECONDS,
        )
        self._state = self._draw(np.random.default_rng(0), num_envs)

    def labels(self) -> Mapping[str, Array]:
        """Return ``tip [B, 3]`` and ``cube [B, 3]`` (x, y and turn) in metres and radians, and ``joints [B, 6]``."""
        found = {"tip": self._tips(self._state), "cube": self._state["cube"], "joints": self._state["joints"]}
        return {name: value.astype(np.float32) for name, value in found.items()}

    def close(self) -> None:
        """Free the OpenGL context."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def observe(self, state: State) -> Observation:
        """Render images ``[B, 3, size, size]`` of the given states."""
        if self._camera is None:
            self._camera = Camera(self._model, self._size, "front", plain=True, supersample=2)
        images = np.empty((len(state["joints"]), 3, self._size, self._size), np.uint8)
        for world, positions in enumerate(_joined(state, POSITIONS)):
            self._data.qpos[:] = positions
            self._mujoco.mj_kinematics(self._model, self._data)
            self._mujoco.mj_camlight(self._model, self._data)
            images[world] = self._camera.image(self._data)
        return {"pixels": images}

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw ``count`` pairs, none solved at the start; see the protocol above."""
        rng = np.random.default_rng(seed)
        start, goal = self._pairs(rng, count)
        while (solved := self.distance(start, goal) <= self.rules.radius).any():
            for old, new in zip((start, goal), self._pairs(rng, int(solved.sum())), strict=True):
                for name in old:
                    old[name][solved] = new[name]
        return Tasks(start, goal)

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """Return ``[B]`` the distance of the tips for ``reach``, and of the cubes for ``push``, in metres."""
        if self.task == "push":
            difference = np.asarray(state["cube"], np.float64)[:, :2] - np.asarray(goal["cube"], np.float64)[:, :2]
        else:
            difference = self._tips(state) - self._tips(goal)
        return np.asarray(np.linalg.norm(difference, axis=-1))

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """Compute actions of the scripted controller, by inverse kinematics."""
        joints, change = np.asarray(state["joints"], np.float64), np.zeros((len(state["joints"]), COUNT))
        tips = self._tips(state)
        targets = self._tips(goal) if self.task == "reach" else np.empty_like(tips)
        for world in range(len(joints)):
            if self.task == "push":
                cube, aim = (np.asarray(one["cube"][world][:2], np.float64) for one in (state, goal))
                targets[world] = push_target(tips[world], cube, aim)
            change[world, :-1] = self._kinematics.change(joints[world], targets[world])
            change[world, -1] = -joints[world, -1]
        scaled = change / CHANGE
        # one scale for all joints of a world, so that the tip keeps its direction
        return np.asarray(scaled / np.maximum(np.abs(scaled).max(axis=1, keepdims=True), 1.0), np.float32)

    def _tips(self, state: State) -> npt.NDArray[np.float64]:
        return np.stack([self._kinematics.tip(joints) for joints in np.asarray(state["joints"], np.float64)])

    def _draw(self, rng: np.random.Generator, count: int) -> Floats:
        tips, cubes = rng.uniform(*TIPS, (count, 3)), rng.uniform(*CUBES, (count, 2))
        turns = rng.uniform(-0.3, 0.3, (count, 1))
        return {
            "joints": np.stack([self._kinematics.pose(tip, jaw=0.0) for tip in tips]),
            "joint_velocity": np.zeros((count, COUNT)),
            "cube": np.concatenate([cubes, turns], axis=1),
            "cube_velocity": np.zeros((count, 3)),
        }

    def _pairs(self, rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
        """Draw starts and goals, some of which may be the same."""
        start = self._draw(rng, count)
        if self.task == "reach":
            return start, {**self._draw(rng, count), "cube": start["cube"].copy()}
        angle, length = rng.uniform(-np.pi, np.pi, count), rng.uniform(*PUSH, count)
        aim = {name: value.copy() for name, value in start.items()}
        way = length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        aim["cube"][:, :2] = np.clip(start["cube"][:, :2] + way, np.subtract(CUBES[0], 0.03), np.add(CUBES[1], 0.03))
        goal = start
        for _ in range(PUSH_STEPS):
            goal = self._push(goal, self.expert(goal, aim))
        return start, {**goal, "joint_velocity": np.zeros((count, COUNT)), "cube_velocity": np.zeros((count, 3))}

    def _push(self, state: State, action: npt.NDArray[np.float32]) -> Floats:
        """Compute one step of every world from its state and action alone, without warm start of the solver."""
        from mujoco import rollout

        now = np.concatenate(
            [np.zeros((len(action), 1)), _joined(state, POSITIONS), _joined(state, VELOCITIES)], axis=1
        )
        aims = np.asarray(state["joints"], np.float64) + CHANGE * np.clip(np.asarray(action, np.float64), -1.0, 1.0)
        control = np.clip(aims, *np.array(LIMITS).T)[:, None]
        steps = round(STEP_SECONDS / self._model.opt.timestep)
        states, _ = rollout.rollout(self._model, self._data, now, control.repeat(steps, axis=1))
        last, place, found = np.asarray(states[:, -1, 1:]), 0, {}
        for name in (*POSITIONS, *VELOCITIES):
            found[name] = last[:, place : place + PARTS[name]].copy()
            place += PARTS[name]
        return {name: found[name] for name in PARTS}


def _joined(state: State, names: tuple[str, str]) -> npt.NDArray[np.float64]:
    return np.concatenate([np.asarray(state[name], np.float64) for name in names], axis=1)

"""Scripted controller of the arm: inverse kinematics by damped least squares on the Jacobian of MuJoCo."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.envs._arm_model import CUBE, LIMITS

__all__ = ["ArmKinematics", "push_target"]

Floats = npt.NDArray[np.float64]

PITCH = 1.05
"""The angle of the hand below the horizontal, in radians, that the controller keeps."""
DAMPING = 0.03
ARM = 5
"""Joints that move the tip; the last one is the jaw."""
TRAVEL, LOW = 0.075, 0.022
"""Heights of the tip over the table in metres: above the cube, and to push it."""
BEHIND = CUBE + 0.03
"""The distance of the tip from the centre of the cube before a push."""
ALIGNED = 0.012


class ArmKinematics:
    """Kinematics of the arm.

    Args:
        mujoco: The module.
        model: The ``MjModel``.
        data: A ``MjData`` to compute with.
    """

    def __init__(self, mujoco: Any, model: Any, data: Any) -> None:
        self._mujoco, self._model, self._data = mujoco, model, data
        self._site = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, "tip")
        self._low, self._high = np.array(LIMITS)[:ARM].T

    def tip(self, joints: Floats) -> Floats:
        """Return the position ``[3]`` of the tip."""
        self._data.qpos[: len(joints)] = joints
        self._mujoco.mj_kinematics(self._model, self._data)
        return np.array(self._data.site_xpos[self._site])

    def change(self, joints: Floats, target: Floats) -> Floats:
        """Return the change ``[5]`` of the joints that brings the tip towards ``target [3]`` and the hand to its pitch.

        Damped least squares: ``J^T (J J^T + d^2 I)^-1 e``, with the pitch as fourth row and the roll as fifth.
        """
        error = np.empty(ARM)
        error[:3] = target - self.tip(joints)
        error[3], error[4] = 0.1 * (PITCH - joints[1:4].sum()), -0.1 * joints[4]
        self._mujoco.mj_comPos(self._model, self._data)
        whole = np.zeros((3, self._model.nv))
        self._mujoco.mj_jacSite(self._model, self._data, whole, None, self._site)
        jacobian = np.zeros((ARM, ARM))
        jacobian[:3] = whole[:, :ARM]
        jacobian[3, 1:4] = jacobian[4, 4] = 0.1
        damped = jacobian @ jacobian.T + DAMPING**2 * np.eye(ARM)
        return np.asarray(jacobian.T @ np.linalg.solve(damped, error))

    def pose(self, target: Floats, jaw: float, iterations: int = 60) -> Floats:
        """Return joints ``[6]`` with the tip at ``target [3]``, as near as they reach."""
        joints = np.array([np.arctan2(target[1], target[0]), 0.0, 0.6, PITCH - 0.6, 0.0, jaw])
        for _ in range(iterations):
            joints[:ARM] = np.clip(joints[:ARM] + self.change(joints, target), self._low, self._high)
        return joints


def push_target(tip: Floats, cube: Floats, goal: Floats) -> Floats:
    """Return the point ``[3]`` to move the tip to, for a push of the cube from ``cube [2]`` to ``goal [2]``.

    The tip travels above the cube to the point behind it, goes down and pushes. What is next follows from the
    positions alone.
    """
    way = goal - cube
    left = np.linalg.norm(way)
    if left < 0.004:
        return np.array([*tip[:2], max(tip[2], LOW)])
    unit = way / left
    offset = tip[:2] - cube
    along, across = offset @ unit, abs(offset[0] * unit[1] - offset[1] * unit[0])
    behind = cube - unit * BEHIND
    pushing = along < -CUBE * 0.9 and across < ALIGNED and np.linalg.norm(tip[:2] - behind) < BEHIND
    if pushing and tip[2] < LOW + 0.02:
        return np.array([*(tip[:2] - (offset - along * unit) * 0.5 + unit * min(0.04, left + BEHIND)), LOW])
    near = np.linalg.norm(tip[:2] - behind)
    if near < 0.015:
        return np.array([*behind, LOW])
    if tip[2] < TRAVEL - 0.02:
        return np.array([*(tip[:2] - unit * 0.01), TRAVEL])
    return np.array([*behind, TRAVEL])

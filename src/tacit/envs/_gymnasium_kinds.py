"""Kinds of the actions of Gymnasium's own environments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tacit.types import ActionSpace, Box, Discrete

__all__ = ["with_kinds"]

FORCES = frozenset(
    (
        *("Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup", "InvertedDoublePendulum", "InvertedPendulum"),
        *("MountainCarContinuous", "Pendulum", "Pusher", "Reacher", "Swimmer", "Walker2d"),
    )
)
"""Environments whose every action component is a force or a torque."""

NOOPS = {"Acrobot": 1, "LunarLander": 0, "MountainCar": 1}
"""The choice that applies no force, of environments that have one."""


def with_kinds(space: ActionSpace, env: object, options: Mapping[str, Any]) -> ActionSpace:
    """Return the action space with the known kinds of an environment, unchanged where none are known.

    Args:
        space: Its action space.
        env: Its id; for anything else no kind is known, since a wrapper may have changed what an action means.
        options: The options that made it; other MuJoCo models (``xml_file``) have other actuators.
    """
    if not isinstance(env, str) or ":" in env or "xml_file" in options:
        return space
    namespace, _, name = env.rpartition("/")
    name = name.rpartition("-v")[0] or name
    if isinstance(space, Box):
        return replace(space, kind="force") if not namespace and name in FORCES else space
    if not isinstance(space, Discrete):
        return space
    if namespace == "ALE":
        return replace(space, noop=0)
    return replace(space, noop=NOOPS[name]) if not namespace and name in NOOPS else space

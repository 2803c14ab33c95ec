"""Worlds with known answers: a world model of a point and an environment of a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.types import (
    ActionSpace,
    Actor,
    Array,
    Box,
    Context,
    Modality,
    Observation,
    Spec,
    State,
    TaskRules,
    Tasks,
    Transition,
    Verdict,
)

__all__ = ["LineWorld", "PointModel"]

Floats = npt.NDArray[np.float32]


class PointModel:
    """World model of a point: ``p' = p + a`` for each raw action, and a latent is the position.

    Args:
        frameskip: Raw actions of a block.
        history: The number of latents that :meth:`rollout` is given.
        space: The space of one raw action; None: a box of two components.
        drift: Added by the world at each raw step, unknown to the model.

    Attributes:
        encoded: The number of calls of :meth:`encode`.
        contexts: The context of each call of :meth:`rollout`.
    """

    def __init__(
        self, frameskip: int = 1, history: int = 1, space: ActionSpace | None = None, drift: float = 0.0
    ) -> None:
        space = space or Box((-1.0, -1.0), (1.0, 1.0), "delta")
        self.spec = Spec({"position": Modality("vector", (space.size,))}, space)
        self.frameskip, self.history, self.drift = frameskip, history, drift
        self.device = torch.device("cpu")
        self.latent_parts: Mapping[str, slice] = {}
        self.encoded = 0
        self.contexts: list[Context] = []

    def encode(self, observation: Mapping[str, Any], /) -> Tensor:
        """Return the positions ``[B, D]``."""
        self.encoded += 1
        return torch.from_numpy(np.asarray(observation["position"], np.float32))

    def rollout(self, context: Context, blocks: Tensor, /) -> Tensor:
        """Return the positions after each block; see :class:`tacit.types.WorldModel`."""
        if blocks.ndim == 3:
            return self.rollout(context, blocks[:, None])[:, 0]
        self.contexts.append(context)
        steps = blocks.reshape(*blocks.shape[:3], self.frameskip, -1).sum(dim=-2)
        positions: Tensor = context.latents[:, None, -1:] + steps.cumsum(dim=2)
        return positions

    def live(
        self, actor: Actor, start: Floats, goal: Floats | None = None, steps: int = 6, seed: int = 0
    ) -> tuple[Floats, Floats, list[Verdict], Any]:
        """Let an actor act in this world.

        Args:
            actor: The actor.
            start: ``[B, D]`` first positions.
            goal: ``[B, D]`` positions of the goals; None: no goal.
            steps: Raw steps.
            seed: The seed of the actor.

        Returns:
            Positions ``[steps + 1, B, D]``, actions ``[steps, B, A]``, verdicts and the last state of the actor.
        """
        position, positions, actions, verdicts = start, [start], [], []
        state = actor.start(seed=seed, batch=len(start), goal=None if goal is None else {"position": goal})
        for _ in range(steps):
            action, verdict, state = actor.act(state, {"position": position})
            position = position + action + np.float32(self.drift)
            positions.append(position)
            actions.append(action)
            verdicts.append(verdict)
        return np.stack(positions), np.stack(actions), verdicts, state


class LineWorld:
    """Environment of a point on a line from 0 to 10; one step moves it by its action in ``[-1, 1]``.

    An observation holds ``vector [2]``, the distances from both ends, and ``secret``, the position, which is not in the
    Spec. A task is solved within 0.5 of its goal.

    Args:
        budget: Steps of an actor.
        success_at: See :class:`tacit.types.TaskRules`.
        solved_share: Probability that a drawn task is solved at its start.
        end_at: The position at which an episode terminates; None: none does.
    """

    def __init__(
        self,
        budget: int = 12,
        success_at: Literal["last", "any"] = "last",
        solved_share: float = 0.0,
        end_at: float | None = None,
    ) -> None:
        self.spec = Spec({"vector": Modality("vector", (2,))}, Box((-1.0,), (1.0,), "delta"))
        self.rules = TaskRules(radius=0.5, budget=budget, success_at=success_at, unit="m")
        self._solved_share, self._end_at = solved_share, end_at
        self._x = np.zeros((1, 1))

    @property
    def num_envs(self) -> int:
        """Return the number of worlds."""
        return len(self._x)

    def reset(self, seed: Any) -> Observation:
        """Start at uniform positions."""
        return self.begin({"x": np.random.default_rng(seed).uniform(0, 10, self._x.shape)})

    def begin(self, state: State) -> Observation:
        """Start at the given positions."""
        self._x = np.array(state["x"], np.float64)
        return self.observe(state)

    def step(self, action: Floats) -> Transition:
        """Move every point."""
        self._x = np.clip(self._x + action, 0.0, 10.0)
        never = np.zeros(len(self._x), np.bool_)
        ended = never if self._end_at is None else self._x[:, 0] >= self._end_at
        return Transition(self.observe({"x": self._x}), ended, never)

    def labels(self) -> Mapping[str, Array]:
        """Return the positions."""
        return {"position": self._x.astype(np.float32)}

    def close(self) -> None:
        """Do nothing."""

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw starts from 0 to 4 and goals from 6 to 9."""
        rng = np.random.default_rng(seed)
        start, goal = rng.uniform(0, 4, (count, 1)), rng.uniform(6, 9, (count, 1))
        return Tasks({"x": start}, {"x": np.where(rng.random((count, 1)) < self._solved_share, start, goal)})

    def observe(self, state: State) -> Observation:
        """Return the observations of positions."""
        x = np.asarray(state["x"], np.float32)
        return {"vector": np.concatenate([x, 10 - x], axis=1), "secret": x.copy()}

    def state(self) -> State:
        """Return the positions."""
        return {"x": self._x}

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """Return the absolute difference of positions."""
        return np.abs(np.asarray(state["x"], np.float64)[..., 0] - np.asarray(goal["x"], np.float64)[..., 0])

    def simulate(self, state: State, actions: Floats) -> State:
        """Return the positions after each action."""
        x, steps = np.asarray(state["x"], np.float64), []
        for index in range(actions.shape[1]):
            x = np.clip(x + actions[:, index], 0.0, 10.0)
            steps.append(x)
        return {"x": np.stack(steps, axis=1)}

    def expert(self, state: State, goal: State) -> Floats:
        """Return the largest step towards the goal."""
        return np.clip(np.asarray(goal["x"]) - np.asarray(state["x"]), -1, 1).astype(np.float32)

"""First decision of an agent for a task, with the path of its plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tacit._check import has_simulation
from tacit._progress import counted
from tacit.agent import Agent
from tacit.errors import PlanningError
from tacit.evaluation.tasks import held_out_tasks
from tacit.types import Cost, GoalEnvironment, Numbers, Plan, Rollout

__all__ = ["Decision", "decide"]


@dataclass(frozen=True)
class Decision:
    """Decision of an agent at the start of one task.

    Attributes:
        plan: Actions, energy and the trace of every iteration, of one world.
        start: The first image of the observation, uint8 ``[C, H, W]``; None without pixels.
        goal: The image of the goal.
        distances: ``[1 + steps]`` true distance to the goal before the plan and after each of its steps; only the first
            for an environment without ``simulate``.
        unit: The unit of the distances.
    """

    plan: Plan
    start: npt.NDArray[np.uint8] | None
    goal: npt.NDArray[np.uint8] | None
    distances: npt.NDArray[np.float64]
    unit: str


def decide(agent: Agent, env: GoalEnvironment, seed: int = 1, *, progress: bool | None = None) -> Decision:
    """Plan once, at the start of a held-out task.

    Args:
        agent: The agent; it receives the observation of the start and of the goal.
        env: The environment; its running episodes are replaced.
        seed: Seed of the task and of the agent.
        progress: Show the number of scored rounds; None: on a terminal and in a notebook.

    Raises:
        PlanningError: if no candidate has a finite energy.
    """
    tasks, _ = held_out_tasks(env, 1, seed)
    observation, goal = env.begin(tasks.start), env.observe(tasks.goal)
    with counted("rounds of candidates", show=progress) as count:
        config = replace(agent.config, cost=_Counting(agent.config.cost, count))
        searching = Agent.of(agent.model, config, agent.proposal)
        _, verdict, _ = searching.act(searching.start(seed=seed, goal=goal), observation)
    if verdict.plan is None:
        raise PlanningError(verdict.reason)
    actions = verdict.plan.actions
    later = []
    if has_simulation(env):
        states = env.simulate(tasks.start, actions.cpu().numpy().astype(np.float32))
        steps = range(actions.shape[1])
        later = [env.distance({name: v[:, step] for name, v in states.items()}, tasks.goal) for step in steps]
    distances = np.concatenate([env.distance(tasks.start, tasks.goal), *later])
    pixels = next(iter(env.spec.cameras), None)
    start_image, goal_image = (
        None if pixels is None else np.array(part[pixels][0], np.uint8) for part in (observation, goal)
    )
    return Decision(verdict.plan, start_image, goal_image, distances, env.rules.unit)


@dataclass(frozen=True)
class _Counting:
    """A cost that counts its calls."""

    cost: Cost
    count: Callable[[], None]

    def __call__(self, rollout: Rollout, /) -> Numbers:
        self.count()
        return self.cost(rollout)

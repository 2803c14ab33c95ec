"""First decision of an agent for a task, with the path of its plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from tacit._check import has_simulation
from tacit._progress import counted
from tacit.agent import Agent
from tacit.errors import PlanningError
from tacit.evaluation.reached import Reached
from tacit.evaluation.tasks import held_out_tasks
from tacit.types import Cost, GoalEnvironment, Numbers, Plan, Rollout, State

__all__ = ["Decision", "decide"]


@dataclass(frozen=True)
class Decision:
    """Decision of an agent at the start of one task.

    Attributes:
        plan: Actions, energy and the trace of every iteration, of one world.
        start: The first image of the observation, uint8 ``[C, H, W]``; None without pixels.
        goal: The image of the goal; None where there is none.
        distances: ``[1 + steps]`` true distance to the goal before the plan and after each of its steps; only the first
            for an environment without ``simulate``, and none for a goal in quantities.
        unit: The unit of the distances.
        quantities: By name ``[1 + steps, P]`` the true quantities of a goal, where the states hold them.
        reached: ``[1 + steps]`` whether they reach it.
    """

    plan: Plan
    start: npt.NDArray[np.uint8] | None
    goal: npt.NDArray[np.uint8] | None
    distances: npt.NDArray[np.float64]
    unit: str
    quantities: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    reached: npt.NDArray[np.bool_] | None = None


def decide(
    agent: Agent, env: GoalEnvironment, seed: int = 1, *, goal: Reached | None = None, progress: bool | None = None
) -> Decision:
    """Plan once, at the start of a held-out task.

    Args:
        agent: The agent; it receives the observation of the start and of the goal.
        env: The environment; its running episodes are replaced.
        seed: Seed of the task and of the agent.
        goal: The goal in quantities that the cost of the agent holds, in place of that of the task.
        progress: Show the number of scored rounds; None: on a terminal and in a notebook.

    Raises:
        PlanningError: if no candidate has a finite energy.
    """
    tasks, _ = held_out_tasks(env, 1, seed)
    observation = env.begin(tasks.start)
    aim = env.observe(tasks.goal) if goal is None else None
    with counted("rounds of candidates", show=progress) as count:
        config = replace(agent.config, cost=_Counting(agent.config.cost, count))
        searching = Agent.of(agent.model, config, agent.proposal)
        _, verdict, _ = searching.act(searching.start(seed=seed, goal=aim), observation)
    if verdict.plan is None:
        raise PlanningError(verdict.reason)
    states = _states(env, tasks.start, verdict.plan)
    camera = next(iter(env.spec.cameras), None)
    start_image, goal_image = (
        None if camera is None or part is None else np.array(part[camera][0], np.uint8) for part in (observation, aim)
    )
    if goal is not None:
        held = {name: np.asarray(states[name], np.float64) for name in goal.targets if name in states}
        reached = goal(held) if set(held) == set(goal.targets) else None
        return Decision(verdict.plan, start_image, goal_image, np.zeros(0), env.rules.unit, held, reached)
    rows = [
        {name: values[step : step + 1] for name, values in states.items()}
        for step in range(len(next(iter(states.values()))))
    ]
    distances = np.concatenate([env.distance(row, tasks.goal) for row in rows])
    return Decision(verdict.plan, start_image, goal_image, distances, env.rules.unit)


def _states(env: GoalEnvironment, start: State, plan: Plan) -> State:
    """Return the state of one world before a plan and after each of its steps; the first alone without ``simulate``."""
    if not has_simulation(env):
        return start
    later = env.simulate(start, plan.actions.cpu().numpy().astype(np.float32))
    return {name: np.concatenate([values, later[name][0]]) for name, values in start.items()}


@dataclass(frozen=True)
class _Counting:
    """A cost that counts its calls."""

    cost: Cost
    count: Callable[[], None]

    def __call__(self, rollout: Rollout, /) -> Numbers:
        self.count()
        return self.cost(rollout)

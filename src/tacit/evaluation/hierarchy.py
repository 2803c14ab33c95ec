"""Diagnosis of plans for far goals: oracle sub-goals, macro-actions, reachability, and where a long plan fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._check import require_expert, require_simulation
from tacit.agent import Agent, AgentState, MacroSearch, SubGoals
from tacit.errors import ConfigError
from tacit.evaluation.closed_loop import closed_loop
from tacit.evaluation.tasks import held_out_tasks
from tacit.evaluation.trace import Privileged
from tacit.planners import WorldNoise
from tacit.statistics.intervals import Estimate, Rate, bootstrap, wilson
from tacit.types import Context, ExpertEnvironment, GoalEnvironment, Plan, SimulatedEnvironment, State, Tasks, Verdict

__all__ = ["HierarchyDiagnosis", "Manifold", "OracleSubGoals", "PlanErrors", "diagnose"]

STRIDE = 4
"""Blocks of a sub-goal for an agent without macro-actions."""
CHUNKS = 512
"""Recorded macro-actions whose distances to the others are compared with those of chosen ones."""


@dataclass(frozen=True)
class Manifold:
    """Distances of macro-actions to the nearest recorded one, in halves of the box of recorded ones.

    Attributes:
        chosen: The median distance of chosen macro-actions.
        recorded: The median distance of a recorded one to the others.
        outside: The share of chosen ones that are further away than 95 % of the recorded ones.
    """

    chosen: float
    recorded: float
    outside: Rate


@dataclass(frozen=True)
class PlanErrors:
    """The plan of the low level toward the goal, carried out in the world, block by block.

    Distances are mean squared differences of latents.

    Attributes:
        error: The distance of the predicted latent from the real one.
        planned: The distance of the predicted latent to the goal.
        real: The distance of the real latent to the goal.
        usual: The median distance of real latents one block apart.
    """

    error: tuple[Estimate, ...]
    planned: tuple[Estimate, ...]
    real: tuple[Estimate, ...]
    usual: float

    @property
    def fails_at(self) -> int | None:
        """Return the first block whose mean error is above the usual change of a block; None if none is."""
        return next((block for block, one in enumerate(self.error, 1) if one.mean > self.usual), None)


@dataclass(frozen=True)
class HierarchyDiagnosis:
    """The result of :func:`diagnose`.

    Attributes:
        stride: Blocks from one sub-goal to the next.
        agent: Share of tasks that the agent solves.
        flat: Share of tasks that its low level solves without sub-goals; None for an agent without macro-actions.
        oracle: Share of tasks that its low level solves with sub-goals on the shortest way.
        reached: Share of the first chosen sub-goals that the low level reaches within the stride; None without
            macro-actions.
        reached_oracle: The same for sub-goals on the shortest way.
        manifold: Distances of the chosen macro-actions to recorded ones; None without macro-actions.
        plan: The error of plans of the low level.
    """

    stride: int
    agent: Rate
    flat: Rate | None
    oracle: Rate
    reached: Rate | None
    reached_oracle: Rate
    manifold: Manifold | None
    plan: PlanErrors

    def __str__(self) -> str:
        rows = [f"agent                          {self.agent}"]
        rows += [] if self.flat is None else [f"low level without sub-goals    {self.flat}"]
        rows += [f"low level, oracle sub-goals    {self.oracle}"]
        rows += [] if self.reached is None else [f"chosen sub-goals reached       {self.reached}"]
        rows += [f"oracle sub-goals reached       {self.reached_oracle}, within {self.stride} blocks"]
        if self.manifold is not None:
            one = self.manifold
            rows += [
                f"chosen macro-actions           {one.chosen:.3f} from the nearest recorded one, which are "
                f"{one.recorded:.3f} from each other; {one.outside} further than 95 % of these"
            ]
        where = self.plan.fails_at
        end = f"fails at block {where}" if where else f"holds for {len(self.plan.error)} blocks"
        rows += [f"a plan of the low level        {end}, where its error passes the usual change of one block"]
        rows += ["  block   error   planned distance   real distance"]
        for block, (error, planned, real) in enumerate(
            zip(self.plan.error, self.plan.planned, self.plan.real, strict=True), 1
        ):
            rows.append(f"  {block:>5}  {error.mean:7.4f}  {planned.mean:12.4f}  {real.mean:14.4f}")
        return "\n".join(rows)


class OracleSubGoals(Privileged):
    """The low level of an agent with a true state on the shortest way as its sub-goal, ``stride`` blocks ahead.

    Args:
        agent: The agent; its own sub-goals are left out.
        env: The environment, whose expert knows the way.
        stride: Blocks to look ahead.

    Raises:
        ConfigError: if the environment has no expert or cannot be simulated.
    """

    def __init__(self, agent: Agent, env: GoalEnvironment, stride: int) -> None:
        self._agent, self._world, self._stride = agent.replace(sub_goals=None), _World(env), stride

    def start(
        self, *, seed: int | Sequence[int], batch: int = 1, goal: State | None = None
    ) -> tuple[AgentState, State]:
        """Return the state of the agent and the goal states ``[B, ...]``.

        Raises:
            ConfigError: without goals.
        """
        if goal is None:
            raise ConfigError("sub-goals on the shortest way need goal states; give start(goal=...).")
        state = self._agent.start(seed=seed, batch=batch, goal=self._world.env.observe(goal))
        return state, goal

    def act(
        self, state: tuple[AgentState, State], observation: State
    ) -> tuple[npt.NDArray[np.float32], Verdict, tuple[AgentState, State]]:
        """Return the actions ``[B, A]`` in the states ``observation``."""
        inner, goal = state
        if inner.steps[0] % self._agent.frameskip == 0:
            ahead = self._world.ahead(observation, goal, self._stride * self._agent.frameskip)
            inner = replace(inner, goal=encoded(self._agent, self._world.env, ahead))
        action, verdict, inner = self._agent.act(inner, self._world.env.observe(observation))
        return action, verdict, (inner, goal)


class _World:
    """An environment with an expert and true dynamics."""

    def __init__(self, env: GoalEnvironment) -> None:
        self.env: GoalEnvironment = env
        self._expert: ExpertEnvironment = require_expert(env, "diagnose")
        self._dynamics: SimulatedEnvironment = require_simulation(env, "diagnose")

    def ahead(self, state: State, goal: State, steps: int) -> State:
        """Return the states ``[B, ...]`` after some steps of the expert."""
        for _ in range(steps):
            state = self.after(state, self._expert.expert(state, goal)[:, None])
            state = {name: values[:, 0] for name, values in state.items()}
        return state

    def after(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """Return the states ``[B, H, ...]`` after each of the actions ``[B, H, A]``."""
        return self._dynamics.simulate(state, actions)


def diagnose(
    agent: Agent,
    env: GoalEnvironment,
    episodes: int = 50,
    seed: int = 1,
    *,
    stride: int | None = None,
    progress: bool | None = None,
) -> HierarchyDiagnosis:
    """Find out why an agent misses far goals: its sub-goals, its macro-actions, its low level or its model.

    Where oracle sub-goals solve the tasks and the agent does not, its sub-goals are the bottleneck. A sub-goal is
    reached where the mean absolute difference of its latent from the last one is at most that of one block of the same
    episodes.

    Args:
        agent: The agent, with sub-goals from macro-actions or from a graph, or without.
        env: An environment with goals, an expert and ``simulate``.
        episodes: The number of tasks.
        seed: Seed of the tasks and of the agent.
        stride: Blocks of an oracle sub-goal; None: those of a macro-action, else 4.
        progress: Show progress bars; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if the environment lacks a method, or a number is below 1.
    """
    source = agent.config.sub_goals
    macros = source if isinstance(source, MacroSearch) else None
    blocks = stride if stride is not None else STRIDE if macros is None else macros.macros.config.stride
    if blocks < 1 or episodes < 1:
        raise ConfigError(f"diagnose needs episodes >= 1 and stride >= 1; got {episodes} and {blocks}.")
    world, flat = _World(env), agent.replace(sub_goals=None)
    tasks, _ = held_out_tasks(env, episodes, seed)

    def solved(actor: Agent | OracleSubGoals) -> Rate:
        return closed_loop(actor, env, seed=seed, tasks=tasks, progress=progress).success

    starts, goals = (encoded(agent, env, states) for states in (tasks.start, tasks.goal))
    ahead = encoded(agent, env, world.ahead(tasks.start, tasks.goal, blocks * agent.frameskip))
    chosen = None if macros is None else macros(starts, goals, WorldNoise.of(seed, episodes))
    aims = source.route(starts, goals).targets if isinstance(source, SubGoals) else None
    aims = aims if chosen is None else chosen.latents[:, 0]
    return HierarchyDiagnosis(
        blocks,
        solved(agent),
        None if source is None else solved(flat),
        solved(OracleSubGoals(agent, env, blocks)),
        None if aims is None else _reached(flat, world, tasks, aims, blocks, seed),
        _reached(flat, world, tasks, ahead, blocks, seed),
        None if macros is None or chosen is None else _manifold(macros, chosen.macros),
        _plan_errors(flat, world, tasks, goals, seed),
    )


@torch.no_grad()
def encoded(agent: Agent, env: GoalEnvironment, states: State) -> Tensor:
    """Return the latents ``[B, D]`` of states."""
    return agent.model.encode(env.observe(states)).float()


def _reached(agent: Agent, world: _World, tasks: Tasks, sub_goals: Tensor, blocks: int, seed: int) -> Rate:
    """Return the share of sub-goals ``[B, D]`` that an agent reaches from the starts of tasks."""
    env, count, steps = world.env, len(tasks), []
    observation = env.begin(tasks.start)
    state = agent.start(seed=seed, batch=count, goal=env.observe(tasks.goal))
    state = replace(state, goal=sub_goals.to(agent.model.device))
    latents = [encoded(agent, env, tasks.start)]
    for _ in range(blocks):
        for _ in range(agent.frameskip):
            action, _, state = agent.act(state, observation)
            observation = env.step(action).observation
        latents.append(encoded(agent, env, env.state()))
        steps.append((latents[-1] - latents[-2]).abs().mean(dim=1))
    near = (latents[-1] - sub_goals).abs().mean(dim=1) <= torch.stack(steps).median()
    return wilson(int(near.sum()), count)


def _manifold(search: MacroSearch, macros: Tensor) -> Manifold:
    """Return the distances of macro-actions ``[B, H, M]`` to recorded ones."""
    bank, (low, high) = search.macros.recorded, search.macros.box
    half = ((high - low) / 2).clamp(min=1e-6)
    some, others, chosen = bank[:CHUNKS] / half, bank / half, macros.flatten(0, 1) / half
    own = torch.cdist(some, others)
    own[torch.arange(len(some)), torch.arange(len(some))] = torch.inf
    usual, found = own.amin(dim=1), torch.cdist(chosen, others).amin(dim=1)
    outside = int((found > torch.quantile(usual, 0.95)).sum())
    return Manifold(float(found.median()), float(usual.median()), wilson(outside, len(found)))


def _plan_errors(agent: Agent, world: _World, tasks: Tasks, goals: Tensor, seed: int) -> PlanErrors:
    """Return the errors of the first plan of an agent for each task, carried out to its end."""
    state = agent.start(seed=seed, batch=len(tasks), goal=world.env.observe(tasks.goal))
    _, verdict, _ = agent.act(state, world.env.observe(tasks.start))
    if not isinstance(verdict.plan, Plan):
        raise ConfigError(f"the agent made no plan: {verdict.reason}")
    raw, skip = verdict.plan.actions, agent.frameskip
    blocks = raw.reshape(len(raw), -1, skip * raw.shape[-1])
    with torch.no_grad():
        context = Context(encoded(agent, world.env, tasks.start)[:, None])
        imagined = agent.model.rollout(context, blocks.to(agent.model.device)).float()
    states = world.after(tasks.start, raw.cpu().numpy().astype(np.float32))
    real = torch.stack(
        [
            encoded(agent, world.env, {name: values[:, block] for name, values in states.items()})
            for block in range(skip - 1, raw.shape[1], skip)
        ],
        dim=1,
    )
    before = torch.cat([context.latents[:, -1:], real[:, :-1]], dim=1)
    pairs = ((imagined, real), (imagined, goals[:, None]), (real, goals[:, None]))
    error, planned, actual = (
        tuple(bootstrap(column, seed) for column in (one - other).square().mean(dim=2).cpu().double().numpy().T)
        for one, other in pairs
    )
    return PlanErrors(error, planned, actual, float((real - before).square().mean(dim=2).median()))

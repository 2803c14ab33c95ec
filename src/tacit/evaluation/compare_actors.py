"""Comparison of an agent with its baselines and its oracle, on the same held-out tasks or episodes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal

from tacit._check import has_simulation
from tacit.agent import Agent, PolicyActor, RandomActor
from tacit.evaluation._actors import Goal
from tacit.evaluation.closed_loop import ClosedLoop, closed_loop
from tacit.evaluation.episode_scores import EpisodeScores, Success, score_episodes
from tacit.evaluation.oracles import TrueDynamicsActor
from tacit.types import Actor, Environment, GoalEnvironment

__all__ = ["compare_episodes", "compare_with_baselines"]


def compare_with_baselines(
    agent: Agent,
    env: GoalEnvironment,
    *,
    episodes: int = 200,
    seed: int = 1,
    record_frames: int = 0,
    on_result: Callable[[str, ClosedLoop], None] | None = None,
    progress: bool | None = None,
) -> dict[str, ClosedLoop]:
    """Let an agent, its baselines and its oracle pursue the same held-out goals.

    Args:
        agent: The agent to evaluate; its run is called ``success``.
        env: The environment, with its rules.
        episodes: The number of tasks.
        seed: Seed of the tasks; nothing may have been tuned on them.
        record_frames: Keep the images of this many tasks of the agent.
        on_result: Called with the name and the run of each actor when it is done.
        progress: Show a progress bar for each actor; None: on a terminal and in a notebook.

    Returns:
        ``success`` (the agent), ``random`` (random actions, each held for a block), ``policy`` where the agent has a
        policy, which then acts without search, and ``oracle``: the same planner with the true dynamics and the true
        distance. An environment without ``simulate`` has no oracle; a warning reports this.
    """
    actors: dict[str, Actor] = {"success": agent, "random": RandomActor(env.spec.action, repeat=agent.frameskip)}
    if agent.proposal is not None:
        actors["policy"] = PolicyActor(agent.model, agent.proposal, agent.fallback, agent.constraints)
    if has_simulation(env):
        actors["oracle"] = TrueDynamicsActor.like(agent, env)
    else:
        warnings.warn(f"no oracle is measured: {type(env).__name__} has no simulate(state, actions).", stacklevel=2)
    runs = {}
    for name, actor in actors.items():
        kept = record_frames if name == "success" else 0
        runs[name] = closed_loop(actor, env, episodes, seed, record_frames=kept, progress=progress)
        if on_result is not None:
            on_result(name, runs[name])
    return runs


def compare_episodes(
    agent: Agent,
    env: Environment,
    *,
    episodes: int = 200,
    seed: int = 1,
    goal: Goal | None = None,
    success: Success | None = None,
    success_at: Literal["last", "any"] = "last",
    steps: int = 1000,
) -> dict[str, EpisodeScores]:
    """Score whole episodes of an agent and of random actions; see :func:`score_episodes`.

    Returns:
        ``random`` (random actions, each held for a block) and ``agent``.
    """
    actors: dict[str, Actor] = {"random": RandomActor(env.spec.action, repeat=agent.frameskip), "agent": agent}
    return {
        name: score_episodes(actor, env, episodes, seed, goal=goal, success=success, success_at=success_at, steps=steps)
        for name, actor in actors.items()
    }

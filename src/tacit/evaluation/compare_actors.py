"""Comparison of an agent with its baselines and its oracle on the same held-out tasks."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from tacit._check import has_simulation
from tacit.agent import Agent, PolicyActor, RandomActor
from tacit.evaluation.closed_loop import ClosedLoop, closed_loop
from tacit.evaluation.oracles import TrueDynamicsActor
from tacit.types import Actor, GoalEnvironment

__all__ = ["beside_references"]


def beside_references(
    agent: Agent,
    env: GoalEnvironment,
    *,
    episodes: int = 200,
    seed: int = 1,
    film: int = 0,
    on_result: Callable[[str, ClosedLoop], None] | None = None,
    progress: bool | None = None,
) -> dict[str, ClosedLoop]:
    """Let an agent and its references pursue the same held-out goals.

    Args:
        agent: The agent to evaluate; its run is called ``success``.
        env: The world, with its rules.
        episodes: Tasks.
        seed: Of the tasks; none of them may have been used to tune anything.
        film: Tasks of the agent's to keep images of.
        on_result: Called with the name and the run of each actor when it is done.
        progress: Show a progress bar for each actor; None: on a terminal and in a notebook.

    Returns:
        ``success``, ``random`` (the baseline, which holds each action for a block as well), ``amortised`` where
        the agent has a policy that proposes, which then acts alone, and ``ceiling``: the same planner with the true
        dynamics and the true distance. An environment without ``simulate`` has no oracle, which a warning says.
    """
    actors: dict[str, Actor] = {"success": agent, "random": RandomActor(env.spec.action, repeat=agent.frameskip)}
    if agent.proposal is not None:
        actors["amortised"] = PolicyActor(agent.model, agent.proposal, agent.fallback, agent.constraints)
    if has_simulation(env):
        actors["ceiling"] = TrueDynamicsActor.like(agent, env)
    else:
        warnings.warn(f"no ceiling is measured: {type(env).__name__} has no simulate(state, actions).", stacklevel=2)
    runs = {}
    for name, actor in actors.items():
        shown = film if name == "success" else 0
        runs[name] = closed_loop(actor, env, episodes, seed, film=shown, progress=progress)
        if on_result is not None:
            on_result(name, runs[name])
    return runs

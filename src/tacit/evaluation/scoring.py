"""An agent beside its floors and its ceiling, on the same held-out tasks."""

from __future__ import annotations

from collections.abc import Callable

from tacit.agent import Agent, PolicyActor, Proposal, RandomActor
from tacit.evaluation.acting import ClosedLoop, closed_loop
from tacit.evaluation.references import TrueDynamicsActor
from tacit.types import Actor, GoalEnvironment

__all__ = ["beside_references"]


def beside_references(
    agent: Agent,
    env: GoalEnvironment,
    *,
    policy: Proposal | None = None,
    episodes: int = 200,
    seed: int = 1,
    film: int = 0,
    told: Callable[[str, ClosedLoop], None] | None = None,
    progress: bool = False,
) -> dict[str, ClosedLoop]:
    """Let an agent and what it is measured against pursue the same held-out goals.

    Args:
        agent: What is judged; its run is called ``success``.
        env: The world, with its rules.
        policy: A goal-conditioned policy, which also acts on its own: the floor ``amortised``.
        episodes: Tasks.
        seed: Of the tasks; none of them may have been used to tune anything.
        film: Tasks of the agent's to keep pictures of.
        told: Called with the name and the run of each actor when it is done.
        progress: Show a progress bar on stderr for each actor.

    Returns:
        ``success``, ``random`` (the floor, which holds each action for a block as well), ``amortised`` where
        there is a policy, and ``ceiling``: the same planner with the true dynamics and the true distance.
    """
    actors: dict[str, Actor] = {"success": agent, "random": RandomActor(env.spec.action, hold=agent.frameskip)}
    if policy is not None:
        actors["amortised"] = PolicyActor(agent.model, policy)
    actors["ceiling"] = TrueDynamicsActor.like(agent, env)
    runs = {}
    for name, actor in actors.items():
        shown = film if name == "success" else 0
        runs[name] = closed_loop(actor, env, episodes, seed, film=shown, progress=progress)
        if told is not None:
            told(name, runs[name])
    return runs

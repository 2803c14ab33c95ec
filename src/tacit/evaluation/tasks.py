"""Held-out tasks: starts and goals that are not in the training data, none solved at its start."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tacit._seeds import derive_seed, draw_seeds
from tacit._states import copied, joined_tasks, rows_of, tasks_of
from tacit.collection import Policy
from tacit.errors import ConfigError
from tacit.types import GoalEnvironment, Tasks

__all__ = ["held_out_tasks", "reached_tasks"]


def held_out_tasks(env: GoalEnvironment, count: int, seed: int) -> tuple[Tasks, int]:
    """Draw ``count`` tasks that are not solved at their start.

    The second value is the number of drawn tasks that had to be replaced.

    Raises:
        ConfigError: if most of what the environment draws is already solved.
    """
    return unsolved_tasks(env, count, seed, env.tasks)


def reached_tasks(env: GoalEnvironment, policy: Policy, count: int, steps: int, seed: int) -> Tasks:
    """Draw ``count`` tasks whose goals ``policy`` reaches from its start in ``steps`` steps.

    The starts are the policy's own, and none is solved there; an episode that ends before gives no task. DINO-WM,
    LeWorldModel and others draw goals like this, from recorded episodes.

    Raises:
        ConfigError: if the policy seldom gets further than the radius.
    """

    def draw(missing: int, seed: int) -> Tasks:
        env.begin(env.tasks(missing, seed).start)  # the batch takes its size
        seeds = draw_seeds(seed, missing)
        observation, act = policy(env, seeds, steps)
        start, lasting = copied(env.state()), np.ones(missing, np.bool_)
        for step in range(steps):
            transition = env.step(act(step, observation))
            observation = transition.observation
            lasting &= ~(transition.terminated | transition.truncated)
        return Tasks(rows_of(start, lasting), rows_of(copied(env.state()), lasting))

    return unsolved_tasks(env, count, seed, draw)[0]


def unsolved_tasks(
    env: GoalEnvironment,
    count: int,
    seed: int,
    draw: Callable[[int, int], Tasks],
    lost: str = "episodes ended before their goal: ask for fewer steps.",
) -> tuple[Tasks, int]:
    """Draw ``count`` tasks that are not solved at their start.

    The second value is the number of drawn tasks that had to be replaced.

    Args:
        env: The environment.
        count: The number of tasks.
        seed: Seed of the tasks.
        draw: Draws at most a given number of tasks from a seed.
        lost: The reason why it may draw fewer.

    Raises:
        ConfigError: if most of what is drawn is already solved or lost.
    """
    kept: list[Tasks] = []
    missing, replaced, ended = count, 0, 0
    for attempt in range(20):
        drawn = draw(missing, derive_seed(seed, attempt) if attempt else seed)
        ended += missing - len(drawn)
        open_ = env.distance(drawn.start, drawn.goal) > env.rules.radius
        kept.append(tasks_of(drawn, open_))
        missing, replaced = missing - int(open_.sum()), replaced + int((~open_).sum())
        if not missing:
            return joined_tasks(kept), replaced
    rules, why = env.rules, ""
    if replaced:
        near = f"within {rules.radius} {rules.unit}"
        why += f" {replaced} were solved at their start ({near}): draw goals further away or make the radius smaller."
    if ended:
        why += f" {ended} {lost}"
    raise ConfigError(f"{count} tasks were asked for and {count - missing} found.{why}")


def require_open(env: GoalEnvironment, tasks: Tasks) -> None:
    """Refuse tasks if some are solved at their start, or if there are none.

    Raises:
        ConfigError: saying how many.
    """
    solved = int((env.distance(tasks.start, tasks.goal) <= env.rules.radius).sum())
    if solved or not len(tasks):
        raise ConfigError(
            f"closed_loop needs tasks that are not solved at their start; got {len(tasks)}, {solved} of them "
            f"within {env.rules.radius} {env.rules.unit} of their goal."
        )

"""Recording of episodes of an environment under a policy.

::

    episodes = tc.collect("two_rooms", episodes=200, steps=100, to="data/two_rooms")

Episode ``i`` is a function of ``(seed, i)`` alone, for any batch and any processes, so an interrupted
collection continues where it stopped, with the same result as without the interruption.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tacit import data
from tacit._files import resolve
from tacit._progress import track
from tacit.collection._recording import Recipe, alike
from tacit.collection.branches import Branches
from tacit.collection.policies import Acting, Each, Expert, Policy, Random, Steps, policy_called
from tacit.data import Episodes
from tacit.data.storage import Format
from tacit.errors import ConfigError
from tacit.types import Environment

__all__ = ["Acting", "Branches", "Each", "Expert", "Policy", "Random", "Steps", "collect"]


def collect(
    env: str | Environment | Callable[..., Environment],
    policy: str | Policy | Steps = "random",
    *,
    episodes: int,
    steps: int = 100,
    to: str | Path | None = None,
    seed: int = 0,
    workers: int = 1,
    num_envs: int | None = None,
    format: str | Format = "lerobot",
    progress: bool | None = None,
) -> Episodes:
    """Record ``episodes`` episodes of ``steps`` actions (and one observation more), fewer where the world ends.

    Rewards and successes are recorded where the environment gives them; see :attr:`tacit.types.Episode.reward`.

    Args:
        env: A name for :func:`tacit.envs.make`, a function or class that makes an environment and takes ``num_envs``
            or nothing, or an environment.
        policy: ``random``, ``expert``, ``module:function`` (see :data:`Steps`), a function of one world's observation,
            or of that and the step, an actor such as an agent (see :class:`Acting`), or a :data:`Policy`.
        episodes: The total number of episodes.
        steps: Actions in an episode.
        to: The path of the dataset; existing episodes of the same collection are kept, which a new recording of the
            first episode must confirm. None: in memory.
        seed: Seed of the collection.
        workers: Processes to record in, each with an environment of its own.
        num_envs: Worlds in a batch, 16 by default; an environment has its own number.
        format: The format of the dataset; see :class:`tacit.data.Writer`.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if an option is unknown or out of range, or ``to`` holds episodes of another collection.
        DataError: if the note of the collection next to ``to`` is damaged.
        SpecError: if a policy gives actions that do not fit.
        TacitError: if a worker process dies, or a policy function or an adapted environment fails.
    """
    _check(env, episodes, steps, workers)
    recipe = Recipe(env, policy_called(policy), steps, seed, num_envs)
    place = None if to is None else resolve(to)
    world = recipe.open()
    try:
        if place is None:
            with closing(recipe.record_all(world, range(episodes), workers)) as fresh:
                whole = alike(track(fresh, episodes, "episodes", show=progress))
                return data.from_episodes(list(whole), world.spec)
        with data.Writer(place, world.spec, format) as writer:
            done = len(writer)
            first = recipe.check(place, done, world) if done else None
            with closing(recipe.record_all(world, range(done, episodes), workers)) as fresh:
                for episode in alike(track(fresh, episodes, "episodes", show=progress, done=done), first):
                    if not len(writer):
                        recipe.claim(place, episode)
                    writer.add(episode)
    finally:
        if world is not env:
            world.close()
    return data.open(place)


def _check(env: str | Environment | Callable[..., Environment], episodes: int, steps: int, workers: int) -> None:
    """Refuse numbers below 1, and several workers of one environment."""
    if episodes < 1 or steps < 1 or workers < 1:
        raise ConfigError(
            f"collect needs episodes, steps and workers of at least 1; got {episodes}, {steps} and {workers}."
        )
    if workers > 1 and not (isinstance(env, str) or callable(env)):
        raise ConfigError(
            "with several workers, give the environment by name or as a function, for each to make its own."
        )

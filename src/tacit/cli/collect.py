"""Record episodes of an environment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["collect"]


def collect(
    env: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ENV")],
    /,
    *,
    to: Path,
    episodes: int = 100,
    steps: int = 100,
    policy: str = "random",
    seed: int = 0,
    workers: int = 1,
    num_envs: int | None = None,
) -> None:
    """Record episodes and write them as a dataset; run it again to continue where it stopped.

    For example: tacit collect two_rooms --episodes 300 --to data/two_rooms

    For example: tacit collect gymnasium:Pendulum-v1 --policy my_module:my_policy --to data/pendulum

    Args:
        env: An environment, for example two_rooms, two_rooms:layout=random, reacher or gymnasium:CartPole-v1.
        to: The folder to write.
        episodes: The total number of episodes.
        steps: Actions in an episode.
        policy: random, expert, or module:function.
        seed: Episode i depends on the seed and i alone.
        workers: Processes to record in.
        num_envs: Worlds in a batch.
    """
    import tacit as tc

    found = tc.collect(
        env,
        policy,
        episodes=episodes,
        steps=steps,
        to=to,
        seed=seed,
        workers=workers,
        num_envs=num_envs,
    )
    print(f"{len(found)} episodes in {to}. Next: tacit train {to} --to runs/{to.name}")

"""Map an unknown world, and save the agent with the map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["explore"]


def explore(
    env: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="ENV")],
    /,
    *,
    to: Path,
    run: Path | None = None,
    steps: int = 600,
    seed: int = 0,
    device: str = "auto",
) -> None:
    """Map an unknown world, and save the agent with the map; run it again to add to the map.

    The agent heads for places that its world model imagines beyond the map. Nothing is trained.

    For example: tacit explore rooms:rows=4,columns=4,layout_seed=7 --run runs/unknown --to maps/seven

    Then: tacit eval maps/seven --env rooms:rows=4,columns=4,layout_seed=7

    Args:
        env: One world, for example rooms:rows=4,columns=4,layout_seed=7.
        to: The folder of the agent with the map.
        run: The directory of a run of the recipe unknown_rooms, or of its agent. Needed where there is no map yet.
        steps: Steps to act for.
        seed: Seed of the start and of the agent.
        device: cpu, cuda, cuda:1, mps or auto.
    """
    from tacit.agent import SubGoals
    from tacit.cli._run import agent_of
    from tacit.cli._run import device as chosen
    from tacit.errors import ConfigError
    from tacit.exploration import explore as explored

    resume = to.exists()
    if not resume and run is None:
        raise ConfigError(f"there is no map at {to} yet: name the run whose agent makes it, with --run RUN.")
    agent = agent_of(to if resume or run is None else run, chosen(device))
    mapped, _ = explored(agent, env, steps=steps, seed=seed, resume=resume)
    mapped.save(to)
    assert isinstance(mapped.config.sub_goals, SubGoals)
    print(mapped.config.sub_goals)
    print(f"The agent with the map is in {to}. Next: tacit eval {to} --env {env}")

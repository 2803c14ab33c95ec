"""Problems for planners, in one call."""

from tacit.planners import WorldNoise
from tacit.types import Problem


def ask(planner, score, space, *, horizon, batch, seed=0, **options):
    """Return the plan of a planner for a batch of worlds."""
    noise = WorldNoise.of(seed, batch) if batch else []
    return planner(Problem(score, space, horizon, noise, **{"device": "cpu", **options}))

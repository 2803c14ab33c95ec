"""Planners: searches of an action space for a sequence of low energy; each file is one planner."""

from typing import Any

from tacit.planners._distributions import Categorical as Categorical
from tacit.planners._distributions import Gaussian as Gaussian
from tacit.planners._distributions import Joint as Joint
from tacit.planners._noise import WorldNoise as WorldNoise
from tacit.planners._noise import seeds_of as seeds_of
from tacit.planners._noise import world_seeds as world_seeds
from tacit.planners._ranking import Ranking as Ranking
from tacit.planners._ranking import Rated as Rated
from tacit.planners._sampler import Sampler as Sampler
from tacit.planners._scored import as_energies as as_energies
from tacit.planners._scored import as_scored as as_scored
from tacit.planners._search import begin as begin
from tacit.planners._search import begin_box as begin_box
from tacit.planners.cem import CEM as CEM
from tacit.planners.gradient import Gradient as Gradient
from tacit.planners.icem import ICEM as ICEM
from tacit.planners.mppi import MPPI as MPPI
from tacit.planners.random_shooting import RandomShooting as RandomShooting

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

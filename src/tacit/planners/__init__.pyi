"""Searches of an action space for a sequence of low energy; each file is one planner."""

from typing import Any

from tacit.planners._energies import as_energies as as_energies
from tacit.planners._legal import legal as legal
from tacit.planners.cem import CEM as CEM
from tacit.planners.gradient import Gradient as Gradient
from tacit.planners.icem import ICEM as ICEM
from tacit.planners.mppi import MPPI as MPPI
from tacit.planners.random_shooting import RandomShooting as RandomShooting

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

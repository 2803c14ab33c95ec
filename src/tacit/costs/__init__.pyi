"""Costs: hand-written energies of a rollout, which a planner minimises; each file is one cost."""

from typing import Any

from tacit.costs._base import CostSum as CostSum
from tacit.costs._base import CostTerm as CostTerm
from tacit.costs._base import WeightedCost as WeightedCost
from tacit.costs._quantity import QuantityCost as QuantityCost
from tacit.costs._return_critic import ReturnCritic as ReturnCritic
from tacit.costs._return_critic import ReturnCriticConfig as ReturnCriticConfig
from tacit.costs._temporal_critic import TemporalCritic as TemporalCritic
from tacit.costs._temporal_critic import TemporalCriticConfig as TemporalCriticConfig
from tacit.costs.effort import Effort as Effort
from tacit.costs.expected_return import ExpectedReturn as ExpectedReturn
from tacit.costs.goal import Goal as Goal
from tacit.costs.recalled_goal import RecalledGoal as RecalledGoal
from tacit.costs.region import Region as Region
from tacit.costs.target import Target as Target
from tacit.costs.temporal_distance import TemporalDistance as TemporalDistance

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

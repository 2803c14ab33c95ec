"""Costs: hand-written energies of a rollout, which a planner minimises; each file is one cost."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(
    __name__, also=("_base", "_quantity", "_return_critic", "_temporal_critic")
)

"""Perturbations of environments that test an agent and its guard; each file is one perturbation."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(
    __name__, also=("_perturbation", "_results", "_suite", "_stressing")
)

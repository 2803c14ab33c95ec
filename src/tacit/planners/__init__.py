"""Planners: searches of an action space for a sequence of low energy; each file is one planner."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(
    __name__, also=("_distributions", "_noise", "_sampler", "_scored", "_search", "_ranking")
)

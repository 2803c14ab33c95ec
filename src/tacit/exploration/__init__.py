"""Exploration: maps of the states that an agent can reach, from recorded episodes and from its own."""

from tacit._registry import exports, lazy

MODULES = ("explorer", "exploring", "frontier", "mapping")

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {name: f"{__name__}.{module}" for module in MODULES for name in exports(f"{__name__}.{module}")},
)

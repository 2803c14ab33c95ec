"""Intervals, paired tests, cost curves and conformal ranks of scores."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: module
        for module in (f"{__name__}.efficiency", f"{__name__}.intervals", "tacit._conformal")
        for name in exports(module)
    },
)

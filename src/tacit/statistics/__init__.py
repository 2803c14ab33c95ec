"""Intervals, paired tests and cost curves of scores."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module in ("efficiency", "intervals")
        for name in exports(f"{__name__}.{module}")
    },
)

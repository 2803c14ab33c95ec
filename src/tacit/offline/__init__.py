"""Evaluation on held-out recordings, without a robot or a simulator."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module in ("curve", "evaluate", "forecasts", "plans", "ranking", "sensors")
        for name in exports(f"{__name__}.{module}")
    },
)

"""Memory: stores of what an agent has experienced."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {name: f"{__name__}.{module}" for module in () for name in exports(f"{__name__}.{module}")},
)

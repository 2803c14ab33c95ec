"""Linear identifiability: synthetic worlds with known states, and trained models next to simulator state."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module in ("identify", "metrics", "mixings", "state_law", "training", "worlds")
        for name in exports(f"{__name__}.{module}")
    },
)

"""Diagnostics of latents, which show a collapse, of optical flow, and of the operations of a computation."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module in ("flow", "latents", "operations")
        for name in exports(f"{__name__}.{module}")
    },
)

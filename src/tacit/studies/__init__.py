"""Studies: frozen manifests of measurements, run with several seeds, resumed and reported."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module in ("study", "results", "execution", "command_line", "tables", "trained_run")
        for name in exports(f"{__name__}.{module}")
    },
)

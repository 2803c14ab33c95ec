"""Probes of frozen representations: features, small readouts of them, and baselines."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "probes": f"{__name__}.probes",
        **{
            name: f"{__name__}.{module}"
            for module in ("baselines", "compare_probes", "features", "health", "probe", "readout")
            for name in exports(f"{__name__}.{module}")
        },
    },
)

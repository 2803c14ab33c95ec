"""Probes of frozen representations: features, small readouts of them, and baselines."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "probes": f"{__name__}.probes",
        "Encoder": f"{__name__}.encoder",
        "Trainable": f"{__name__}.encoder",
        "FewLabels": f"{__name__}.few_labels",
        **{
            name: f"{__name__}.{module}"
            for module in (
                "baselines",
                "classifier",
                "comparison",
                "feature_sources",
                "features",
                "health",
                "probe",
                "readout",
                "readout_files",
            )
            for name in exports(f"{__name__}.{module}")
        },
    },
)

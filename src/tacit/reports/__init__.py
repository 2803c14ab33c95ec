"""Reports of an evaluation: ``report.json`` with its schema, and an HTML page with figures."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "figures": f"{__name__}.figures",
        "Figure": f"{__name__}.figures",
        **{
            name: f"{__name__}.{module}"
            for module in (
                "dataset_report",
                "hierarchy_sections",
                "identification_sections",
                "report",
                "report_schema",
                "report_sections",
            )
            for name in exports(f"{__name__}.{module}")
        },
    },
)

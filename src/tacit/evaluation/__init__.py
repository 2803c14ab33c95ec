"""Scores that can be trusted: every one with an interval, its floors and its ceiling."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        **{
            name: f"{__name__}.{module}"
            for module in (
                "acting",
                "deciding",
                "episode_scores",
                "embedded",
                "embedding",
                "forecasting",
                "imagination",
                "pictures",
                "record",
                "references",
                "report",
                "scoring",
                "sections",
                "surprising",
                "tasks",
            )
            for name in exports(f"{__name__}.{module}")
        },
    },
)

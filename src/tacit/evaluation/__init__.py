"""Evaluation of agents and world models: closed loop, open loop, oracles, surprise and held-out tasks."""

from tacit._registry import exports, lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        name: f"{__name__}.{module}"
        for module in (
            "closed_loop",
            "compare_actors",
            "decision",
            "episode_scores",
            "imagination",
            "open_loop",
            "oracles",
            "reached",
            "surprise",
            "tasks",
            "trace",
        )
        for name in exports(f"{__name__}.{module}")
    },
)

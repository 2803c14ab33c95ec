"""Recorded episodes: on disk, in memory, and as random clips that feed training.

::

    episodes = tc.data.open("data/two_rooms")
    train, held_out = episodes.split(0.9, seed=0)
    clip = train.clips(5).batch(seed=0, step=0, size=32)
"""

from tacit._registry import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "ClipBatches": "tacit.data.batches",
        "Clips": "tacit.data.clips",
        "Episodes": "tacit.data.episodes",
        "Finding": "tacit.data.validation",
        "Info": "tacit.data.inspection",
        "Writer": "tacit.data.writing",
        "check": "tacit.data.inspection",
        "convert": "tacit.data.writing",
        "formats": "tacit.data.formats",
        "from_episodes": "tacit.data.memory",
        "info": "tacit.data.inspection",
        "open": "tacit.data.reading",
        "quality": "tacit.data.quality",
        "readers": "tacit.data.readers",
        "save": "tacit.data.writing",
        "suggest_mapping": "tacit.data.suggestion",
    },
)

"""Recorded episodes: on disk, in memory, and as random clips that feed training.

::

    episodes = tc.data.open("data/two_rooms")
    train, held_out = episodes.split(0.9, seed=0)
    clip = train.clips(5).batch(seed=0, step=0, size=32)"""

from tacit.data.batches import ClipBatches as ClipBatches
from tacit.data.clips import Clips as Clips
from tacit.data.episodes import Episodes as Episodes
from tacit.data import formats as formats
from tacit.data.inspection import Info as Info
from tacit.data.inspection import check as check
from tacit.data.inspection import info as info
from tacit.data.memory import from_episodes as from_episodes
from tacit.data import quality as quality
from tacit.data import readers as readers
from tacit.data.reading import open as open
from tacit.data.suggestion import suggest_mapping as suggest_mapping
from tacit.data.validation import Finding as Finding
from tacit.data.writing import Writer as Writer
from tacit.data.writing import convert as convert
from tacit.data.writing import save as save

__all__: list[str]

"""Index of the files of a recording, and the options of reading it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from tacit._config import OMIT_DEFAULT
from tacit._limits import is_positive
from tacit.data.formats._feature_options import FeatureOptions
from tacit.data.formats._features import Feature
from tacit.data.readers._recorded_arrays import Rows
from tacit.errors import ConfigError
from tacit.types import ActionSpace

__all__ = ["Content", "Entry", "RecordingOptions"]


@dataclass(frozen=True)
class RecordingOptions(FeatureOptions):
    """Options of reading recordings of robots.

    Args:
        fps: Steps a second. None: those of the file, or else 10, with a warning.
    """

    fps: float | None = field(default=None, metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fps is not None and not is_positive(self.fps):
            raise ConfigError(f"fps is a positive number of steps a second; got {self.fps!r}.")


@dataclass(frozen=True)
class Entry:
    """Episode of a recording.

    Attributes:
        source: The number of its file.
        place: Its group in the file.
        length: Its number of observations.
        start: Its first row, in arrays that hold several episodes.
        terminated: The world ended it.
        seed: The seed that made it.
        task: Its task in words.
    """

    source: int
    place: str
    length: int
    start: int = 0
    terminated: bool = False
    seed: int | None = None
    task: str = ""


class Content(ABC):
    """Index of the files of a recording; what it holds is read only in :meth:`arrays`.

    Attributes:
        path: The path that was opened.
        files: The files.
        entries: The episodes, in the order of their files.
        features: The arrays by name.
        fps: Steps a second, where the files say so.
        space: The space of the actions, where the files say so.
        names: Names of modalities and labels that differ from those of the arrays.
        strip: Prefixes that names of modalities do without.
        grouped: Whether the episodes of one file are pieces of one recording.
        later: Labels whose row ``t`` belongs to the observation ``t`` instead of to the action ``t``.
    """

    path: Path
    files: tuple[Path, ...]
    entries: Sequence[Entry]
    features: Mapping[str, Feature]
    fps: float | None = None
    space: ActionSpace | None = None
    names: Mapping[str, str] = MappingProxyType({})
    strip: tuple[str, ...] = ()
    later: Collection[str] = ()
    grouped: bool = False

    @abstractmethod
    def arrays(self, entry: Entry) -> AbstractContextManager[Mapping[str, Rows]]:
        """Return the arrays of an episode by name; their rows are read on access."""

    def parts(self, file: Path) -> Sequence[Path]:
        """Return the files of which one of ``files`` consists."""
        return (file,)

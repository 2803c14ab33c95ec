"""Reader of HDF5 files of D4RL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tacit.data.formats._hdf5_content import inside
from tacit.data.readers._hdf5_recordings import Hdf5Content, has_layout
from tacit.data.readers._recording_content import Entry, RecordingOptions
from tacit.data.readers._recordings import RecordingStorage
from tacit.data.storage import Storage
from tacit.data.validation import Defect
from tacit.types import REWARD

if TYPE_CHECKING:
    import h5py

__all__ = ["D4rl"]


@dataclass(frozen=True)
class D4rl(RecordingOptions):
    """Reader of a D4RL file: the steps of all episodes one after the other, in ``observations``, ``actions`` and so on.

    An episode ends where ``terminals`` or ``timeouts`` is true. ``observations`` is the modality ``state``, or
    ``pixels`` if it is an image; ``rewards`` is the label ``next.reward``, and ``infos/*`` are labels.
    ``next_observations`` is not read. There is no clock: give ``fps``. Needs the extra ``hdf5``; its options are those
    of :class:`tacit.data.formats.LeRobotReader`, with patterns such as ``skip="infos/*"``.
    """

    def recognises(self, path: Path) -> bool:
        """Return whether ``path`` is such a file."""
        return path.is_file() and has_layout(path, "observations", "actions", "terminals")

    def open(self, path: Path) -> Storage:
        """Open the file. Raises DataError where it is damaged or of another layout."""
        return RecordingStorage(_Steps(path), self)


class _Steps(Hdf5Content):
    """Index of the episodes in the steps."""

    program = "D4RL"
    expected = "expected the arrays 'observations', 'actions' and 'terminals'"
    skipped = ("next_observations", "terminals", "timeouts", "metadata/*")
    names: Mapping[str, str] = MappingProxyType({"rewards": REWARD})
    shared = True

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        name = "pixels" if self.features["observations"].camera else "state"
        self.names = {**self.names, "observations": name}

    def find(self, file: h5py.File, number: int) -> Iterator[Entry]:
        """Yield the episodes, in the order of their steps."""
        self.total = self.rows_of(file, "observations")
        for name in ("actions", "rewards", "terminals", "timeouts"):
            if name in file and (rows := self.rows_of(file, name)) != self.total:
                problem = f"expected {self.total} rows, as 'observations' has; got {rows}."
                raise Defect(self.path, None, name, problem)
        ended, cut = self._marks(file, "terminals"), self._marks(file, "timeouts")
        stops = np.union1d(np.flatnonzero(ended | cut) + 1, [self.total])
        for start, stop in zip([0, *stops[:-1].tolist()], stops.tolist(), strict=True):
            if stop > start:
                yield Entry(number, "", stop - start, start, bool(ended[stop - 1]))

    def _marks(self, file: h5py.File, name: str) -> npt.NDArray[np.bool_]:
        """Return ``[N]`` a mask of the steps that an array marks; none without it."""
        if name not in file:
            return np.zeros(self.total, np.bool_)
        return np.asarray(inside(file, name, "Dataset")[()]).reshape(self.total).astype(np.bool_)

    def role(self, key: str) -> str:
        """Return the role of an array by its name."""
        return {"observations": "observation", "actions": "action"}.get(key, "label")

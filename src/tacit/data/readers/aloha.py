"""Reader of episodes in HDF5 files of ALOHA and its successors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from tacit.data.readers._hdf5_recordings import Hdf5Content, has_layout
from tacit.data.readers._recording_content import Entry, RecordingOptions
from tacit.data.readers._recordings import RecordingStorage
from tacit.data.storage import Storage
from tacit.types import REWARD

if TYPE_CHECKING:
    import h5py

__all__ = ["Aloha"]

RATE = 50.0
"""Steps a second of ALOHA, whose files have no clock."""


@dataclass(frozen=True)
class Aloha(RecordingOptions):
    """Reader of ALOHA's HDF5 files, one for each episode, with ``observations/*`` and ``action``.

    ``observations/images/top`` is the modality ``top`` and ``observations/qpos`` the modality ``qpos``. Compressed
    images are decoded; their colours are what a JPEG file says, also where the recorder wrote blue first. Other arrays,
    such as ``base_action``, are labels unless ``action=("action", "base_action")`` names them. There are 50 steps a
    second unless ``fps`` says otherwise. Needs the extra ``hdf5``; its options are those of
    :class:`tacit.data.formats.LeRobotReader`.
    """

    def recognises(self, path: Path) -> bool:
        """Return whether ``path`` is such a file, or a folder whose first HDF5 file is one."""
        return has_layout(path, "observations", "action")

    def open(self, path: Path) -> Storage:
        """Open the files. Raises DataError naming a file that is damaged or of another layout."""
        return RecordingStorage(_Episodes(path), self)


class _Episodes(Hdf5Content):
    """Index of the episodes."""

    program = "ALOHA"
    expected = "expected files episode_0.hdf5 and so on with the group 'observations' and the array 'action'"
    fps = RATE
    skipped = ("compress_len",)
    names = MappingProxyType({"rewards": REWARD, "reward": REWARD})
    strip = ("observations/images/", "observations/")

    def find(self, file: h5py.File, number: int) -> Iterator[Entry]:
        """Yield the one episode of a file."""
        yield Entry(number, "", self.rows_of(file, "action"))

    def role(self, key: str) -> str:
        """Return the role of an array by its group."""
        return "observation" if key.startswith("observations/") else "action" if key == "action" else ""

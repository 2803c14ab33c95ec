"""Reader of the replay buffers of diffusion policy and UMI, which are zarr stores."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.data.readers._recorded_arrays import Rows, feature
from tacit.data.readers._recording_content import Content, Entry, RecordingOptions
from tacit.data.readers._recordings import RecordingStorage
from tacit.data.readers._zarr_store import ZarrStore, has_array, is_store
from tacit.data.storage import Storage
from tacit.data.validation import Defect
from tacit.errors import DataError
from tacit.types import REWARD

__all__ = ["ReplayBuffer"]

ENDS, TIME = "meta/episode_ends", "timestamp"
ALIKE = 0.01
"""Largest relative difference of the rates of two episodes."""


@dataclass(frozen=True)
class ReplayBuffer(RecordingOptions):
    """Reader of ``replay_buffer.zarr``, a folder or ``.zarr.zip``, with ``data/*`` and ``meta/episode_ends``.

    ``action`` is the action within its recorded range; images, ``state`` and arrays named like ``robot0_eef_pos`` are
    observations, other arrays labels, and a warning names them. UMI records no actions: name the arrays that are,
    ``action=("robot0_eef_pos", "robot0_gripper_width")``, or learn without actions. ``timestamp`` (seconds) gives the
    steps a second, else ``fps``. A chunk that is not stored is read as zeros, as zarr does; for images a warning counts
    them. Needs the extra ``zarr``, and images in JPEG XL also the package ``imagecodecs``; its options are those of
    :class:`tacit.data.formats.LeRobotReader`.
    """

    def recognises(self, path: Path) -> bool:
        """Return whether ``path`` is such a store."""
        return is_store(path) and has_array(path, ENDS)

    def open(self, path: Path) -> Storage:
        """Open the store. Raises DataError where it is damaged or of another layout."""
        return RecordingStorage(_Steps(path, self.fps), self)


class _Steps(Content):
    """Index of the episodes in the steps.

    Args:
        path: The store.
        fps: Steps a second, where they need not be found.
    """

    names: Mapping[str, str] = MappingProxyType({"reward": REWARD, "rewards": REWARD, "img": "pixels"})

    def __init__(self, path: Path, fps: float | None) -> None:
        if not (is_store(path) and path.exists()):
            raise DataError(f"{path} is no zarr store: expected a folder with data/* and {ENDS}, or such a .zarr.zip.")
        self.path, self.files, self._store = path, (path,), ZarrStore(path)
        with _reading(path):
            data, meta = (self._store.arrays(name) for name in ("data", "meta"))
            if "episode_ends" not in meta or not data:
                raise Defect(
                    path, None, ENDS, "expected arrays in data and the end row of each episode; there are none."
                )
            ends = self._ends(meta["episode_ends"], data)
            starts = np.concatenate([[0], ends[:-1]]).tolist()
            stops = ends.tolist()
            self.entries = [Entry(0, "", stop - start, start) for start, stop in zip(starts, stops, strict=True)]
            if TIME in data and fps is None:
                self.fps = self._rate(np.asarray(data[TIME][:], np.float64).ravel(), starts, stops)
            self.features = {
                key: feature(key, Rows(array, 0, array.shape[0]), _role(key))
                for key, array in data.items()
                if key != TIME
            }
            self._warn_of_chunks(data)

    def _ends(self, stored: Any, data: Mapping[str, Any]) -> npt.NDArray[np.int64]:
        """Return the end row of each episode.

        Raises:
            Defect: if they do not ascend, or an array has other rows.
        """
        if stored.dtype.kind not in "iu" or stored.ndim != 1 or not stored.shape[0]:
            raise Defect(self.path, None, ENDS, f"expected whole numbers; got {stored.dtype} of {stored.shape}.")
        ends = np.asarray(stored[:]).astype(np.int64)
        steps = np.diff(ends, prepend=0)
        if (steps < 0).any():
            row = int(np.argmax(steps < 0))
            before = int(ends[row - 1]) if row else 0
            raise Defect(self.path, row, ENDS, f"expected an end from row {before} on; got {ends[row]}.")
        for key, array in data.items():
            if not array.ndim or array.shape[0] != ends[-1]:
                problem = f"expected {ends[-1]} rows, the last of {ENDS}; got shape {array.shape}. Write it again."
                raise Defect(self.path, None, f"data/{key}", problem)
        return ends

    def _rate(self, times: npt.NDArray[np.float64], starts: Sequence[int], stops: Sequence[int]) -> float | None:
        """Return the steps a second of all episodes.

        Raises:
            Defect: naming the row where time does not advance, or the episode of another rate.
        """
        periods: dict[int, float] = {}
        for index, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            steps = np.diff(times[start:stop])
            if not (steps > 0).all():
                row = start + 1 + int(np.argmax(~(steps > 0)))
                problem = f"row {row} is not later than the row before ({times[row]:g} s after {times[row - 1]:g} s)."
                raise Defect(self.path, index, f"data/{TIME}", f"{problem} Sort the rows, or ignore the times: fps=...")
            if len(steps):
                periods[index] = float(np.median(steps))
        for index, period in periods.items():
            usual = next(iter(periods.values()))
            if abs(period - usual) > ALIKE * usual:
                problem = f"expected {1 / usual:g} steps a second, like the first episode; got {1 / period:g}."
                raise Defect(self.path, index, f"data/{TIME}", f"{problem} Resample it, or ignore the times: fps=...")
        if not periods:
            return None
        rate = 1 / float(np.mean(list(periods.values())))
        return float(round(rate)) if abs(rate - round(rate)) < ALIKE * rate else rate

    def _warn_of_chunks(self, data: Mapping[str, Any]) -> None:
        for key, array in data.items():
            if key in self.features and self.features[key].camera and array.nchunks_initialized < array.nchunks:
                missing = f"{array.nchunks - array.nchunks_initialized} of {array.nchunks} chunks of data/{key}"
                warnings.warn(
                    f"{self.path}: {missing} are not stored, and are read as {array.fill_value}.", stacklevel=6
                )

    @contextmanager
    def arrays(self, entry: Entry) -> Iterator[Mapping[str, Rows]]:
        """Yield the arrays of an episode."""
        with _reading(self.path):
            data = self._store.arrays("data")
        yield {key: Rows(array, entry.start, entry.length) for key, array in data.items()}

    def parts(self, file: Path) -> Sequence[Path]:
        """Return the files of the store."""
        return sorted(part for part in file.rglob("*") if part.is_file()) if file.is_dir() else (file,)


def _role(key: str) -> str:
    """Return the role of an array; empty: by its name."""
    return "observation" if key == "state" or re.match(r"(robot|camera)\d*_", key) else ""


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Convert the errors of zarr for a damaged store to a Defect."""
    try:
        yield
    except DataError:
        raise
    except (OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise Defect(path, None, "store", f"cannot be read ({error}); it is truncated or damaged.") from error

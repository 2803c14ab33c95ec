"""Reader of datasets of Minari, without the package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from tacit._files import parse_json, read_json
from tacit.data.formats._hdf5_content import inside
from tacit.data.readers._hdf5_recordings import Hdf5Content, by_number
from tacit.data.readers._recording_content import Entry, RecordingOptions
from tacit.data.readers._recordings import RecordingStorage
from tacit.data.storage import Storage
from tacit.data.validation import Defect
from tacit.errors import SpecError
from tacit.types import REWARD, SUCCESS, ActionSpace, Box, Discrete

if TYPE_CHECKING:
    import h5py

__all__ = ["Minari"]

DATA, ABOUT = "data/main_data.hdf5", "data/metadata.json"


@dataclass(frozen=True)
class Minari(RecordingOptions):
    """Reader of a Minari dataset: a folder with ``data/main_data.hdf5`` and ``data/metadata.json``.

    ``observations`` is the modality ``state``, or ``pixels`` if it is an image; each part of a dictionary of
    observations is a modality of its own. Actions have the bounds of the recorded action space; those of a discrete
    one are one-hot. Rewards are the label ``next.reward``, ``infos/success`` the label ``next.success``, and other
    ``infos`` labels. There is no clock: give ``fps``. Needs the extra ``hdf5``, not Minari itself; its options are
    those of :class:`tacit.data.formats.LeRobotReader`, with patterns such as ``skip="infos/*"``.
    """

    def recognises(self, path: Path) -> bool:
        """Return whether ``path`` is such a folder, complete or damaged."""
        return (path / DATA).is_file() or ((path / ABOUT).is_file() and not (path / "meta").exists())

    def open(self, path: Path) -> Storage:
        """Open the dataset. Raises DataError naming a file that is missing or damaged."""
        return RecordingStorage(_Episodes(path), self)


class _Episodes(Hdf5Content):
    """Index of the episodes."""

    program = "Minari"
    expected = "expected groups episode_0 and so on"
    skipped = ("terminations", "truncations")
    names: Mapping[str, str] = MappingProxyType({"rewards": REWARD, "infos/success": SUCCESS})
    strip = ("observations/",)
    later = ("infos/success",)

    def __init__(self, path: Path) -> None:
        about = _about(path / ABOUT)
        self.space = _space(path / ABOUT, about)
        super().__init__(path / DATA)
        self.path = path
        counted = about.get("total_episodes")
        if counted is not None and counted != len(self.entries):
            problem = f"expected the {counted} episodes of metadata.json; there are {len(self.entries)}."
            raise Defect(path / DATA, None, "total_episodes", problem)
        if isinstance(self.space, Discrete) and (action := self.features.get("actions")) is not None:
            self.features["actions"] = replace(action, choices=True)
        if (whole := self.features.get("observations")) is not None:
            self.names = {**type(self).names, "observations": "pixels" if whole.camera else "state"}

    def find(self, file: h5py.File, number: int) -> Iterator[Entry]:
        """Yield the episodes, in the order of their numbers."""
        for name in by_number([name for name in file if name.startswith("episode_")]):
            group = inside(file, name, "Group")
            ended = inside(group, "terminations", "Dataset")
            seed = group.attrs.get("seed")
            yield Entry(
                number,
                name,
                self.rows_of(group, "rewards") + 1,
                terminated=bool(len(ended) and ended[-1]),
                seed=int(seed) if isinstance(seed, (int, np.integer)) else None,
            )

    def role(self, key: str) -> str:
        """Return the role of an array by its group."""
        group = key.partition("/")[0]
        return {"observations": "observation", "actions": "action"}.get(group, "label")


def _about(file: Path) -> dict[str, Any]:
    """Return the content of ``metadata.json``.

    Raises:
        Defect: if it is missing or damaged, or the data is in another format.
    """
    try:
        about = read_json(file)
        if not isinstance(about, dict):
            raise ValueError("expected an object")
    except (OSError, ValueError) as error:
        raise Defect(file, None, "metadata.json", f"cannot be read ({error}); restore the file.") from error
    kind = about.get("data_format", "hdf5")
    if kind != "hdf5":
        problem = f"expected 'hdf5'; got {kind!r}. Write the dataset with minari as data_format='hdf5'."
        raise Defect(file, None, "data_format", problem)
    return about


def _space(file: Path, about: dict[str, Any]) -> ActionSpace | None:
    """Return the recorded action space, where it is a bounded box or a choice from 0 on."""
    text = about.get("action_space")
    try:
        space = parse_json(text) if isinstance(text, str) else {}
        if not isinstance(space, dict):
            raise ValueError(f"expected an object; got {str(space)[:100]}")
        if space.get("type") == "Discrete" and space.get("start", 0) == 0:
            return Discrete(int(space["n"]))
        if space.get("type") == "Box" and "float" in str(space.get("dtype")):
            low, high = (np.asarray(space[side], np.float64).ravel() for side in ("low", "high"))
            if np.isfinite([low, high]).all():
                return Box(tuple(low.tolist()), tuple(high.tolist()))
    except (KeyError, ValueError, TypeError, SpecError) as error:
        raise Defect(file, None, "action_space", f"cannot be read: {error!r}.") from error
    return None

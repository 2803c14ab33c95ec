"""Reader of demonstrations in HDF5 files of robomimic, MimicGen and LIBERO."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tacit._files import parse_json
from tacit._limits import is_positive
from tacit.data.formats._hdf5_content import inside
from tacit.data.readers._hdf5_recordings import Hdf5Content, by_number, has_layout
from tacit.data.readers._recording_content import Entry, RecordingOptions
from tacit.data.readers._recordings import RecordingStorage
from tacit.data.storage import Storage
from tacit.types import REWARD

if TYPE_CHECKING:
    import h5py

__all__ = ["Robomimic"]


@dataclass(frozen=True)
class Robomimic(RecordingOptions):
    """Reader of robomimic's HDF5 files: ``data/demo_0`` and so on, each with ``obs/*`` and ``actions``.

    ``obs/*`` are the observations, ``actions`` the actions within their recorded range, ``rewards`` the label
    ``next.reward``, and other arrays labels; ``next_obs/*`` is not read. The last of ``dones`` says whether the world
    ended the episode. Steps a second are the ``control_freq`` in the attribute ``env_args``. A folder of such files is
    one dataset. Needs the extra ``hdf5``; its options are those of :class:`tacit.data.formats.LeRobotReader`, with
    patterns such as ``skip="obs/*_depth"``, and ``fps``.
    """

    def recognises(self, path: Path) -> bool:
        """Return whether ``path`` is such a file, or a folder whose first HDF5 file is one."""
        return has_layout(path, "data/demo*")

    def open(self, path: Path) -> Storage:
        """Open the files. Raises DataError naming a file that is damaged or of another layout."""
        return RecordingStorage(_Demos(path), self)


class _Demos(Hdf5Content):
    """Index of the demonstrations."""

    program = "robomimic"
    expected = "expected groups data/demo_0 and so on with the array 'actions'"
    skipped = ("next_obs/*",)
    names = MappingProxyType({"rewards": REWARD, "dones": "next.done"})
    strip = ("obs/",)

    def find(self, file: h5py.File, number: int) -> Iterator[Entry]:
        """Yield the demonstrations, in the order of their numbers."""
        data = inside(file, "data", "Group")
        env, problem = (_record(data, name) for name in ("env_args", "problem_info"))
        arguments = env.get("env_kwargs")
        rate: Any = arguments.get("control_freq") if isinstance(arguments, dict) else None
        self.fps = self.fps or (float(rate) if is_positive(rate) else None)
        task = problem.get("language_instruction") or env.get("env_name") or ""
        for name in by_number([name for name in data if name.startswith("demo")]):
            length = self.rows_of(file, f"data/{name}/actions")
            dones = inside(file, f"data/{name}/dones", "Dataset") if "dones" in data[name] else None
            ended = dones is not None and dones.ndim == 1 and len(dones) == length > 0 and bool(dones[-1])
            yield Entry(number, f"data/{name}", length, terminated=ended, task=str(task))

    def role(self, key: str) -> str:
        """Return the role of an array by its group."""
        return "observation" if key.startswith("obs/") else "action" if key == "actions" else "label"


def _record(group: Any, name: str) -> dict[str, Any]:
    """Return the JSON object in an attribute; empty without one."""
    text = group.attrs.get(name)
    value = parse_json(text) if isinstance(text, (str, bytes)) else {}
    return value if isinstance(value, dict) else {}

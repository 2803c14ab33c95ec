"""Reader of MCAP files and bags of ROS 1 and ROS 2."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit._config import OMIT_DEFAULT
from tacit._limits import is_positive
from tacit._registry import suggest
from tacit.data.readers import _ros_messages as messages
from tacit.data.readers._hdf5_recordings import by_number
from tacit.data.readers._recorded_arrays import Rows, feature
from tacit.data.readers._recording_content import Content, Entry, RecordingOptions
from tacit.data.readers._recordings import RecordingStorage
from tacit.data.readers._ros_bag import STALE, Bag, Images, Track
from tacit.data.readers._ros_mapping import read_roles
from tacit.data.storage import Storage
from tacit.data.validation import Defect
from tacit.errors import ConfigError, DataError
from tacit.types import Array

__all__ = ["Rosbag"]

SUFFIXES = (".mcap", ".bag", ".db3")
ROLES = ("observation", "action", "label", "skip")
WORDS = ("image_raw", "image_rect", "image", "compressed", "color", "rgb")
"""Last words of topics of cameras that their modalities do without."""


@dataclass(frozen=True)
class Rosbag(RecordingOptions):
    """Reader of MCAP files and bags of ROS as episodes on one clock: each bag is an episode, or several.

    Images, joint states, IMUs, poses and odometry are observations, and topics of commands, such as ``/cmd_vel``, are
    actions; other topics are not read. ``roles`` or a file ``topics`` say it instead, by topic or field. At each step
    of the clock a topic has its latest message; where that is stale, the bag is split, and a warning counts the steps
    that are left out. ``action[t]`` is the command in force at ``observation[t]``. Times are those at which messages
    were recorded. Needs the extra ``rosbags``; other options are those of
    :class:`tacit.data.formats.LeRobotReader`, with patterns such as ``skip="/camera/*"``.

    Args:
        roles: The role of each topic, or field as ``/topic.field``: ``observation``, ``action``, ``label`` or ``skip``.
            Others are not read. Empty: by the types of messages.
        topics: A TOML file with these roles in the table ``[roles]``.
        stale: Seconds after which the latest message of a topic is too old. None: five of its usual periods.
    """

    roles: Mapping[str, str] = field(default_factory=dict, metadata=OMIT_DEFAULT)
    topics: str | None = field(default=None, metadata=OMIT_DEFAULT)
    stale: float | None = field(default=None, metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.roles and self.topics is not None:
            raise ConfigError("give roles= or a file topics=, not both.")
        for key, role in self.roles.items():
            if role not in ROLES:
                raise ConfigError(
                    f"the role of {key!r} is one of {', '.join(ROLES)}; got {role!r}.{suggest(role, ROLES)}"
                )
        if self.stale is not None and not is_positive(self.stale):
            raise ConfigError(f"stale is a positive number of seconds; got {self.stale!r}.")

    def recognises(self, path: Path) -> bool:
        """Return whether ``path`` is a bag, or a folder of bags."""
        return bool(_bags(path))

    def open(self, path: Path) -> Storage:
        """Read the times and numbers of all bags. Raises DataError naming bag and topic of a defect."""
        options = self if self.topics is None else replace(self, topics=None, roles=read_roles(Path(self.topics)))
        return RecordingStorage(_Steps(path, options), options)


def _bags(path: Path) -> list[Path]:
    """Return the bags at ``path`` or in that folder."""
    if path.is_file():
        return [path] if path.suffix.lower() in SUFFIXES else []
    if not path.is_dir():
        return []
    if _is_bag(path):
        return [path]
    inner = [item for item in path.iterdir() if not item.name.startswith(".")]
    return by_number([item for item in inner if _is_bag(item) or (item.is_file() and item.suffix.lower() in SUFFIXES)])


def _is_bag(folder: Path) -> bool:
    """Return whether a folder is a bag of ROS 2."""
    return (folder / "metadata.yaml").is_file() and any(
        ".mcap" in item.suffixes or ".db3" in item.suffixes for item in folder.iterdir()
    )


class _Steps(Content):
    """Index of the steps of bags.

    Args:
        path: A bag, or a folder of bags.
        options: The reader with its options.
    """

    grouped = True

    def __init__(self, path: Path, options: Rosbag) -> None:
        self.path, self.files = path, tuple(_bags(path))
        if not self.files:
            raise DataError(
                f"{path} holds no bag: expected files {', '.join(SUFFIXES)}, or folders with metadata.yaml."
            )
        bags = [Bag(file) for file in self.files]
        roles = {key: role for key, role in options.roles.items() if role != "skip"}
        roles = roles or {key: role for key, role in self._guessed(bags[0]).items() if key not in options.roles}
        tracks = [bag.tracks(list(roles)) for bag in bags]
        self.fps = options.fps or _rate(tracks[0], roles)
        self._data: list[dict[str, Images | Array]] = []
        self.entries = []
        for number, (bag, found) in enumerate(zip(bags, tracks, strict=True)):
            places, good = _clock(bag.path, found, self.fps, options.stale)
            self._data.append(
                {
                    key: Images(bag, track, places[key]) if track.pictured else track.values[places[key]]
                    for key, track in found.items()
                }
            )
            self.entries += [Entry(number, "", stop - start, start) for start, stop in _stretches(good)]
        self.features = {
            key: feature(key, Rows(data, 0, 1), roles[key])  # type: ignore[arg-type]
            for key, data in self._data[0].items()
        }
        self._check_alike()
        names = {key: _name(key) for key in self.features}
        self.names = {key: name for key, name in names.items() if list(names.values()).count(name) == 1}

    def _guessed(self, bag: Bag) -> dict[str, str]:
        """Return the role of each topic whose type says it."""
        kinds, roles = bag.topics(), {}
        for topic, kind in kinds.items():
            if messages.is_command(topic, kind):
                roles[topic] = "action"
            elif kind in (*messages.IMAGES, *messages.STATES, *messages.POSES):
                roles[topic] = "observation"
        if "observation" not in roles.values():
            listed = ", ".join(f"{topic} ({kind})" for topic, kind in kinds.items()) or "none"
            advice = "Say what the topics are: roles={'/topic.field': 'observation'}, or in a file: topics=..."
            raise Defect(bag.path, None, "topics", f"expected images, states or poses; there are {listed}. {advice}")
        return roles

    def _check_alike(self) -> None:
        first = self._data[0]
        for file, data in zip(self.files, self._data, strict=True):
            for key, values in data.items():
                if values.shape[1:] != first[key].shape[1:] or values.dtype != first[key].dtype:
                    expected, came = list(first[key].shape[1:]), list(values.shape[1:])
                    raise Defect(file, None, key, f"expected {expected}, like {self.files[0].name}; got {came}.")

    @contextmanager
    def arrays(self, entry: Entry) -> Iterator[Mapping[str, Rows]]:
        """Yield the steps of an episode."""
        yield {
            key: Rows(data, entry.start, entry.length)  # type: ignore[arg-type]
            for key, data in self._data[entry.source].items()
        }

    def parts(self, file: Path) -> Sequence[Path]:
        """Return the files of a bag."""
        return sorted(part for part in file.rglob("*") if part.is_file()) if file.is_dir() else (file,)


def _name(key: str) -> str:
    """Return the name of the modality of a topic or field: ``front`` for ``/camera/front/image_raw``."""
    words = [word for word in re.split(r"[/.]", key) if word]
    while len(words) > 1 and words[-1] in WORDS:
        words.pop()
    if len(words) > 1 and words[0] in ("camera", "cameras"):
        words = words[1:]
    return re.sub(r"\W", "_", "_".join(words))


def _rate(tracks: Mapping[str, Track], roles: Mapping[str, str]) -> float:
    """Return the rate of the slowest observation, as a whole number where it fits."""
    periods = [track.period for key, track in tracks.items() if roles[key] == "observation"]
    slowest = max(periods)
    if slowest <= 0:
        raise ConfigError("no observation has two messages, so that the steps a second are unknown. Give them: fps=...")
    rate = 1 / slowest
    return float(round(rate)) if abs(rate - round(rate)) < 0.02 * rate and round(rate) else float(f"{rate:.4g}")


def _clock(
    path: Path, tracks: Mapping[str, Track], fps: float, stale: float | None
) -> tuple[dict[str, npt.NDArray[np.int64]], npt.NDArray[np.bool_]]:
    """Return the message of each topic at the steps of the clock, and the steps at which all are fresh.

    The clock starts when every topic has a message, and ends with the first topic whose messages end.
    """
    start = max(int(track.times[0]) for track in tracks.values())
    ends = [int(track.times[-1] + 1e9 * max(track.period, 0)) for track in tracks.values()]
    stop = max(min(ends), start + 1)
    steps = np.arange(max(1, int(np.ceil((stop - start) * fps / 1e9 - 1e-6))))
    clock = start + np.round(steps * 1e9 / fps).astype(np.int64)
    slack = np.int64(min(1e6, 0.1e9 / fps))  # a message this little after a step still belongs to it
    places, good, late = {}, np.ones(len(clock), np.bool_), []
    for key, track in tracks.items():
        place = np.searchsorted(track.times, clock + slack, side="right") - 1
        places[key] = place
        limit = stale or max(STALE * track.period, 2 / fps)
        old = (clock - track.times[place]) / 1e9 > limit
        if old.any():
            late.append(f"{key} is older than {limit:.3g} s at {int(old.sum())} of them")
        good &= ~old
    if late:
        text = f"left out {int((~good).sum())} of {len(good)} steps in {path}: {'; '.join(late)}."
        warnings.warn(f"{text} The rest is split there; stale= says how old a message may be.", stacklevel=7)
    return places, good


def _stretches(good: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and end step of each unbroken stretch."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]

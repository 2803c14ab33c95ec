"""Bags of ROS: the times of all messages, numbers on a uniform clock, and images on demand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit._registry import suggest
from tacit.data.readers import _ros_messages as messages
from tacit.data.validation import Defect
from tacit.errors import DataError, MissingExtra
from tacit.types import Array

__all__ = ["Bag", "Images", "Track"]

STALE = 5.0
"""Periods of a topic after which its latest message is stale, unless seconds are given."""
BATCH = 64
"""Images that are read each time that a bag is opened."""


@dataclass(frozen=True)
class Track:
    """Messages of one topic in a bag, and the numbers of one field of them.

    Attributes:
        key: The topic, or topic and field as ``/topic.field``.
        topic: The topic.
        kind: The type of its messages.
        times: ``[N]`` nanoseconds at which they were recorded, ascending.
        values: ``[N, D]``, or the first image ``[1, H, W, C]``.
    """

    key: str
    topic: str
    kind: str
    times: npt.NDArray[np.int64]
    values: Array

    @property
    def pictured(self) -> bool:
        """Return whether the messages are images."""
        return self.kind in messages.IMAGES

    @property
    def period(self) -> float:
        """Return the median seconds between two messages."""
        return float(np.median(np.diff(self.times))) / 1e9 if len(self.times) > 1 else 0.0


class Bag:
    """Bag: a file ``.mcap``, ``.bag`` or ``.db3``, or a folder with ``metadata.yaml``.

    Args:
        path: Its path.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Open the bag; convert the errors of the package for a damaged bag to a Defect."""
        try:
            from rosbags.highlevel import AnyReader
            from rosbags.typesys import Stores, get_typestore
        except ImportError as error:
            raise MissingExtra("rosbags", "rosbags", "Reading bags of ROS") from error
        try:
            with AnyReader([self.path], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
                yield reader
        except (DataError, MissingExtra, GeneratorExit):
            raise
        except Exception as error:
            problem = f"cannot be read ({str(error)[:300] or type(error).__name__}); the bag is truncated or damaged."
            raise Defect(self.path, None, "bag", problem) from error

    def topics(self) -> dict[str, str]:
        """Return the type of the messages of each topic."""
        with self.opened() as reader:
            return {one.topic: one.msgtype for one in sorted(reader.connections, key=lambda one: one.topic)}

    def tracks(self, keys: Sequence[str]) -> dict[str, Track]:
        """Return the messages of topics and fields.

        Raises:
            Defect: naming the topic that is missing, or the message without such a field or with other numbers.
        """
        kinds = self.topics()
        places = {key: self._split(key, kinds) for key in keys}
        times: dict[str, list[int]] = {topic: [] for topic, _ in places.values()}
        values: dict[str, list[Any]] = {key: [] for key in keys}
        with self.opened() as reader:
            chosen = [one for one in reader.connections if one.topic in times]
            for connection, time, data in reader.messages(connections=chosen):
                kind, seen = connection.msgtype, times[connection.topic]
                wanted = [key for key, place in places.items() if place[0] == connection.topic]
                if kind not in messages.IMAGES or not seen:
                    message = reader.deserialize(data, kind)
                    for key in wanted:
                        self._add(key, places[key][1], kind, message, values[key], len(seen))
                if seen and time < seen[-1]:
                    problem = f"message {len(seen)} is {(seen[-1] - time) / 1e9:g} s earlier than the one before."
                    raise Defect(self.path, None, connection.topic, f"{problem} Sort the bag by time.")
                seen.append(time)
        for topic, seen in times.items():
            if not seen:
                raise Defect(self.path, None, topic, "expected messages; there are none. Leave the topic out.")
        return {
            key: Track(key, topic, kinds[topic], np.array(times[topic], np.int64), np.stack(values[key]))
            for key, (topic, _) in places.items()
        }

    def _add(self, key: str, field: str, kind: str, message: Any, found: list[Any], number: int) -> None:
        try:
            if kind in messages.IMAGES:
                found.append(messages.image(message, kind))
                return
            row = np.array(messages.numbers(message, field, kind))
        except ValueError as error:
            raise Defect(self.path, None, key, f"message {number}: {error}.") from error
        if found and len(row) != len(found[0]):
            problem = f"message {number}: expected {len(found[0])} numbers, like the first one; got {len(row)}."
            raise Defect(self.path, None, key, problem)
        found.append(row)

    def _split(self, key: str, kinds: Mapping[str, str]) -> tuple[str, str]:
        """Return the topic and the field of a key."""
        if key in kinds:
            return key, ""
        topic, _, field = key.partition(".")
        if topic not in kinds:
            problem = f"the bag has no such topic.{suggest(topic, kinds)} There are: {', '.join(kinds)}."
            raise Defect(self.path, None, key, problem)
        return topic, field


class Images:
    """Images of a topic at the steps of a clock, decoded on access; an array for :class:`Rows`.

    Args:
        bag: The bag.
        track: The topic.
        places: ``[steps]`` the number of the message that each step shows.
    """

    def __init__(self, bag: Bag, track: Track, places: npt.NDArray[np.int64]) -> None:
        self._bag, self._track, self._places = bag, track, places
        first = track.values[0]
        self.shape, self.dtype = (len(places), *first.shape), first.dtype
        self.chunks = (BATCH, *first.shape)

    def __getitem__(self, rows: slice) -> Array:
        places = self._places[rows]
        found = np.empty((len(places), *self.shape[1:]), self.dtype)
        if not len(places):
            return found
        times = self._track.times
        number = int(np.searchsorted(times, times[places[0]]))  # of the first message at this time
        steps: dict[int, list[int]] = {}
        for step, place in enumerate(places.tolist()):
            steps.setdefault(place, []).append(step)
        missing = len(steps)
        with self._bag.opened() as reader:
            chosen = [one for one in reader.connections if one.topic == self._track.topic]
            start, stop = int(times[places[0]]), int(times[places[-1]]) + 1
            for connection, _, data in reader.messages(connections=chosen, start=start, stop=stop):
                if number in steps:
                    found[steps[number]] = self._image(reader.deserialize(data, connection.msgtype), number)
                    missing -= 1
                number += 1
        if missing:
            raise ValueError(f"{missing} images of {self._track.topic} are missing")
        return found

    def _image(self, message: Any, number: int) -> Array:
        pixels = messages.image(message, self._track.kind)
        if pixels.shape != self.shape[1:] or pixels.dtype != self.dtype:
            expected = f"{list(self.shape[1:])} of {self.dtype}"
            came = f"{list(pixels.shape)} of {pixels.dtype}"
            raise ValueError(f"message {number}: expected an image {expected}, like the first one; got {came}")
        return pixels

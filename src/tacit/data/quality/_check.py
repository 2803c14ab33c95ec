"""Interface of checks of quality, and the numbers of an episode that they read."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.data.readers._times import is_time_name
from tacit.data.validation import Severity
from tacit.types import Episode, Spec

__all__ = ["Note", "QualityCheck"]

Floats = npt.NDArray[np.float64]
SAME = 2
"""The largest difference of a pixel in grey levels that is no change."""
QUIET = 1e-3
"""The largest change of a number, as a share of its range in the episode, that is no change."""


@dataclass(frozen=True)
class Note:
    """A remark of a check on an episode, or on the dataset.

    Attributes:
        field: The modality, label or action.
        problem: The expected and the found content.
        advice: The next step.
        steps: The first and the last step that are meant, of the field.
        severity: ``error`` or ``warning``.
    """

    field: str
    problem: str
    advice: str
    steps: tuple[int, int] | None = None
    severity: Severity = "warning"


class QualityCheck(ABC):
    """Check of one kind of problem; reads one episode after the other, and keeps no episode.

    A new object examines one dataset.
    """

    @abstractmethod
    def check(self, episode: Episode, spec: Spec) -> Iterable[Note]:
        """Yield the remarks on an episode, whose ``index`` is its number."""

    def conclude(self, spec: Spec) -> Iterable[Note]:
        """Yield the remarks on the whole dataset, after its last episode."""
        del spec
        return ()


def numbers(episode: Episode, spec: Spec) -> Iterator[tuple[str, Floats]]:
    """Yield name and ``[S, D]`` of each modality of numbers but the marks of stale columns."""
    for name, values in episode.observation.items():
        if spec.modalities[name].kind != "pixels" and name != "stale":
            yield name, values.astype(np.float64)


def component(spec: Spec, field: str, index: int) -> str:
    """Return the name of a component of a modality or of the action, for messages."""
    holder = spec.action if field == "action" else spec.modalities[field]
    names: tuple[str, ...] = getattr(holder, "names", ())  # a space of choices has no names
    return f"component {index}" + (f" ({names[index]})" if names else "")


def still(episode: Episode, spec: Spec, name: str) -> npt.NDArray[np.bool_]:
    """Return ``[T - 1]`` whether a modality is the same in an observation and the next one."""
    steps = len(episode)
    values = episode.observation[name]
    if spec.modalities[name].kind == "pixels":
        pairs = itertools.pairwise(values)
        return np.array([bool((_distance(a, b) <= SAME).all()) for a, b in pairs], np.bool_)
    numeric = values.astype(np.float64)
    span = numeric.max(axis=0) - numeric.min(axis=0)
    same = np.asarray((np.abs(np.diff(numeric, axis=0)) <= QUIET * span).all(axis=1), np.bool_)
    if len(numeric) == steps:
        return same
    if steps < 2:
        return np.zeros(0, np.bool_)
    starts = spec.starts(name, steps)[1:-1]  # the first sample of each later step
    return np.asarray(np.logical_and.reduceat(same, np.minimum(starts - 1, len(same) - 1)), np.bool_)


def moving(episode: Episode, spec: Spec, besides: str) -> npt.NDArray[np.bool_] | None:
    """Return ``[T - 1]`` whether something else than one modality changes; None where nothing else is recorded."""
    found: npt.NDArray[np.bool_] | None = None
    for name in episode.observation:
        if name not in (besides, "stale"):
            changed = ~still(episode, spec, name)
            found = changed if found is None else found | changed
    for name, values in episode.labels.items():
        if values.dtype.kind == "f" and not (name.startswith("episode.") or is_clock(name, values)):
            rows = values.reshape(len(values), -1).astype(np.float64)
            span = rows.max(axis=0) - rows.min(axis=0)
            changed = (np.abs(np.diff(rows, axis=0)) > QUIET * span).any(axis=1)
            found = changed if found is None else found | changed
    return found


def is_clock(name: str, values: npt.NDArray[np.generic]) -> bool:
    """Return whether a label holds times or counts steps: it grows in every step."""
    if values.ndim != 1 or len(values) < 2:
        return False
    return is_time_name(name.rpartition(".")[2]) or bool((np.diff(values.astype(np.float64)) > 0).all())


def runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _distance(one: npt.NDArray[np.generic], other: npt.NDArray[np.generic]) -> npt.NDArray[np.int16]:
    return np.abs(one.astype(np.int16) - other.astype(np.int16))

"""Lazy sequence of recorded episodes."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

from tacit._registry import suggest
from tacit.data import groups
from tacit.data.statistics import fit
from tacit.data.storage import PackedEpisodes, Storage, Timed, checked, combine
from tacit.data.threads import prefetch_map
from tacit.errors import ConfigError, SpecError
from tacit.types import Episode, Spec, Statistics

if TYPE_CHECKING:
    from tacit.data.clips import Clips

__all__ = ["Episodes", "lightest"]

OFF = 0.1
"""Difference between the actual and the requested share of a part that causes a warning."""


class Episodes(Sequence[Episode]):
    """Recorded episodes, read one at a time on access.

    Get one from :func:`tacit.data.open` or :func:`tacit.data.from_episodes`. Every episode is checked
    against the spec when it is read: a corrupt file, a NaN or a wrong shape is a ``DataError`` that
    names the file, the episode and the field.

    Args:
        storage: The storage of the episodes.
        indices: The numbers of the episodes in the storage, all by default.
        cache: The folder for decoded episodes; see :func:`tacit.data.open`.
        era: The part of each group in these episodes, after a split by time; see :attr:`groups`.
    """

    def __init__(
        self,
        storage: Storage,
        indices: npt.NDArray[np.int64] | None = None,
        cache: Path | None = None,
        era: str = "",
    ) -> None:
        self._storage, self._cache, self._era = storage, cache, era
        self._indices = np.arange(len(storage.lengths)) if indices is None else indices

    @property
    def spec(self) -> Spec:
        """Return the spec of the episodes."""
        return self._storage.spec

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the names of the labels of every episode."""
        return tuple(self._storage.labels)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of observations of each episode without reading one."""
        return self._storage.lengths[self._indices]

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the group of each episode, which only a split by time separates; empty for a whole recording.

        After a split by time, the pieces of a recording in one part are another group than those in the other part.
        """
        there = self._storage.groups
        return tuple((group := there[int(index)]) and group + self._era for index in self._indices)

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> Episode: ...
    @overload
    def __getitem__(self, index: slice) -> Episodes: ...
    def __getitem__(self, index: int | slice) -> Episode | Episodes:
        return self._part(self._indices[index]) if isinstance(index, slice) else self.read(index)

    def __iter__(self) -> Iterator[Episode]:
        return self.stream()

    def __repr__(self) -> str:
        return f"<{len(self)} episodes of {', '.join(self.spec.modalities)}, {int(self.lengths.sum())} observations>"

    def read(self, index: int, modalities: Collection[str] | None = None) -> Episode:
        """Return the episode at ``index`` with the chosen modalities, all by default.

        Raises:
            DataError: if it cannot be decoded or breaks the spec, naming file, episode and field.
        """
        return checked(self._storage, int(self._indices[index]), known(modalities, self.spec))

    def file(self, index: int) -> str:
        """Return the file that holds the episode at ``index``, such as an image, video or signal."""
        return self._storage.file(int(self._indices[index]), next(iter(self.spec.modalities)))

    def stream(self, modalities: Collection[str] | None = None) -> Iterator[Episode]:
        """Yield the episodes in order with the chosen modalities; threads decode slow ones ahead."""
        names = known(modalities, self.spec)
        order = range(len(self))
        if self._storage.parallel:
            return prefetch_map(lambda index: self.read(index, names), order)
        return (self.read(index, names) for index in order)

    def select(self, indices: Iterable[int]) -> Episodes:
        """Return the episodes at ``indices``, in this order."""
        chosen = np.asarray(list(indices), dtype=np.int64)
        if len(chosen) and not (-len(self) <= chosen.min() and chosen.max() < len(self)):
            raise ConfigError(f"select takes indices below {len(self)}; got {chosen.min()} to {chosen.max()}.")
        return self._part(self._indices[chosen])

    def _part(self, indices: npt.NDArray[np.int64], era: str = "") -> Episodes:
        """Return the episodes of the storage with these numbers."""
        return Episodes(self._storage, indices, self._cache, self._era + era)

    def split(self, fraction: float, seed: int | None = None, by: str = "group") -> tuple[Episodes, Episodes]:
        """Draw two disjoint parts at random, or cut at a time; the first holds about ``fraction`` of the episodes.

        Episodes of one group, such as the pieces of one file, are never separated. Where every episode is its own
        group, the first part holds exactly ``fraction`` of them, rounded.

        Args:
            fraction: Share of the episodes in the first part.
            seed: Of the draw; a split by time has none.
            by: A further key that is not separated: ``task`` for episodes of one task, or the name of a label that is
                constant in each episode, such as a subject. ``episode`` separates even the pieces of one recording:
                they are alike, so scores on the second part are then too good. ``time`` holds out the later episodes,
                by the times in a log or else in the order of the dataset, whatever their groups. An earlier episode
                that ends after the first held-out one begins is in neither part, and a warning counts such ones.

        Raises:
            ConfigError: if a part would be empty, there is no such label, or a seed is missing or not used.
        """
        if by == "time":
            return self._split_by_time(fraction, seed)
        if seed is None:
            raise ConfigError("split draws at random and needs a seed: split(0.9, seed=0). Only by='time' has none.")
        unit = np.arange(len(self)) if by == "episode" else groups.units(*self._keys(by))
        first = groups.draw(unit, fraction, seed, by)
        share = float(first.mean())
        if abs(share - fraction) > OFF and len(np.unique(unit)) < len(unit):
            warnings.warn(
                f"the first part holds {share:.0%} of the episodes instead of {fraction:.0%}: {len(self)} episodes in "
                f"{len(np.unique(unit))} {by}s, which stay together, cannot be divided more closely with seed {seed}.",
                stacklevel=2,
            )
        return self.select(np.flatnonzero(first)), self.select(np.flatnonzero(~first))

    def _split_by_time(self, fraction: float, seed: int | None) -> tuple[Episodes, Episodes]:
        """Return the earlier and the later episodes."""
        if seed is not None:
            raise ConfigError(f"split by='time' draws nothing; leave out seed={seed}.")
        times = self._storage.times if isinstance(self._storage, Timed) else None
        early, late = groups.chronological(len(self), fraction, None if times is None else times[self._indices])
        if left := len(self) - len(early) - len(late):
            warnings.warn(
                f"left out {left} of {len(self)} episodes that begin before the first held-out episode and end after "
                "it begins.",
                stacklevel=3,
            )
        return self._part(self._indices[early], " before"), self._part(self._indices[late], " after")

    def _keys(self, by: str) -> list[Sequence[object]]:
        """Return the keys of each episode that a split by ``by`` does not separate."""
        if by == "group":
            return [self.groups]
        if by != "task" and by not in self.labels:
            known = ("group", "task", "episode", *self.labels)
            raise ConfigError(
                f"split by='group', 'task', 'episode' or the name of a label; got {by!r}.{suggest(by, known)} "
                f"Labels: {', '.join(self.labels) or 'none'}."
            )
        keys: list[object] = []
        for index, episode in enumerate(self.stream((lightest(self.spec),))):
            values = np.asarray(episode.labels[by]) if by != "task" else np.zeros(0)
            if len(values) and (values != values[:1]).any():
                raise ConfigError(f"split by={by!r} needs a label that is constant in each episode; {index} varies.")
            keys.append(episode.task if by == "task" else values[0].tobytes())
        return [self.groups, keys]

    def shared(self, other: Episodes) -> list[int]:
        """Return the numbers of the episodes whose content or group is also in ``other``."""
        there, known = set(other.digests()), {group for group in other.groups if group}
        own = enumerate(zip(self.digests(), self.groups, strict=True))
        return [index for index, (digest, group) in own if digest in there or group in known]

    def without(self, other: Episodes) -> Episodes:
        """Return the episodes whose content and group are not in ``other``, which may hold copies or pieces."""
        left = set(range(len(self))) - set(self.shared(other))
        return self.select(sorted(left))

    def clips(self, length: int, frameskip: int = 1, modalities: Collection[str] | None = None) -> Clips:
        """Return random windows of ``length`` observations, ``frameskip`` steps apart; see :class:`Clips`.

        The first use of a dataset on disk decodes it once into a cache of raw arrays; see :func:`tacit.data.open`.
        """
        from tacit.data.clips import Clips  # here, so that torch is loaded only for tensors

        return Clips(self, length, frameskip, known(modalities, self.spec))

    def packed(self, modalities: tuple[str, ...]) -> tuple[PackedEpisodes, npt.NDArray[np.int64]]:
        """Return the raw arrays from which clips are cut, and the number in them of each episode."""
        return self._storage.packed(self._indices, modalities, self._cache), self._indices

    def statistics(self) -> Statistics:
        """Compute mean and standard deviation over exactly these episodes, in one pass."""
        return fit(self._storage, self._indices.tolist())

    def hash(self) -> str:
        """Return a hash of the spec, content and grouping of these episodes, independent of their files."""
        parts = [self._storage.digest(int(index)) for index in self._indices]
        unit = groups.units(self.groups)
        if len(np.unique(unit)) < len(unit):  # else the hash is the one that versions without groups computed
            parts.append(f"groups {json.dumps(unit.tolist())}")
        return combine(self.spec, parts)

    def digests(self) -> tuple[str, ...]:
        """Return a hash of the spec and content of each episode, in order; copies have equal hashes.

        For episodes that are read directly from files, the content is the bytes of the file, independent of its name,
        with the reading options; a copy in another class is another episode.
        """
        spec = combine(self.spec, ())
        parts = (self._storage.digest(int(index)) for index in self._indices)
        return tuple(hashlib.sha256(f"{spec} {part}".encode()).hexdigest() for part in parts)


def known(modalities: Collection[str] | None, spec: Spec) -> tuple[str, ...]:
    """Return ``modalities`` as a tuple, all of ``spec`` by default; raise SpecError for an unknown one."""
    names = tuple(spec.modalities) if modalities is None else tuple(modalities)
    for name in names:
        if name not in spec.modalities:
            there = ", ".join(spec.modalities)
            raise SpecError(f"no modality {name!r}.{suggest(name, spec.modalities)} There are: {there}.")
    if not names or isinstance(modalities, str):
        raise SpecError(f"modalities is a sequence of names such as ('pixels',); got {modalities!r}.")
    return names


def lightest(spec: Spec) -> str:
    """Return the modality with the fewest numbers: labels cannot be read without any."""
    return min(spec.modalities, key=lambda name: int(np.prod(spec.modalities[name].shape)))

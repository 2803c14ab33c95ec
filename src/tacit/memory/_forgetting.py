"""Choice of the entries that are kept: rare outcomes and surprises first, then latents that cover the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tacit.memory._records import Records
from tacit.memory._segment import Part

__all__ = ["Merge", "kept", "merges"]

CHUNK = 1024
"""The number of similar latents among which centres are chosen."""
RARE = 0.25
"""The share of the kept entries that may be chosen by outcome and surprise."""
EQUAL = 3
"""The number of equally sparse segments of which two are merged."""
FEWEST = 16
"""The number of entries below which a segment is dropped rather than thinned."""


@dataclass(frozen=True)
class Merge:
    """Segments in a row that become one.

    Attributes:
        start: The index of the first of them.
        end: The index behind the last of them.
        keep: The number of entries to keep; 0: none.
        span: The numbers of entries that were ever given between them.
    """

    start: int
    end: int
    keep: int
    span: int

    @property
    def level(self) -> int:
        """Return how often the entries were halved."""
        return round(math.log2(max(self.span, 1) / max(self.keep, 1)))


def merges(counts: Sequence[int], spans: Sequence[int], most: int, capacity: int, header: int) -> list[Merge]:
    """Return how segments are merged until they are small enough.

    Two segments become one with half of their entries: the oldest two that were halved equally often, where three or
    more were. So the entries get sparser with age, by a factor of two at a time.

    Args:
        counts: The entries of each segment, the oldest first.
        spans: The numbers of each segment, with those of forgotten entries.
        most: The largest size of all of them, in entries.
        capacity: The largest number of entries of one segment.
        header: The size of a segment without entries, in entries.
    """
    sizes = zip(counts, spans, strict=True)
    found = [Merge(index, index + 1, count, span) for index, (count, span) in enumerate(sizes)]
    while (excess := sum(one.keep + header for one in found if one.keep) - most) > 0:
        place = _oldest_equal(found)
        group = found[place : place + 2]
        total, span = sum(one.keep for one in group), sum(one.span for one in group)
        keep = min(max(total // 2, total - excess), capacity)
        found[place : place + 2] = [Merge(group[0].start, group[-1].end, keep if keep >= FEWEST else 0, span)]
    return found


def _oldest_equal(found: Sequence[Merge]) -> int:
    """Return the place of the oldest two of the lowest level that three or more segments have; else of the oldest."""
    levels = [one.level for one in found]
    for level in sorted({*levels}):
        places = [place for place, pair in enumerate(pairwise(levels)) if pair == (level, level)]
        if levels.count(level) >= EQUAL and places:
            return places[0]
    return 0


def kept(parts: Sequence[Part], keep: int) -> Records:
    """Return the entries of some segments that are kept, in the order of their numbers.

    A quarter are those with the rarest outcomes and surprises, as ranked by their distance from the median in units of
    its spread. The others are centres (farthest-first traversal; Gonzalez, 1985) within groups of similar latents.

    Args:
        parts: The segments.
        keep: The number of entries to keep, at most all of them.
    """
    rows = np.concatenate([np.arange(len(part)) for part in parts])
    homes = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    rarity = np.fmax(*(_rarity(np.concatenate([part.records[name] for part in parts])) for name in RARE_FIELDS))
    order = np.argsort(-rarity, kind="stable")[: int(RARE * keep)]
    chosen = np.zeros(len(rows), np.bool_)
    chosen[order[rarity[order] > 0]] = True
    left, free = keep - int(chosen.sum()), int((~chosen).sum())
    similar, done = _similar(parts), 0
    for start in range(0, len(rows), CHUNK):
        group = np.sort(similar[start : start + CHUNK])
        latents = np.concatenate(
            [part.records["latent"][rows[group[homes[group] == home]]] for home, part in enumerate(parts)]
        )
        before, done = done, done + int((~chosen[group]).sum())
        count = left * done // free - left * before // free
        chosen[group[_centres(latents, chosen[group], count)]] = True
    return np.concatenate([part.records[chosen[homes == home]] for home, part in enumerate(parts)])


RARE_FIELDS = ("outcome", "surprise")


def _rarity(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the distance of values ``[n]`` from their median by their spread; 0 where unknown or without a spread.

    Of a surprise or an outcome both ends count: what never happens elsewhere is what there is to learn from.
    """
    known = np.isfinite(values)
    if not known.any():
        return np.zeros(len(values))
    offsets = np.abs(values - np.median(values[known])).astype(np.float64)
    spread = float(offsets[known].mean())
    return np.where(known, offsets, 0.0) / spread if spread > 0 else np.zeros(len(values))


def _similar(parts: Sequence[Part]) -> npt.NDArray[np.int64]:
    """Return the order of all entries along the direction in which their latents vary most."""
    sample = np.concatenate([part.latents[:: max(len(part) // CHUNK, 1)] for part in parts]).astype(np.float64)
    centre = sample.mean(axis=0)
    direction = np.linalg.svd(sample - centre, full_matrices=False)[2][0].astype(np.float32)
    return np.argsort(np.concatenate([part.latents @ direction for part in parts]), kind="stable")


def _centres(latents: npt.NDArray[np.float32], chosen: npt.NDArray[np.bool_], count: int) -> npt.NDArray[np.int64]:
    """Return ``count`` further rows of latents ``[n, D]``, each the farthest from those before it and the chosen."""
    distances = np.full(len(latents), np.inf)
    for row in np.flatnonzero(chosen).tolist():
        distances = np.minimum(distances, _distances(latents, row))
    if not chosen.any():
        distances = np.square(latents - latents.mean(axis=0)).sum(axis=1).astype(np.float64)
        distances = distances.max() - distances  # the first centre is the most central one
    distances[chosen] = -1.0
    found: list[int] = []
    for _ in range(count):
        row = int(np.argmax(distances))
        if not found and not chosen.any():
            distances = np.full(len(latents), np.inf)
        distances = np.minimum(distances, _distances(latents, row))
        distances[row] = -1.0
        found.append(row)
    return np.array(found, np.int64)


def _distances(latents: npt.NDArray[np.float32], row: int) -> npt.NDArray[np.float64]:
    """Return the squared distance of each latent from that of a row."""
    return np.asarray(np.square(latents - latents[row]).sum(axis=1), np.float64)

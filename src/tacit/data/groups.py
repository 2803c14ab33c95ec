"""Groups of episodes that a split keeps together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError

__all__ = ["chronological", "draw", "units"]


def units(*keys: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    """Return ``[N]`` the number of the unit of each item, in order of first appearance.

    Args:
        keys: One or more keys of each item. Items with an equal key are in one unit; an empty string equals nothing.
    """
    inverses = [_numbered(key) for key in keys]
    unit = np.arange(len(keys[0]))
    while True:
        before = unit
        for inverse in inverses:
            least = np.full(len(unit), len(unit))
            np.minimum.at(least, inverse, unit)
            unit = least[inverse]
        if np.array_equal(unit, before):
            return np.unique(unit, return_inverse=True)[1].reshape(-1)


def draw(unit: npt.NDArray[np.int64], fraction: float, seed: int, by: str = "group") -> npt.NDArray[np.bool_]:
    """Draw ``[N]`` a mask of the items in the first part of a split: whole units, about ``fraction`` of the items.

    Args:
        unit: The unit of each item; see :func:`units`.
        fraction: Share of the items in the first part.
        seed: Seed of the order of the units.
        by: The name of the units, for messages.

    Raises:
        ConfigError: if a part would be empty.
    """
    sizes = np.bincount(unit)
    if not 0.0 < fraction < 1.0 or len(unit) < 2:
        raise ConfigError(
            f"split needs a fraction between 0 and 1 and two episodes; got {fraction} and {len(unit)}. Record more "
            "episodes. One long recording is cut by longest= when it is opened, and split with by='time'.",
            code="T14",
        )
    if len(sizes) < 2:
        raise ConfigError(
            f"split keeps episodes of one {by} together, and all {len(unit)} episodes are of the same one, so a part "
            f"would be empty. Add episodes of another {by}, such as another file of a log. Where they are pieces of "
            "one recording, the later pieces are the fairest test: split(0.9, by='time').",
            code="T14",
        )
    target = min(max(round(fraction * len(unit)), 1), len(unit) - 1)
    order = np.random.default_rng(seed).permutation(len(sizes))
    ends = np.cumsum(sizes[order])
    count = int(np.argmin(np.abs(ends[:-1] - target))) + 1
    return np.isin(unit, order[:count])


def chronological(
    count: int, fraction: float, times: npt.NDArray[np.float64] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the earlier and the later of ``count`` items; no earlier one ends after the first later one begins.

    Args:
        count: The number of items, in the order of their recording.
        fraction: Share of the items before the cut.
        times: ``[N, 2]`` the begin and end of each item; None where the order is all that is known.

    Raises:
        ConfigError: if a part would be empty.
    """
    if not 0.0 < fraction < 1.0 or count < 2:
        raise ConfigError(f"split needs a fraction between 0 and 1 and two episodes; got {fraction} and {count}.")
    order = np.arange(count) if times is None else np.lexsort((times[:, 1], times[:, 0]))
    place = min(max(round(fraction * count), 1), count - 1)
    early, late = order[:place], order[place:]
    if times is not None:
        early = early[times[early, 1] < times[late, 0].min()]
    if not len(early):
        raise ConfigError(
            "split by='time' leaves out earlier episodes that end after the first later one begins, and none is left. "
            "Cut long recordings into pieces (longest=...), or choose the parts yourself with select()."
        )
    return early, late


def _numbered(key: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    """Return ``[N]`` the first item with the same key; an item with an empty key maps to itself."""
    first: dict[Hashable, int] = {}
    return np.array([index if value == "" else first.setdefault(value, index) for index, value in enumerate(key)], int)

"""Features of recorded observations, for fitting and scoring probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from tacit._registry import suggest
from tacit.data.episodes import lightest
from tacit.data.groups import draw, units
from tacit.errors import ConfigError, DataError
from tacit.probing.encoder import Encoder, covered_share, encode_windows, token_grid_of, window_ends, windows
from tacit.probing.lazy_rows import Rows, select
from tacit.types import Array

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["Features", "features"]

CLASS = "class"


@dataclass(frozen=True, eq=False)
class Features:
    """Features and targets for fitting and scoring probes.

    Attributes:
        values: ``[N, D]``, or tokens ``[N, n, D]``: a tensor, an array, or rows that are read when they are needed.
        targets: By name ``[N, ...]``: whole numbers are classes, floating-point numbers quantities.
        episode: ``[N]`` number of the episode of each row; without it each row is an episode of its own.
        hashes: A hash of the content of each episode by its number, where known: episodes that were fitted on are not
            scored.
        grid: Extents of the grid of tokens in C order, ``(h, w)`` of images, ``(T, h, w)`` of videos; a square where it
            is not given.
        covered: Share of the height and of the width of an image, from its upper left corner, that the grid covers:
            an encoder leaves out what does not fill a patch.
        groups: The group of each episode by its number, where there are any; see :attr:`tacit.types.Episode.group`.
        classes: By target the names of its numbers, where episodes have them: numbers of two datasets may differ.
    """

    values: Rows
    targets: Mapping[str, Array] = field(default_factory=dict)
    episode: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    hashes: tuple[str, ...] = ()
    grid: tuple[int, ...] | None = None
    covered: tuple[float, float] = (1.0, 1.0)
    groups: tuple[str, ...] = ()
    classes: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.values, np.ndarray):
            object.__setattr__(self, "values", torch.from_numpy(self.values))
        if not len(self.episode):
            object.__setattr__(self, "episode", np.arange(len(self.values)))
        named = {name: np.asarray(target) for name, target in self.targets.items()}
        object.__setattr__(self, "targets", named)
        if len(self.values.shape) not in (2, 3) or not len(self.values):
            raise DataError(f"features have shape [N, D] or [N, n, D] with N >= 1; got {list(self.values.shape)}.")
        for name, of in {"episode": self.episode, **named}.items():
            if of.ndim < 1 or len(of) != len(self.values):
                raise DataError(f"{name!r} needs one entry for each of {len(self.values)} rows; got {list(of.shape)}.")

    def __len__(self) -> int:
        """Return the number of rows ``N``."""
        return len(self.values)

    def target(self, name: str) -> Array:
        """Return the target called ``name``.

        Raises:
            ConfigError: if there is none, with the nearest name.
        """
        if name not in self.targets:
            there = f"There are: {', '.join(self.targets)}." if self.targets else "There are none."
            raise ConfigError(f"the features have no target {name!r}.{suggest(name, self.targets)} {there}")
        return self.targets[name]

    def select(self, rows: npt.NDArray[Any]) -> Features:
        """Return the rows at ``rows``, indices or a mask; their values are not copied."""
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        targets = {name: target[rows] for name, target in self.targets.items()}
        chosen = select(self.values, torch.from_numpy(np.asarray(rows, np.int64)))
        return replace(self, values=chosen, targets=targets, episode=self.episode[rows])

    @property
    def units(self) -> npt.NDArray[np.int64]:
        """Return the independent unit of each row ``[N]``. It is the row's episode, or the first one of its group."""
        if not any(self.groups):
            return self.episode
        _, first = np.unique(unit := units(self.groups), return_index=True)
        return np.asarray(first[unit][self.episode], np.int64)

    def split(self, fraction: float, seed: int) -> tuple[Features, Features]:
        """Split into two parts by whole groups, as ``episodes.split(fraction, seed)`` of the same episodes.

        Raises:
            ConfigError: if a part would be empty.
        """
        total = len(self.hashes) or int(self.episode.max()) + 1
        first = draw(units(self.groups or [""] * total), fraction, seed)[self.episode]
        if first.all() or not first.any():
            raise ConfigError(f"a part of the split would be empty: {len(self)} rows of {total} episodes.")
        return self.select(first), self.select(~first)

    def without(self, other: Features) -> Features:
        """Return the rows of episodes that are not in ``other``, by their content and group."""
        return self.select(~np.isin(self.episode, self.shared(other)))

    def renumbered(self, other: Features, target: str) -> Features:
        """Return these features with the classes of a target class_indices as in ``other``.

        It applies where both know the names of the classes.

        A class that ``other`` does not have gets a number that none of its classes has.
        """
        names, known = self.classes.get(target), other.classes.get(target)
        if not names or not known:
            return self
        numbers = {name: number for number, name in known.items()}
        fresh = max(*numbers.values(), int(np.max(other.target(target)))) + 1
        for name in sorted(set(names.values()) - set(numbers)):
            numbers[name] = fresh
            fresh += 1
        if all(numbers[name] == number for number, name in names.items()):
            return self
        old, where = np.unique(self.target(target), return_inverse=True)
        new = np.array([numbers[names[int(number)]] for number in old], np.int64)
        targets = {**self.targets, target: new[where].reshape(self.target(target).shape)}
        classes = {**self.classes, target: {numbers[name]: name for name in names.values()}}
        return replace(self, targets=targets, classes=classes)

    def shared(self, other: Features) -> list[int]:
        """Return the numbers of the episodes whose content or group is also in ``other``."""
        found: set[int] = set()
        for own, its in ((self.hashes, other.hashes), (self.groups, other.groups)):
            if own and its:
                there = {its[number] for number in np.unique(other.episode)} - {""}
                found |= {int(number) for number in np.unique(self.episode) if own[number] in there}
        return sorted(found)


def features(
    model: Encoder,
    episodes: Episodes,
    *,
    tokens: bool = False,
    frames: int | None = None,
    length: int | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Features:
    """Encode observations of some episodes with a frozen model. Their labels become targets.

    Args:
        model: The encoder; its weights and its mode do not change.
        episodes: The source of the observations.
        tokens: Keep every token, ``[N, n, D]``, of a model that has them.
        frames: The largest number of observations, drawn at random; None: all of them.
        length: Observations in one input of the model, by default as many as it was built for; the labels are those
            of the last one.
        seed: Of the draw.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Returns:
        Rows in the order of episodes and steps, in float32 in memory; :func:`embed` writes them to disk instead.

    Raises:
        DataError: if a latent is not finite or no episode is long enough.
        SpecError: if the model returns other shapes.
    """
    clips = windows(model, episodes, length)
    index = draw_rows(len(clips), frames, seed)
    values = torch.cat([latents.float() for latents in encode_windows(model, clips, index, tokens, progress=progress)])
    episode, step = window_ends(clips, index)
    grid = token_grid_of(model, values.shape[1]) if tokens else None
    covered = covered_share(model, episodes.spec, grid)
    found, classes = targets_at(episodes, episode, step)
    return Features(values, found, episode, episodes.digests(), grid, covered, episodes.groups, classes)


def draw_rows(count: int, most: int | None, seed: int) -> npt.NDArray[np.int64]:
    """Draw ``most`` of ``count`` numbers in ascending order, or return all of them."""
    if most is None or most >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def target_names(episodes: Episodes) -> tuple[str, ...]:
    """Return the names of the targets of episodes: their labels, vectors, and series of one sample a step."""
    spec = episodes.spec
    each_step = (name for name, one in spec.modalities.items() if one.kind == "vector" or one.rate == spec.fps)
    return tuple(dict.fromkeys((*episodes.labels, *each_step)))


def targets_at(
    episodes: Episodes, episode: npt.NDArray[np.int64], step: npt.NDArray[np.int64]
) -> tuple[dict[str, Array], dict[str, dict[int, str]]]:
    """Return every target ``[N, ...]`` at some steps, and the names of classes.

    The steps are given in the order of their episodes.

    Readers of foreign files number subfolders in the label ``class``; the tasks are the names of the subfolders.
    """
    names = target_names(episodes)
    if not names:
        return {}, {}
    vectors = tuple(name for name in names if name not in episodes.labels)
    read_along = vectors or (lightest(episodes.spec),)  # labels cannot be read alone
    parts: dict[str, list[Array]] = {name: [] for name in names}
    pairs: set[tuple[int, str]] = set()
    for number in np.unique(episode):
        read = episodes.read(int(number), read_along)
        for name, found in parts.items():
            values = read.labels[name] if name in read.labels else read.observation[name]
            found.append(values[step[episode == number]])
        classes = read.labels.get(CLASS, step[:0])
        pairs |= {(int(value), read.task) for value in np.unique(classes)} if classes.dtype.kind in "iu" else set()
    return {name: np.concatenate(found) for name, found in parts.items()}, _named(pairs)


def _named(pairs: set[tuple[int, str]]) -> dict[str, dict[int, str]]:
    """Return the name of each class number.

    The result is empty where numbers and tasks do not correspond one to one.
    """
    numbers, names = {number for number, _ in pairs}, {name for _, name in pairs}
    return {CLASS: dict(pairs)} if pairs and len(numbers) == len(names) == len(pairs) and "" not in names else {}

"""Entries of a store from arrays, and from recorded episodes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tacit.errors import SpecError
from tacit.types import Entries

__all__ = ["entries", "windows"]


def entries(
    latents: npt.ArrayLike,
    blocks: npt.ArrayLike,
    *,
    outcomes: npt.ArrayLike = np.nan,
    surprises: npt.ArrayLike = np.nan,
    times: npt.ArrayLike = 0.0,
    episodes: npt.ArrayLike = 0,
    steps: npt.ArrayLike = 0,
    sources: npt.ArrayLike = -1,
) -> Entries:
    """Return entries of a store; every option is one value for all, or ``[N]``.

    Args:
        latents: ``[N, D]`` the latents.
        blocks: ``[N, H, A']`` the raw action blocks that were executed from there on.
        outcomes: The values of what followed, high is good; NaN where unknown.
        surprises: The surprises during the blocks; NaN where unknown.
        times: Seconds since 1970.
        episodes: The numbers of the episodes in their source.
        steps: The raw steps of the latents in their episodes.
        sources: The indices of the sources; -1: none; see
            :meth:`tacit.memory.DiskStore.source`.

    Raises:
        SpecError: if the shapes do not fit together.
    """
    states, actions = np.asarray(latents, np.float32), np.asarray(blocks, np.float32)
    if states.ndim != 2 or actions.ndim != 3 or len(states) != len(actions):
        raise SpecError(
            f"entries need latents [N, D] and blocks [N, H, A']; got {list(states.shape)} and {list(actions.shape)}."
        )
    given = {"outcomes": outcomes, "surprises": surprises, "times": times}
    given |= {"episodes": episodes, "steps": steps, "sources": sources}
    try:
        columns = {name: np.broadcast_to(np.asarray(value), (len(states),)) for name, value in given.items()}
    except ValueError as error:
        raise SpecError(f"the options of entries are one value or [{len(states)}]: {error}.") from error
    return Entries(
        states,
        actions,
        columns["outcomes"].astype(np.float32),
        columns["surprises"].astype(np.float32),
        columns["times"].astype(np.float64),
        columns["episodes"].astype(np.int64),
        columns["steps"].astype(np.int64),
        columns["sources"].astype(np.int32),
    )


def windows(
    latents: npt.NDArray[np.float32],
    blocks: npt.NDArray[np.float32],
    length: int,
    *,
    frameskip: int = 1,
    outcomes: npt.ArrayLike = np.nan,
    sources: npt.ArrayLike = -1,
) -> Entries:
    """Return an entry for each run of ``length`` blocks in recorded episodes, episode by episode.

    Args:
        latents: ``[N, T, D]`` latents at block boundaries; NaN after the end of an episode.
        blocks: ``[N, T - 1, A']`` the raw action blocks between them.
        length: The number of blocks ``H`` of an entry.
        frameskip: Raw steps of a block.
        outcomes: The outcome of each episode, one value or ``[N]``.
        sources: The index of the source of each episode, one value or ``[N]``.

    Raises:
        SpecError: if the shapes do not fit together, or no episode has so many blocks.
    """
    episodes, times = latents.shape[:2]
    if latents.ndim != 3 or blocks.ndim != 3 or blocks.shape[:2] != (episodes, times - 1) or length < 1:
        raise SpecError(
            f"windows need latents [N, T, D], blocks [N, T - 1, A'] and length >= 1; got {list(latents.shape)}, "
            f"{list(blocks.shape)} and {length}."
        )
    starts = np.arange(max(times - length, 0))
    reach = starts[:, None] + np.arange(length)
    actions = blocks[:, reach]
    whole = np.isfinite(latents[:, starts]).all(axis=2) & np.isfinite(actions).all(axis=(2, 3))
    if not whole.any():
        raise SpecError(f"no episode has {length} whole blocks; choose a smaller length.")
    episode, step = np.nonzero(whole)
    return entries(
        latents[episode, step],
        actions[episode, step],
        outcomes=np.broadcast_to(np.asarray(outcomes, np.float32), (episodes,))[episode],
        episodes=episode,
        steps=step * frameskip,
        sources=np.broadcast_to(np.asarray(sources, np.int32), (episodes,))[episode],
    )

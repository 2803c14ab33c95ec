"""Start states and goals of imagined episodes, from recorded ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError, DataError
from tacit.types import Episode, WorldModel

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Goals", "RecordedLatents"]

Goals: TypeAlias = Literal["none", "later", "any"]
ROWS = 256
"""Observations that are encoded at a time."""


@dataclass(frozen=True, eq=False)
class RecordedLatents:
    """The latents of recorded episodes at block boundaries, and the blocks between them.

    Attributes:
        latents: ``[N, D]``, episode by episode.
        blocks: ``[N, A']`` the raw block that leads to the next row; 0 in the last row of an episode.
        starts: ``[M]`` rows that an imagined episode can start from.
        last: ``[M]`` the last row of the episode of each.
        history: Latents ``T`` that a context holds.
    """

    latents: Tensor
    blocks: Tensor
    starts: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    history: int

    @classmethod
    def of(cls, model: WorldModel, episodes: Iterable[Episode]) -> RecordedLatents:
        """Encode episodes once. A start has the history of the model before it and a block after it.

        Args:
            model: The source of latents.
            episodes: The episodes, read one at a time; what follows the last whole block of one is left out.

        Raises:
            DataError: if no episode is long enough, or a latent is not finite.
        """
        import torch

        latents: list[Tensor] = []
        blocks: list[npt.NDArray[np.float32]] = []
        starts, last, first = list[int](), list[int](), 0
        for episode in episodes:
            found = _encoded(model, episode)
            if not bool(torch.isfinite(found).all()):
                raise DataError(
                    f"a latent of episode {episode.index} is not finite. Look for NaN in its observations, or leave it "
                    "out."
                )
            skip, count = model.frameskip, len(found)
            own = np.zeros((count, skip * episode.action.shape[1]), np.float32)
            own[:-1] = episode.action[: (count - 1) * skip].reshape(count - 1, own.shape[1])
            rows = range(first + model.history - 1, first + count - 1)
            starts += rows
            last += [first + count - 1] * len(rows)
            latents.append(found)
            blocks.append(own)
            first += count
        if not starts:
            raise DataError(
                f"an imagined episode starts from a recorded one of at least {model.history * model.frameskip + 1} "
                "observations; got none. Record longer episodes."
            )
        held = torch.from_numpy(np.concatenate(blocks)).to(latents[0].device)
        return cls(torch.cat(latents), held, np.array(starts), np.array(last), model.history)

    def draw(self, seed: int, goals: Goals) -> tuple[int, int | None]:
        """Return the rows of a start, uniform over all of them, and of its goal."""
        rng = np.random.default_rng(seed)
        index = int(rng.integers(len(self.starts)))
        start = int(self.starts[index])
        if goals == "none":
            return start, None
        return start, int(
            rng.integers(start + 1, self.last[index] + 1) if goals == "later" else rng.integers(self.size)
        )

    @property
    def size(self) -> int:
        """Return the number of latents ``N``."""
        return len(self.latents)

    def contexts(self, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Return latents ``[B, T, D]`` up to some rows, and the blocks ``[B, T - 1, A']`` between them."""
        past = rows[:, None] + np.arange(1 - self.history, 1)
        return self.latents[past], self.blocks[past[:, :-1]]


def check_goals(goals: object) -> None:
    """Refuse another kind of goals.

    Raises:
        ConfigError: unless they are one of :data:`Goals`.
    """
    if goals not in ("none", "later", "any"):
        raise ConfigError(f"goals are 'none', 'later' or 'any'; got {goals!r}.")


def _encoded(model: WorldModel, episode: Episode) -> Tensor:
    """Return the latents ``[n, D]`` of an episode at block boundaries."""
    import torch

    frames = {name: values[:: model.frameskip] for name, values in episode.observation.items()}
    count = len(episode.action) // model.frameskip + 1
    parts = []
    with torch.no_grad():
        for first in range(0, count, ROWS):
            rows = slice(first, min(first + ROWS, count))
            parts.append(model.encode({name: values[rows] for name, values in frames.items()}).float())
    return torch.cat(parts)

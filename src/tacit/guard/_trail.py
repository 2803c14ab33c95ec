"""The last latents and executed blocks of worlds, from which scores are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit._arrays import Numbers, array_namespace, as_numbers
from tacit.types import Context, Sensed, WorldModel

__all__ = ["Trail"]


@dataclass(frozen=True, eq=False)
class Trail:
    """The last latents and executed blocks of each world.

    Attributes:
        latents: ``[B, T, D]`` latents at the last block boundaries, the last one current.
        blocks: ``[B, T - 1, A']`` the raw blocks executed between them; None where there is one latent.
        steps: ``[B]`` blocks since the start of each episode.
    """

    latents: Numbers
    blocks: Numbers | None
    steps: npt.NDArray[np.int64]

    @classmethod
    def begin(cls, latents: Numbers) -> Trail:
        """Return the trail of new episodes with their first latents ``[B, D]``."""
        return cls(latents[:, None], None, np.zeros(len(latents), np.int64))

    def extended(self, latents: Numbers, block: Numbers, reach: Sequence[int], history: int) -> Trail:
        """Return the trail after one more block.

        Args:
            latents: ``[B, D]`` the new latents.
            block: ``[B, A']`` the raw actions that were executed.
            reach: The numbers of blocks of the forecasts to make; see :attr:`tacit.guard.Guard.reach`.
            history: The number of latents that the model reads.
        """
        xp, length = array_namespace(latents), max(reach, default=1) + history
        blocks = block[:, None] if self.blocks is None else xp.concat([self.blocks, block[:, None]], axis=1)
        joined = xp.concat([self.latents, latents[:, None]], axis=1)[:, -length:]
        kept = joined.shape[1] - 1
        return Trail(joined, blocks[:, blocks.shape[1] - kept :] if kept else None, self.steps + 1)

    def context(self, back: int, history: int) -> Context | None:
        """Return the context of ``back`` blocks ago; None where the trail is shorter.

        Args:
            back: Blocks to go back.
            history: The largest number of latents of the context.
        """
        end = self.latents.shape[1] - back
        if end < 1:
            return None
        first = max(end - history, 0)
        blocks = self.blocks[:, first : end - 1] if self.blocks is not None and end - first > 1 else None
        return Context(self.latents[:, first:end], blocks)

    def sensed(
        self,
        model: WorldModel,
        reach: Sequence[int],
        age: npt.NDArray[np.float32] | None = None,
        missing: Mapping[str, npt.NDArray[np.bool_]] | None = None,
    ) -> Sensed:
        """Return the inputs of scores at the current boundary, with forecasts of the current latents.

        Call it without gradients.

        Args:
            model: The source of the forecasts.
            reach: The numbers of blocks of these forecasts; see :attr:`tacit.guard.Guard.reach`.
            age: ``[B]`` seconds since the observation was made; None: unknown.
            missing: ``[B]`` flags of missing modalities; see :func:`tacit.guard.missing_modalities`.
        """
        current = as_numbers(self.latents[:, -1], None)
        forecasts = np.full((len(current), max(reach, default=0), current.shape[1]), np.nan, np.float32)
        for back in reach:
            past = self.context(back, model.history)
            if past is not None and self.blocks is not None:
                executed = self.blocks[:, self.blocks.shape[1] - back :]
                forecasts[:, back - 1] = as_numbers(model.rollout(past, executed)[:, -1], None)
        unknown = np.full(len(current), np.nan, np.float32)
        return Sensed(
            current,
            forecasts,
            self.steps,
            unknown if age is None else np.asarray(age, np.float32),
            self.context(1, model.history),
            None if self.blocks is None else as_numbers(self.blocks[:, -1], None),
            model.latent_parts,
            missing or {},
        )

"""The last blocks of worlds, from which entries of a memory are made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

__all__ = ["Past"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Past:
    """The snapshot of the memory that each world reads, and its last blocks.

    Attributes:
        snapshots: ``[B]`` the ids of the snapshots.
        latents: ``[B, T, D]`` the latents at the last block boundaries, the last one current.
        blocks: ``[B, T - 1, A']`` the raw blocks executed between them.
        surprises: ``[B, T - 1]`` the surprise at the end of each.
        newest: ``[B]`` the raw step of the last latent.
        remembered: ``[B]`` the raw step of the latent of the last entry; -1: there is none.
    """

    snapshots: npt.NDArray[np.str_]
    latents: Floats
    blocks: Floats
    surprises: Floats
    newest: npt.NDArray[np.int64]
    remembered: npt.NDArray[np.int64]

    @classmethod
    def begin(cls, batch: int, latent_size: int, block_size: int, snapshot: str) -> Past:
        """Return the past of ``batch`` new episodes."""
        latents, blocks = (np.zeros((batch, 0, size), np.float32) for size in (latent_size, block_size))
        return cls(
            snapshots=np.full(batch, snapshot),
            latents=latents,
            blocks=blocks,
            surprises=np.zeros((batch, 0), np.float32),
            newest=np.zeros(batch, np.int64),
            remembered=np.full(batch, -1),
        )

    def extended(
        self, latents: Floats, block: Floats | None, surprise: Floats, steps: tuple[int, ...], length: int
    ) -> Past:
        """Return the past with the latents of one more boundary.

        Args:
            latents: ``[B, D]``.
            block: ``[B, A']`` the raw block that led to them; None: there is none, and a new past begins.
            surprise: ``[B]`` the surprise at its end.
            steps: ``[B]`` the raw steps.
            length: The largest number of latents to keep.
        """
        newest = np.array(steps, np.int64)
        if block is None or not self.latents.shape[1]:
            return replace(
                self,
                latents=latents[:, None],
                blocks=self.blocks[:, :0],
                surprises=self.surprises[:, :0],
                newest=newest,
            )
        return replace(
            self,
            latents=np.concatenate([self.latents, latents[:, None]], axis=1)[:, -length:],
            blocks=np.concatenate([self.blocks, block[:, None]], axis=1)[:, 1 - length :],
            surprises=np.concatenate([self.surprises, surprise[:, None]], axis=1)[:, 1 - length :],
            newest=newest,
        )

    def complete(self, blocks: int) -> npt.NDArray[np.bool_]:
        """Return the worlds ``[B]`` with so many blocks and a finite first latent."""
        if self.blocks.shape[1] < blocks:
            return np.zeros(len(self.newest), np.bool_)
        return np.asarray(np.isfinite(self.latents[:, 0]).all(axis=1) & np.isfinite(self.blocks).all(axis=(1, 2)))

    def surprise(self) -> Floats:
        """Return the largest surprise ``[B]`` of the blocks; NaN where none is known."""
        return np.asarray(np.fmax.reduce(self.surprises, axis=1, initial=np.nan), np.float32)

"""Training from latents on disk instead of pixels, where the encoder is frozen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from tacit.embeddings.embedding import Embedding, open_embedding
from tacit.embeddings.model_digest import model_digest
from tacit.errors import ConfigError, DataError
from tacit.models import ActionConditioned, WorldModel
from tacit.probing.lazy_rows import Rows
from tacit.types import Clip

if TYPE_CHECKING:
    from tacit.data import Episodes
    from tacit.data.clips import Clips
    from tacit.probing.encoder import Trainable

__all__ = ["Embedded"]

HOW = "Embed again: tacit embed RUN DATASET --frames CAMERA --to DIR, with the run that encoder= names."


@dataclass(frozen=True)
class Embedded:
    """A :class:`tacit.types.Transform` that gives each window the latents of its observations.

    :func:`embed` wrote the latents.

    Get one from :meth:`open`. Rows are read from the memory-mapped files when a batch asks for them.

    Attributes:
        digest: Of the encoder; see :func:`model_digest`.
        dtype: In which the values are stored.
        frameskip: Steps from one observation to the next.
        rows: The latents, ``[N, n, D]``.
        episodes: Hash of the episodes to train on.
        first: The row of the first step of each of them.
    """

    digest: str
    dtype: str
    frameskip: int
    rows: Rows = field(repr=False)
    episodes: str = field(repr=False)
    first: npt.NDArray[np.int64] = field(repr=False)

    @classmethod
    def open(cls, path: str | Path, model: Trainable, episodes: Episodes) -> Embedded:
        """Open an embedding to train this model on these episodes.

        Args:
            path: An embedding of ``model.frames`` with all tokens.
            model: A world model that uses the frozen encoder of a perception model.
            episodes: Episodes to train on, ``clips.episodes``. All of them are in the embedding, by their content; it
                may have others.

        Raises:
            ConfigError: if the model is another one, or its encoder learns.
            DataError: if the embedding is of other episodes or by another encoder, or lacks tokens.
        """
        if not isinstance(model, ActionConditioned | WorldModel):
            raise ConfigError(f"a world model trains from latents on disk; a {type(model).__name__} does not.")
        digest = model_digest(model.frames)
        found = open_embedding(path)
        first = _first(found, episodes)
        if found.header.digest != digest:
            raise DataError(
                f"{path} was made by a {found.header.model} of digest {found.header.digest[:12]}; the encoder of this "
                f"model, frame by frame, has the digest {digest[:12]}. {HOW}"
            )
        if len(found.header.shape) != 2:
            raise DataError(f"{path} has one latent of each frame, and this model needs all tokens. {HOW}")
        return cls(digest, found.header.dtype, model.frameskip, found.features.values, episodes.hash(), first)

    def check(self, clips: Clips) -> None:
        """Refuse windows of other episodes, whose latents would be those of other moments.

        Raises:
            ConfigError: if they are.
        """
        if clips.episodes.hash() != self.episodes:
            raise ConfigError(
                "these latents were opened for other episodes than those to train on, or in another order: open them "
                "with Embedded.open(path, model, clips.episodes)."
            )

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:  # noqa: ARG002 - nothing is random
        """See :class:`tacit.types.Transform`."""
        steps = clip.start.numpy()[:, None] + np.arange(clip.action.shape[1] + 1) * self.frameskip
        rows = self.first[clip.episode.numpy()][:, None] + steps
        values = self.rows[torch.from_numpy(rows.reshape(-1))]
        return replace(clip, latents=values.reshape(*rows.shape, *values.shape[1:]))


def _first(found: Embedding, episodes: Episodes) -> npt.NDArray[np.int64]:
    """Return the row of the first step of each episode.

    Raises:
        DataError: if an episode is not in the embedding.
    """
    number = {content: index for index, content in enumerate(found.features.hashes)}
    digests = episodes.digests()
    missing = [index for index, content in enumerate(digests) if content not in number]
    if missing:
        raise DataError(
            f"{found.path} is of another dataset: {len(missing)} of the {len(digests)} episodes to train on are not "
            f"among its {len(number)}, the first of them {episodes.file(missing[0])}. {HOW}"
        )
    chosen = np.array([number[content] for content in digests])
    counts = np.bincount(found.features.episode, minlength=len(found.features.hashes))
    first: npt.NDArray[np.int64] = np.cumsum(counts) - counts
    start: npt.NDArray[np.int64] = first[chosen]
    return start

"""All latents and action blocks of some episodes, encoded once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.data import Clips
from tacit.models import Dynamics

__all__ = ["EncodedEpisodes", "RecordedBlocks", "chunks"]

CHUNK = 256


class EncodedEpisodes:
    """The latents of all frames of the episodes of some clips, in their order.

    Args:
        model: The model that encodes them; it is left in the mode that it had.
        clips: Their episodes and frameskip are used, their length is not.

    Attributes:
        latents: ``[N, D]`` float32.
        episode: ``[N]`` the episode of each row.
        blocks_left: ``[N]`` whole blocks from each row to the end of its episode.
        frameskip: Rows from one block boundary to the next.
    """

    def __init__(self, model: Dynamics, clips: Clips) -> None:
        frames = clips.episodes.clips(1, clips.frameskip, model.config.inputs)
        training = model.training
        model.eval()
        with torch.no_grad():
            encoded = [
                model.encode(frames.cut(*frames.windows(index)).observation)[:, 0].float()
                for index in chunks(len(frames))
            ]
        model.train(training)
        self.latents: Tensor = torch.cat(encoded)
        self.frameskip = clips.frameskip
        # Windows are numbered by episode and by step.
        self.episode, _ = frames.windows(np.arange(len(frames)))
        last = np.searchsorted(self.episode, self.episode, side="right") - 1
        self.blocks_left = (last - np.arange(len(self.episode))) // self.frameskip


class RecordedBlocks(EncodedEpisodes):
    """The latents of all frames of some episodes, and the action block taken at each that has one.

    Args:
        model: See :class:`EncodedEpisodes`.
        clips: See :class:`EncodedEpisodes`.

    Attributes:
        blocks: ``[M, A']`` raw action blocks.
        row: ``[M]`` the row of the latent that each block was taken at.
    """

    def __init__(self, model: Dynamics, clips: Clips) -> None:
        super().__init__(model, clips)
        self.device = model.device
        moves = clips.episodes.clips(2, clips.frameskip, model.config.inputs)
        found = [moves.cut(*moves.windows(index)).action[:, 0] for index in chunks(len(moves))]
        self.blocks: Tensor = torch.cat(found).to(model.device)
        episode, _ = moves.windows(np.arange(len(moves)))
        # Windows are numbered by episode and by step, so the moves of an episode begin at its first frame.
        within = np.arange(len(moves)) - np.searchsorted(episode, episode)
        self.row = np.searchsorted(self.episode, episode) + within

    def sequences(self, move: npt.NDArray[np.int64], length: int) -> tuple[Tensor, Tensor]:
        """Return latents ``[N, length + 1, D]`` from the rows of some blocks on, and the blocks ``[N, length, A']``.

        Args:
            move: ``[N]`` the first blocks, each with ``length - 1`` whole blocks after it in its episode.
            length: The number of blocks.
        """
        # Blocks overlap: there is one for each frame, as there is a latent for each.
        steps = np.arange(length + 1) * self.frameskip
        return self.latents[self.row[move][:, None] + steps], self.blocks[move[:, None] + steps[:-1]]


def chunks(count: int) -> list[npt.NDArray[np.int64]]:
    """Return the numbers below ``count`` in pieces that are encoded at once."""
    return np.array_split(np.arange(count), -(-count // CHUNK))

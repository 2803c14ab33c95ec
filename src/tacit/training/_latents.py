"""All latents of some episodes, encoded once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.data import Clips
from tacit.models import Dynamics

__all__ = ["EncodedEpisodes", "chunks"]

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


def chunks(count: int) -> list[npt.NDArray[np.int64]]:
    """Return the numbers below ``count`` in pieces that are encoded at once."""
    return np.array_split(np.arange(count), -(-count // CHUNK))

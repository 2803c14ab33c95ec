"""Imagined futures as recorded frames, without a decoder.

Each latent is displayed as the recorded frame with the nearest latent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from tacit.errors import ConfigError
from tacit.probing.encoder import clip_latents, draw_clips, frozen
from tacit.types import Context

if TYPE_CHECKING:
    from tacit.data import Episodes
    from tacit.models import Dynamics

__all__ = ["imagine"]

Frames = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Imagination:
    """Held-out windows as they were recorded and as the model imagined them.

    Attributes:
        recorded: ``[n, H + 1, C, h, w]`` recorded frames, the last observed frame first.
        imagined: ``[n, H + 1, C, h, w]`` recorded frames of other episodes, nearest to the latent of the first
            and to the imagined latents after it.
        frameskip: Steps from one frame to the next.
        bank: Number of searched frames.
    """

    recorded: Frames
    imagined: Frames
    frameskip: int
    bank: int


def imagine(
    model: Dynamics,
    bank: Episodes,
    held_out: Episodes,
    horizon: int = 8,
    *,
    examples: int = 4,
    frames: int = 4096,
    seed: int = 0,
) -> Imagination:
    """Roll out a few held-out windows and find the recorded frame nearest to each imagined latent.

    Args:
        model: A world model of pixels; its first camera is displayed.
        bank: Episodes whose frames are searched, for example the training episodes.
        held_out: Episodes to display.
        horizon: Number of model steps to imagine.
        examples: Number of windows, of different episodes if there are as many.
        frames: The largest number of frames to search.
        seed: Seed of windows and frames.

    Raises:
        ConfigError: if the model has no camera.
    """
    config = model.config
    name = next((name for name in config.inputs if name in config.spec.cameras), None)
    if name is None:
        raise ConfigError(f"imagine needs a model of pixels; this one has {', '.join(config.inputs)}.")
    stored = list(draw_clips(bank.clips(1, config.frameskip, config.inputs), frames, seed))
    images = torch.cat([clip.observation[name][:, 0] for clip in stored])
    known = torch.cat([clip_latents(model, clip)[:, 0] for clip in stored])
    clips = held_out.clips(model.history + horizon, config.frameskip, config.inputs)
    clip = next(draw_clips(clips, 64 * examples, seed))
    _, first = np.unique(clip.episode.numpy(), return_index=True)
    others = np.setdiff1d(np.arange(len(clip.episode)), first)
    rows = [int(row) for row in np.concatenate([np.sort(first), others])[:examples]]
    latents, now = clip_latents(model, clip)[rows], model.history - 1
    action = clip.action[rows]
    with frozen(model):
        there = latents[:, : now + 1].to(model.device)
        past, future = action[:, :now].to(model.device), action[:, now:].to(model.device)
        ahead = model.rollout(Context(there, past), future).float().cpu()
    nearest = torch.cdist(torch.cat([latents[:, now : now + 1], ahead], dim=1).flatten(0, 1), known).argmin(dim=1)
    recorded = clip.observation[name][rows, now:]
    return Imagination(recorded.numpy(), images[nearest].view_as(recorded).numpy(), config.frameskip, len(known))

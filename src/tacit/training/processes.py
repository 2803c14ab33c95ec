"""How the processes of torch.distributed train together; one alone is the first of one."""

from __future__ import annotations

from dataclasses import replace

import torch.distributed as dist

from tacit.nn.collectives import world_size
from tacit.types import Clip

__all__ = ["meet", "rank", "share"]


def rank() -> int:
    """The number of this process."""
    return dist.get_rank() if world_size() > 1 else 0


def share(clip: Clip) -> Clip:
    """The part of a batch that falls to this process."""
    if world_size() == 1:
        return clip
    rows = slice(rank(), None, world_size())
    observation = {name: values[rows] for name, values in clip.observation.items()}
    return replace(
        clip, observation=observation, action=clip.action[rows], episode=clip.episode[rows], start=clip.start[rows]
    )


def meet() -> None:
    """Wait for the other processes."""
    if world_size() > 1:
        dist.barrier()

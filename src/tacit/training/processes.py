"""Helpers for torch.distributed; a single process is rank 0 of 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import torch.distributed as dist

from tacit._files import locked
from tacit.errors import CheckpointError
from tacit.nn.collectives import world_size
from tacit.types import Clip

__all__ = ["LOCK", "barrier", "rank", "run_lock", "shard"]

LOCK = ".lock"
"""The lock file in the directory of a run, held during training."""


def rank() -> int:
    """Return the rank of this process."""
    return dist.get_rank() if world_size() > 1 else 0


def shard(clip: Clip) -> Clip:
    """Return the part of a batch for this process."""
    if world_size() == 1:
        return clip
    rows = slice(rank(), None, world_size())
    observation = {name: values[rows] for name, values in clip.observation.items()}
    return replace(
        clip, observation=observation, action=clip.action[rows], episode=clip.episode[rows], start=clip.start[rows]
    )


def barrier() -> None:
    """Wait for the other processes."""
    if world_size() > 1:
        dist.barrier()


@contextmanager
def run_lock(run: Path) -> Iterator[None]:
    """Hold the exclusive lock of a run directory, shared by the processes of one distributed run.

    Raises:
        CheckpointError: if another process trains in it, which would write the same files.
    """
    with ExitStack() as stack:
        if rank() == 0:
            try:
                stack.enter_context(locked(run / LOCK, wait=False))
            except BlockingIOError as error:
                raise CheckpointError(
                    f"another process is training in {run}. Let it end, stop it, or choose another place for this run.",
                    code="T13",
                ) from error
            except OSError:
                pass  # no space for the file; the first checkpoint raises a clearer error
        yield

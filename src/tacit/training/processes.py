"""How the processes of torch.distributed train together, and no others; one alone is the first of one."""

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

__all__ = ["LOCK", "meet", "rank", "share", "sole"]

LOCK = ".lock"
"""The file in the directory of a run that whoever trains it holds."""


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


@contextmanager
def sole(run: Path) -> Iterator[None]:
    """Alone at work on a run, with the processes that train it together.

    Raises:
        CheckpointError: if another process is at work on it, which would write the same files.
    """
    with ExitStack() as stack:
        if rank() == 0:
            try:
                stack.enter_context(locked(run / LOCK, wait=False))
            except BlockingIOError as error:
                raise CheckpointError(
                    f"another process is training in {run}. Let it end, stop it, or choose another place for this run."
                ) from error
            except OSError:
                pass  # no room for the file, which the first checkpoint says better
        yield

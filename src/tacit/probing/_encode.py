"""Latents of recorded windows for evaluation: in order, in batches, in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from tacit._threads import computing, suited_threads
from tacit.types import Clip

if TYPE_CHECKING:
    from tacit.data import Clips
    from tacit.models import Dynamics, Model

__all__ = ["clip_latents", "drawn", "frozen"]

CHUNK = 256
"""Windows encoded together: the activations of a small encoder on 64 px frames stay below 1 GB."""


@contextmanager
def frozen(model: Model) -> Iterator[None]:
    """Run the block in evaluation mode, without gradients and with threads that suit the model.

    The mode of each part of the model and the number of threads are restored.
    """
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        with computing(suited_threads(model)), torch.inference_mode():
            yield
    finally:
        for part in training:
            part.training = True


def drawn(clips: Clips, count: int, seed: int) -> Iterator[Clip]:
    """Yield ``count`` windows, or all if there are fewer.

    They are drawn uniformly, none twice, in batches that fit in memory.
    """
    wanted, seen = min(count, len(clips)), set[tuple[int, int]]()
    # Where nearly all windows are wanted, chance leaves a few out: eight rounds miss about one in 3000.
    for step in range(8 * -(-wanted // CHUNK)):
        batch = clips.batch(seed, step, CHUNK)
        fresh = []
        for row, place in enumerate(zip(batch.episode.tolist(), batch.start.tolist(), strict=True)):
            if place not in seen and len(seen) < wanted:
                seen.add(place)
                fresh.append(row)
        if fresh:
            observation = {name: values[fresh] for name, values in batch.observation.items()}
            yield Clip(observation, batch.action[fresh], batch.episode[fresh], batch.start[fresh])
        if len(seen) == wanted:
            return


def clip_latents(model: Dynamics, clip: Clip, target: bool = False) -> Tensor:
    """Encode a clip as ``[B, T, D]`` on the CPU, with context or target encoder."""
    with frozen(model):
        latents: Tensor = model.encode_target(clip.observation) if target else model.encode(clip.observation)
    return latents.float().cpu()

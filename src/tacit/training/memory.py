"""The memory that a training needs, estimated before it begins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tacit._resources import amount, available_memory
from tacit.errors import ConfigError
from tacit.training.job import Job

__all__ = ["check_memory"]

MUCH = 100
"""A batch that is this many times smaller than the free memory is not looked at any further."""
SAMPLE = 2
"""Clips that are looked at to find what each takes; normalisation over a batch needs two."""
MOMENTS = 3
"""Copies of the weights beside them: the gradient and two moments of Adam."""


def check_memory(job: Job, modules: tuple[nn.Module, ...], judge: Callable[[int], Any], processes: int) -> None:
    """Refuse a batch that does not fit the memory, before anything is written or trained.

    What a clip takes is counted in a forward pass of a few: the tensors that are kept for the backward pass. The
    modules are as before afterwards.

    Args:
        job: What is trained.
        modules: The model and the objective.
        judge: Makes the losses of so many clips.
        processes: Of the training; several are not looked at, for they share the memory in ways that are not known.

    Raises:
        ConfigError: with the batch that fits.
    """
    size, memory = job.config.batch_size, available_memory()
    if job.model.device.type != "cpu" or processes > 1 or memory is None:
        return
    each = job.clips.bytes(1)
    if MUCH * each * size < memory:
        return
    weights = {id(value): value.nbytes for module in modules for value in module.parameters()}
    kept = _kept(modules, judge) / SAMPLE
    waiting = job.config.prefetch + 2  # those that wait, the one that is cut, and the one that is in use
    fixed = MOMENTS * sum(weights.values())
    needed = fixed + size * (waiting * each + kept)
    if needed <= memory:
        return
    fits = int((memory - fixed) / (waiting * each + kept))
    batch = f"Use batch_size={2 ** (fits.bit_length() - 1)}, shorter clips" if fits >= SAMPLE else "Use shorter clips"
    images = ", images read at a smaller size (tacit.data.open(..., size=64))" if job.clips.spec.cameras else ""
    raise ConfigError(
        f"training on batches of {size} clips takes about {amount(needed)} of memory, {amount(each)} each for the "
        f"observations and {amount(kept)} for the model; {amount(memory)} are available. {batch}{images} or fewer "
        "modalities."
    )


def _kept(modules: tuple[nn.Module, ...], judge: Callable[[int], Any]) -> int:
    """Return the bytes that a forward pass keeps, weights not counted; 0 where it cannot be made."""
    buffers = [buffer for module in modules for buffer in module.buffers()]
    before = [buffer.clone() for buffer in buffers]
    seen = {value.untyped_storage().data_ptr() for module in modules for value in module.parameters()}
    sizes: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in seen:
            seen.add(storage.data_ptr())
            sizes.append(storage.nbytes())
        return tensor

    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            judge(SAMPLE)
    except (RuntimeError, ValueError):  # so few clips may be too few; the training itself says what is wrong
        return 0
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
    return sum(sizes)

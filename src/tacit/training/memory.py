"""Estimation of the memory of a training run before its start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tacit._resources import amount, available_memory
from tacit.errors import ConfigError
from tacit.training.run_spec import RunSpec

__all__ = ["check_memory"]

MUCH = 100
"""A batch that is this many times smaller than the free memory is not checked further."""
SAMPLE = 2
"""The number of clips whose memory is measured; normalisation over a batch needs two."""
MOMENTS = 3
"""Additional copies of the weights: the gradient and two moments of Adam."""


def check_memory(spec: RunSpec, modules: tuple[nn.Module, ...], forward: Callable[[int], Any], processes: int) -> None:
    """Refuse a batch that does not fit the memory, before anything is written or trained.

    The memory of a clip is measured in a forward pass of a few clips: the tensors that are kept for the backward pass.
    The modules do not change.

    Args:
        spec: The training run.
        modules: The model and the objective.
        forward: Computes the losses of the given number of clips.
        processes: The number of processes; with several there is no check, since their shares of memory are not known.

    Raises:
        ConfigError: with the batch that fits.
    """
    size, memory = spec.config.batch_size, available_memory()
    if spec.model.device.type != "cpu" or processes > 1 or memory is None:
        return
    each = spec.clips.bytes(1)
    if MUCH * each * size < memory:
        return
    weights = {id(value): value.nbytes for module in modules for value in module.parameters()}
    kept = _kept(modules, forward) / SAMPLE
    waiting = spec.config.prefetch + 2  # the waiting ones, the one being cut, and the one in use
    fixed = MOMENTS * sum(weights.values())
    needed = fixed + size * (waiting * each + kept)
    if needed <= memory:
        return
    fits = int((memory - fixed) / (waiting * each + kept))
    batch = f"Use batch_size={2 ** (fits.bit_length() - 1)}, shorter clips" if fits >= SAMPLE else "Use shorter clips"
    images = ", images read at a smaller size (tacit.data.open(..., size=64))" if spec.clips.spec.cameras else ""
    raise ConfigError(
        f"training on batches of {size} clips takes about {amount(needed)} of memory, {amount(each)} each for the "
        f"observations and {amount(kept)} for the model; {amount(memory)} are available. {batch}{images} or fewer "
        "modalities.",
        code="T10",
    )


def _kept(modules: tuple[nn.Module, ...], forward: Callable[[int], Any]) -> int:
    """Return the bytes that a forward pass keeps, without weights; 0 where the pass fails."""
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
            forward(SAMPLE)
    except (RuntimeError, ValueError):  # so few clips may be too few; the training itself raises the error
        return 0
    finally:
        with torch.no_grad():
            for buffer, value in zip(buffers, before, strict=True):
                buffer.copy_(value)
    return sum(sizes)

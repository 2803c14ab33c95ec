"""Modules filled with published weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from tacit.checkpoint._shell import shell
from tacit.errors import CheckpointError

__all__ = ["IMAGENET", "image_statistics", "with_weights"]

M = TypeVar("M", bound=nn.Module)

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
_SHOWN = 5


def with_weights(build: Callable[[], M], weights: Mapping[str, Tensor], where: str) -> M:
    """Build a module with weights under our names, in evaluation mode. It uses no memory besides theirs.

    Weights that share memory, as those of two networks that a file holds as one, are separated: each will be changed by
    itself.

    Raises:
        CheckpointError: if names or shapes are not those of the module, naming them.
    """
    module = shell(build, len(weights), where)
    state = module.state_dict()
    problems = [f"{name} is missing" for name in state if name not in weights]
    problems += [f"{name} is unknown" for name in weights if name not in state]
    problems += [
        f"{name}: expected {list(value.shape)}, found {list(weights[name].shape)}"
        for name, value in state.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise CheckpointError(
            f"the tensors of {where} do not fit each other or the given options. {'; '.join(problems[:_SHOWN])}{more}."
        )
    filling = {name: weights[name].to(value.dtype) for name, value in state.items()}
    taken: set[int] = set()
    for name, value in filling.items():
        if value.data_ptr() in taken:  # others stay mapped from their file
            filling[name] = value.clone()
        taken.add(value.data_ptr())
    module.load_state_dict(filling, assign=True)
    return module.eval()


def image_statistics(name: str, channels: int) -> dict[str, Tensor]:
    """Return the statistics of images in colour, under the names of a model's buffers."""
    values = IMAGENET if channels == 3 else {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    return {f"normalizers.{name}.{kind}": torch.tensor(value) for kind, value in values.items()}

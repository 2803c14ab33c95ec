"""Checkpoints: a directory of safetensors and JSON that is either complete or not there.

::

    runs/two_rooms/checkpoint/
        checkpoint.json        format, versions, git revision; dtype and shape of tensors; size and digest of files
        model.json             the configuration (with the Spec) and the statistics of the model
        model.safetensors      its weights
        training.json          further parts, such as the state of a training
        training.safetensors

Nothing is pickled and nothing in a checkpoint names code to run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tacit._config import from_json, to_json
from tacit.checkpoint._directory import (
    Part,
    compare,
    exists,
    provenance,
    read_config,
    read_manifest,
    read_part,
    shapes,
    write,
)
from tacit.errors import CheckpointError, ConfigError
from tacit.models.world_model import WorldModel, WorldModelConfig

__all__ = ["Checkpoint", "Part", "exists", "load", "load_model", "provenance", "restore", "save"]


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        path: The directory that it was read from.
        provenance: The versions and the git revision that wrote it.
        parts: By name; ``model`` is always among those saved.
    """

    path: Path
    provenance: Mapping[str, Any]
    parts: Mapping[str, Part]


def save(path: str | Path, model: WorldModel, parts: Mapping[str, Part] | None = None) -> None:
    """Write a checkpoint of a model, atomically: a reader finds the old one or the new one, whole.

    Args:
        path: The directory to make, or the checkpoint to replace.
        model: The model.
        parts: What else to keep beside it, by name.

    Raises:
        CheckpointError: if ``path`` holds anything but a checkpoint, which is left alone.
    """
    path = Path(path)
    described = {"config": to_json(model.config), "statistics": to_json(model.statistics)}
    write(path, {"model": Part(described, model.state_dict()), **(parts or {})})


def load(path: str | Path, names: Collection[str] | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: A checkpoint, or the directory of a run, which holds one.
        names: The parts to read, all by default.

    Raises:
        CheckpointError: if it is missing, incomplete, damaged or of another format, or lacks one of ``names``.
    """
    path, manifest = read_manifest(path)
    parts = {name: read_part(path, name, manifest) for name in (manifest.parts if names is None else names)}
    return Checkpoint(path, manifest.provenance, parts)


def load_model(path: str | Path, device: str | torch.device = "cpu") -> WorldModel:
    """The model of a checkpoint, in evaluation mode.

    Args:
        path: A checkpoint, or the directory of a run, which holds one.
        device: Where the model is to compute.

    Raises:
        CheckpointError: if the checkpoint is missing, incomplete or damaged, or its tensors do not fit its config.
    """
    path, manifest = read_manifest(path)
    try:
        described = read_config(path, "model", manifest)
        config = from_json(WorldModelConfig, described.get("config", {}), f"{path / 'model.json'}: config")
    except ConfigError as error:
        raise CheckpointError(f"{error} The checkpoint is damaged or of another version of Tacit.") from error
    # Names and shapes are compared on a model without memory, before any is allocated or drawn at random.
    with _Undrawn(), torch.device("meta"):
        model = WorldModel(config)
    state = model.state_dict()
    compare(shapes(state), manifest.part(path, "model").tensors, str(path))
    tensors = read_part(path, "model", manifest).tensors
    # Copied into memory laid out as the model wants it: channels last is faster, and rounds differently.
    laid_out = {name: torch.empty_like(value, device="cpu").copy_(tensors[name]) for name, value in state.items()}
    model.load_state_dict(laid_out, assign=True)
    return model.to(device).eval()


def restore(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Copy tensors into a module; all of them must fit before any is copied.

    Args:
        module: Its ``state_dict()`` names what is expected.
        tensors: By name.
        where: What errors call the place that the tensors come from.

    Raises:
        CheckpointError: on unknown or missing names, another shape or another dtype, listing them.
    """
    state = module.state_dict()
    compare(shapes(state), shapes(tensors), where)
    with torch.no_grad():
        for name, value in state.items():
            value.copy_(tensors[name])


class _Undrawn(TorchFunctionMode):
    """Leaves out drawing the initial weights, which on the meta device would load torch's compiler for nothing."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func.__name__ in vars(nn.init):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))

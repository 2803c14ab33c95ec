"""Checkpoints: a directory of safetensors and JSON that is either complete or absent.

::

    runs/two_rooms/checkpoint/
        checkpoint.json        format, versions, git revision; dtype and shape of tensors; size and digest of files
        model.json             the kind of the model, its configuration (with the Spec) and the statistics of the model
        model.safetensors      its weights
        training.json          further parts, such as the state of a training
        training.safetensors

Nothing is pickled and nothing in a checkpoint names code to run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, overload

import torch
from torch import Tensor, nn

from tacit import models
from tacit._config import from_json, to_json
from tacit._files import resolve
from tacit._version_0_1 import current
from tacit.checkpoint._directory import (
    Manifest,
    Part,
    compare,
    exists,
    provenance,
    read_config,
    read_part,
    read_whole,
    shapes,
    write,
)
from tacit.checkpoint._shell import shell
from tacit.checkpoint._similarity import differences, learned_tensors
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.models import Model, PerceptionModel, WorldModel

__all__ = [
    "Checkpoint",
    "Part",
    "exists",
    "fill",
    "kind_of",
    "load",
    "load_model",
    "provenance",
    "restore",
    "save",
    "start_from",
]


@dataclass(frozen=True)
class Checkpoint:
    """Content of a checkpoint.

    Attributes:
        path: The directory that it was read from.
        provenance: The versions and the git revision that wrote it.
        parts: By name; ``model`` is always among those saved.
    """

    path: Path
    provenance: Mapping[str, Any]
    parts: Mapping[str, Part]


def save(path: str | Path, model: Model, parts: Mapping[str, Part] | None = None) -> None:
    """Write a checkpoint of a model atomically. A reader finds the old one or the new one, whole.

    Args:
        path: The directory to make, or the checkpoint to replace.
        model: The model.
        parts: Further parts to keep next to it, by name.

    Raises:
        CheckpointError: if ``path`` holds anything but a checkpoint, which is left alone, or ``model`` is no model.
    """
    path = resolve(path)
    if not isinstance(model, Model):
        raise CheckpointError(
            f"a checkpoint holds a model of tacit.models and its configuration; got a {type(model).__name__}. Save "
            "a single network with safetensors.torch.save_model."
        )
    described = {"model": kind_of(model), "config": to_json(model.config), "statistics": to_json(model.statistics)}
    write(path, {"model": Part(described, model.state_dict()), **(parts or {})})


def load(path: str | Path, names: Collection[str] | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: A checkpoint, or the directory of a run, which holds one.
        names: The parts to read, all by default.

    Raises:
        CheckpointError: if it is missing, incomplete, damaged or of another format, or lacks one of ``names``.
    """

    def read(place: Path, manifest: Manifest) -> Checkpoint:
        parts = {name: read_part(place, name, manifest) for name in (manifest.parts if names is None else names)}
        return Checkpoint(place, manifest.provenance, parts)

    return read_whole(path, read)


Kind = TypeVar("Kind", bound=Model)
Module = TypeVar("Module", bound=nn.Module)


Modules: TypeAlias = Mapping[str, nn.Module]


@overload
def load_model(
    path: str | Path, device: str | torch.device = "cpu", *, modules: Modules | None = None
) -> WorldModel: ...


@overload
def load_model(
    path: str | Path, device: str | torch.device = "cpu", *, kind: type[Kind], modules: Modules | None = None
) -> Kind: ...


def load_model(
    path: str | Path,
    device: str | torch.device = "cpu",
    *,
    kind: type[Model] = WorldModel,
    modules: Modules | None = None,
) -> Model:
    """Load the model of a checkpoint, in evaluation mode.

    Args:
        path: A checkpoint, or the directory of a run, which holds one.
        device: Where the model is to compute.
        kind: The expected class: a world model, or another class of :mod:`tacit.models`; ``Model`` for any.
        modules: Modules of your own in a world model, by place: ``predictor`` or ``encoders.NAME``. They become
            part of the model and get the saved weights.

    Raises:
        CheckpointError: if the checkpoint is missing, incomplete or damaged, its tensors do not fit its config or
            ``modules``, it has modules that are not given, or it holds another kind of model.
    """
    return read_whole(path, lambda place, manifest: _model_in(place, manifest, kind, modules)).to(device).eval()


def load_with_model(
    path: str | Path, device: str | torch.device, kind: type[Kind], modules: Modules | None = None
) -> tuple[Kind, Checkpoint]:
    """Load the model and all other parts of a checkpoint from one save. The model is as :func:`load_model` gives it.

    Args:
        path: A checkpoint, or the directory of a run, which holds one.
        device: Where the model is to compute.
        kind: The class of the model.
        modules: The user's modules in it, as for :func:`load_model`.

    Raises:
        CheckpointError: as :func:`load_model` and :func:`load`.
    """

    def read(place: Path, manifest: Manifest) -> tuple[Kind, Checkpoint]:
        parts = {name: read_part(place, name, manifest) for name in manifest.parts if name != "model"}
        return _model_in(place, manifest, kind, modules), Checkpoint(place, manifest.provenance, parts)

    model, others = read_whole(path, read)
    return model.to(device).eval(), others


def _model_in(path: Path, manifest: Manifest, kind: type[Kind], modules: Modules | None) -> Kind:
    """Return the model of the checkpoint in a directory."""
    try:
        described = read_config(path, "model", manifest)
        found = models.load(str(described.get("model")))
        if not issubclass(found, kind):
            raise CheckpointError(f"{path} holds a {found.__name__}; expected a {kind.__name__}.{_hint(found, kind)}")
        options = described.get("config", {})
        if isinstance(options, Mapping):
            options = current(str(described.get("model")), options)
        config = from_json(found.configuration, options, f"{path / 'model.json'}: config")
    except (ConfigError, SpecError) as error:
        raise CheckpointError(f"{error} The checkpoint is damaged or of another version of Tacit.") from error
    if modules and found is not WorldModel:
        raise CheckpointError(f"{path} holds a {found.__name__}, which takes no modules; got {', '.join(modules)}.")
    given = (modules,) if modules else ()
    # Names and shapes are compared on a model without memory, before any is allocated or drawn at random.
    expected = manifest.part(path, "model").tensors
    model: Kind = shell(lambda: found(config, *given), len(expected), str(path / "model.json"))
    compare(shapes(model.state_dict()), expected, str(path))
    return _filled(model, read_part(path, "model", manifest).tensors)


def fill(build: Callable[[], Module], tensors: Mapping[str, Tensor], where: str) -> Module:
    """Return a module with the tensors of a file. Names and shapes are compared before memory is taken.

    Args:
        build: Makes the module, from options that a file gave.
        tensors: By name.
        where: The source of options and tensors, as errors name it.

    Raises:
        CheckpointError: if the module cannot be built, or has other tensors.
    """
    module = shell(build, len(tensors), where)
    compare(shapes(module.state_dict()), shapes(tensors), where)
    return _filled(module, tensors)


def _filled(module: Module, tensors: Mapping[str, Tensor]) -> Module:
    """Return the module of a shell with tensors that were compared."""
    # Copied into memory laid out as the module wants it: channels last is faster, and rounds differently.
    state = module.state_dict()
    laid_out = {name: torch.empty_like(value, device="cpu").copy_(tensors[name]) for name, value in state.items()}
    module.load_state_dict(laid_out, assign=True)
    return module


def start_from(model: Model, path: str | Path) -> None:
    """Copy the weights of a similar model. That model may have been made for longer windows or larger images.

    Parameters and statistics are copied, those of inputs and the running ones of normalisation alike; tables that only
    depend on the size of the input stay. Options that change what the weights mean, such as heads and positions, have
    to be the same; those of input and training may differ.

    Args:
        model: The model to change.
        path: The checkpoint, or the run, to take them from.

    Raises:
        CheckpointError: if an option that matters is another one, or a parameter or a statistic is missing, unknown
            or of another shape.
    """
    other = load_model(path, kind=type(model))
    different = list(differences(model.config, other.config))
    if different:
        raise CheckpointError(
            f"the weights of {path} are of another model: {'; '.join(different)}. Build the model with the options of "
            "the checkpoint; only those of input and training, such as frames and side, may differ."
        )
    mine, theirs = learned_tensors(model), learned_tensors(other)
    compare(shapes(mine), shapes(theirs), str(path))
    with torch.no_grad():
        for name, value in mine.items():
            value.copy_(theirs[name])


def _hint(found: type[Model], kind: type[Model]) -> str:
    """Return advice for a model of another kind than expected."""
    if issubclass(found, PerceptionModel) and issubclass(kind, PerceptionModel):
        return " Take a run of the same kind of model."
    if issubclass(kind, PerceptionModel):
        return " A perception model is needed, such as that of a run of vjepa2, ijepa or lejepa."
    if issubclass(found, PerceptionModel):
        return " It is a perception model: load it with kind=tc.models.PerceptionModel."
    return ""


def kind_of(model: Model) -> str:
    """Return the name under which :mod:`tacit.models` has a model's class."""
    return type(model).__module__.rpartition(".")[2]


def restore(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Copy tensors into a module; all of them must fit before any is copied.

    Args:
        module: Its ``state_dict()`` names what is expected.
        tensors: By name.
        where: The source of the tensors, as errors name it.

    Raises:
        CheckpointError: on unknown or missing names, another shape or another dtype, listing them.
    """
    state = module.state_dict()
    compare(shapes(state), shapes(tensors), where)
    with torch.no_grad():
        for name, value in state.items():
            value.copy_(tensors[name])

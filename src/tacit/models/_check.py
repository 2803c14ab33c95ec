"""Input validation for world models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Protocol

import torch
from torch import Tensor

from tacit._limits import DEPTH, LENGTH, WIDTH, limited
from tacit.errors import ConfigError, SpecError
from tacit.models._source import as_tensor, source_hint
from tacit.types import Array, Spec

__all__ = ["DynamicsConfig", "ModelConfig", "batched", "check_actions", "check_sizes"]

STEPS = {"frames", "frameskip", "history", "tubelet"}


def check_sizes(config: Any) -> None:
    """Check that no number in a model's configuration is negative or too large to build.

    Raises:
        ConfigError: if one is, with the option and the limit.
    """
    owner = type(config).__name__
    for name in (field.name for field in fields(config)):
        value = vars(config)[name]
        limit = DEPTH if "depth" in name else LENGTH if name in STEPS else WIDTH
        for number in value if isinstance(value, tuple) else (value,):
            if not isinstance(number, (int, float)):
                continue
            if not number >= 0:  # NaN is not either
                raise ConfigError(f"{owner} takes {name} of at least 0; got {number}.")
            limited(owner, limit, **{name: number})
        if isinstance(value, tuple):
            limited(owner, DEPTH, **{f"the number of {name}": len(value)})


class ModelConfig(Protocol):
    """Configuration of a model that reads observations."""

    @property
    def spec(self) -> Spec:
        """Return the Spec of the world."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the modalities that the model reads."""

    @property
    def frameskip(self) -> int:
        """Return the steps of the world in one step of the model."""


class DynamicsConfig(ModelConfig, Protocol):
    """Configuration of a world model."""

    @property
    def latent(self) -> int:
        """Return the size of a latent."""

    @property
    def action_size(self) -> int:
        """Return the size of an action block."""


def batched(
    config: ModelConfig, observation: Mapping[str, Tensor | Array], device: torch.device
) -> tuple[list[Tensor], tuple[int, ...]]:
    """Return each modality as a batch ``[N, ...]`` on the device, and the leading axes of ``N``.

    Raises:
        SpecError: if a modality is missing or its shape or dtype does not fit the Spec.
    """
    values, leading = [], None
    for name in config.inputs:
        if name not in observation:
            raise SpecError(
                f"the model reads {', '.join(config.inputs)}; the observation has {', '.join(observation)}, not "
                f"{name!r}."
            )
        value, axes = _checked(config, name, observation[name])
        if leading is not None and value.shape[:-axes] != leading:
            raise SpecError(
                f"all modalities share their leading axes; {name!r} has {list(value.shape[:-axes])}, "
                f"{config.inputs[0]!r} has {list(leading)}."
            )
        leading = value.shape[:-axes]
        value = value.flatten(0, len(leading) - 1).to(device, non_blocking=True)
        values.append(value if value.dtype == torch.uint8 else value.float())
    return values, tuple(leading or ())


def check_actions(config: DynamicsConfig, latents: Tensor, actions: Tensor, axes: str) -> None:
    """Check that latents are ``[B, T, D]`` and actions are blocks ``[B, axes, A']``."""
    if latents.ndim != 3 or latents.shape[-1] != config.latent:
        raise SpecError(f"latents must have shape [B, T, {config.latent}]; got {list(latents.shape)}.")
    fits = actions.ndim == 3 + axes.count(",") and actions.shape[-1] == config.action_size
    if not fits or len(actions) != len(latents):
        raise SpecError(
            f"actions must have shape [{len(latents)}, {axes}, {config.action_size}], blocks of {config.frameskip} "
            f"raw actions of {config.spec.action.size}; got {list(actions.shape)}."
        )


def _checked(config: ModelConfig, name: str, value: Tensor | Array) -> tuple[Tensor, int]:
    """Return the value as a tensor, and its number of axes per step."""
    modality = config.spec.modalities[name]
    tensor = as_tensor(value, modality)
    shape = modality.shape
    if modality.kind == "series":
        shape = (config.spec.samples(name, config.frameskip), *shape)
    if tensor.ndim == len(shape) or tuple(tensor.shape[-len(shape) :]) != shape:
        axes = ", ".join(map(str, shape))
        hint = " Add a batch axis: value[None]." if tuple(tensor.shape) == shape else source_hint(modality)
        if modality.kind == "series" and not hint:
            hint = f" Give the last {shape[0]} samples of the series, those of one step of the model."
        raise SpecError(
            f"{name!r} must have shape [B, {axes}] or [B, T, {axes}]; got {list(tensor.shape)}.{hint}", code="T09"
        )
    if modality.kind == "pixels" and tensor.dtype != torch.uint8:
        raise SpecError(f"{name!r} must be uint8 in 0..255, which the model normalises itself; got {tensor.dtype}.")
    if modality.kind != "pixels" and not tensor.is_floating_point():
        raise SpecError(f"{name!r} must be floating point; got {tensor.dtype}.")
    return tensor, len(shape)

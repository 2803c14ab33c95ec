"""Input of single-modality models, as one array with channels first."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from tacit._registry import suggest
from tacit.errors import ConfigError, SpecError
from tacit.models._source import as_tensor
from tacit.types import Array, Box, Modality, Spec

__all__ = ["channels_first", "check_pose", "default_modality", "grid_size"]

EVEN, MOST = 1e-6, 1000
"""Integer tolerance; limit of the frameskips that are tried for the advice in errors."""


def default_modality(spec: Spec, name: str) -> str:
    """Return the modality to read: the named one, the first camera, or the first of all.

    Raises:
        ConfigError: if the Spec has no modality of that name.
    """
    if name and name not in spec.modalities:
        raise ConfigError(f"the Spec has no modality {name!r}; it has {', '.join(spec.modalities)}.")
    return name or (spec.cameras or tuple(spec.modalities))[0]


def grid_size(spec: Spec, name: str, frames: int, frameskip: int, side: int) -> tuple[int, ...]:
    """Return the extent of the axes that are cut into patches: ``(H, W)``, ``(T, H, W)`` or ``(R,)``.

    Args:
        spec: Observations of the world.
        name: The modality.
        frames: Observations in a window.
        frameskip: Steps from one to the next.
        side: Height and width of the input images, if not those of the Spec.

    Raises:
        ConfigError: if observations of a series would overlap in a window, which is read as one uniform signal.
    """
    modality = spec.modalities[name]
    if modality.kind == "pixels":
        image = (side, side) if side else modality.shape[1:]
        return image if frames == 1 else (frames, *image)
    if modality.kind == "vector":
        return (frames,)
    if frames > 1:
        _check_even(spec, name, frameskip)
    return (frames * spec.samples(name, frameskip),)


def _check_even(spec: Spec, name: str, frameskip: int) -> None:
    """Check that all observations of a series have equally many samples, without gap or overlap."""
    rate = spec.modalities[name].rate or spec.fps
    if abs(frameskip * rate / spec.fps - round(frameskip * rate / spec.fps)) < EVEN:
        return
    fitting = [skip for skip in range(1, MOST) if abs(skip * rate / spec.fps - round(skip * rate / spec.fps)) < EVEN]
    fits = min(fitting, key=lambda skip: abs(skip - frameskip), default=0)
    advice = f"frameskip={fits} fits" if fits else "No frameskip fits; read the signal at another fps"
    raise ConfigError(
        f"a window of {name!r} is read as one even signal, so that its observations must have a whole number of "
        f"samples each; a rate of {rate:g} at {spec.fps:g} steps a second makes {frameskip * rate / spec.fps:g} with "
        f"frameskip={frameskip}. {advice}, or take frames=1."
    )


def channels_first(
    observation: Mapping[str, Tensor | Array], name: str, modality: Modality, frames: int, device: torch.device
) -> Tensor:
    """Return one modality as ``[B, C, H, W]``, ``[B, C, T, H, W]`` or ``[B, C, R]`` on the device.

    The dtype is uint8 or float32.

    Args:
        observation: ``[B, frames, ...]`` per modality, or ``[B, ...]`` where a window is one observation.
        name: The modality.
        modality: Its kind and shape; images may have another height and width.
        frames: Observations in a window.
        device: Device of the model.

    Raises:
        SpecError: if the modality is missing or its shape or dtype does not fit.
    """
    if name not in observation:
        raise SpecError(f"the model reads {name!r}; the observation has {', '.join(observation)}.")
    value = observation[name]
    tensor = as_tensor(value, modality)
    axes = {"pixels": 3, "series": 2, "vector": 1}[modality.kind]
    if frames == 1 and tensor.ndim == axes + 1:
        tensor = tensor.unsqueeze(1)
    channels = tensor.shape[-3] if modality.kind == "pixels" else tensor.shape[-1]
    if tensor.ndim != axes + 2 or tensor.shape[1] != frames or channels != modality.shape[0]:
        shape = {"pixels": f"{modality.shape[0]}, H, W", "series": f"R, {modality.shape[0]}"}.get(
            modality.kind, str(modality.shape[0])
        )
        raise SpecError(
            f"{name!r} must have shape [B, {frames}, {shape}], windows of {frames} observation(s); got "
            f"{list(tensor.shape)}."
        )
    if not (tensor.is_floating_point() or (modality.kind == "pixels" and tensor.dtype == torch.uint8)):
        raise SpecError(f"{name!r} must be floating point, or uint8 if it is pixels; got {tensor.dtype}.")
    tensor = tensor.to(device, non_blocking=True)
    if modality.kind == "pixels":
        return tensor[:, 0] if frames == 1 else tensor.transpose(1, 2)
    flat = tensor if modality.kind == "vector" else tensor.flatten(1, 2)
    return flat.transpose(1, 2).float()


def check_pose(spec: Spec, name: str) -> None:
    """Check that actions can be added to a pose.

    Raises:
        ConfigError: if they cannot, with the name of the pose.
    """
    if name not in spec.modalities:
        raise ConfigError(f"there is no {name!r} to be the pose.{suggest(name, spec.modalities)}")
    modality, action = spec.modalities[name], spec.action
    if modality.kind != "vector" or not isinstance(action, Box) or modality.shape != (action.size,):
        raise ConfigError(
            f"a pose is a vector of as many components as a continuous action, which every action adds to; {name!r} is "
            f"{modality.kind} of shape {modality.shape}, and an action has {action.size}."
        )

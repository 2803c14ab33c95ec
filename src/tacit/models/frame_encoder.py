"""Frozen encoder of a world model, to write the tokens of frames to disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.errors import SpecError
from tacit.models._check import batched
from tacit.models._input import default_modality
from tacit.models._perception import PerceptionConfig, PerceptionModel
from tacit.models._pretrained import PretrainedEncoder, check_input
from tacit.types import Array, Spec

__all__ = ["FrameEncoder", "FrameEncoderConfig"]


@dataclass(frozen=True)
class FrameEncoderConfig:
    """Configuration of a :class:`FrameEncoder`.

    Args:
        spec: Observations of the world.
        perception: The configuration of the perception model that provides the encoder.
        modality: The camera; by default the first one.

    Raises:
        ConfigError: if the camera's images do not fit the encoder.
    """

    spec: Spec
    perception: PerceptionConfig
    modality: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "modality", default_modality(self.spec, self.modality))
        check_input(self.perception, self.spec.modalities[self.modality], self.modality)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the modality that the encoder reads."""
        return (self.modality,)

    @property
    def frameskip(self) -> int:
        """Return the steps between observations: 1, as every frame is encoded independently."""
        return 1

    @property
    def grid(self) -> tuple[int, int]:
        """Return the tokens of a frame, down and across."""
        height, width = self.spec.modalities[self.modality].shape[1:]
        return height // self.perception.patch, width // self.perception.patch

    def check_tokens(self, tokens: Tensor) -> None:
        """Check that tokens of clips are ``[B, T, n, D]``, with the encoder's ``n`` and ``D``.

        Raises:
            SpecError: if they have another shape; the message has the expected one.
        """
        expected = (math.prod(self.grid), self.perception.width)
        if tokens.ndim != 4 or tokens.shape[2:] != expected:
            raise SpecError(
                f"latents of a clip must have shape [B, T, {expected[0]}, {expected[1]}]; got {list(tokens.shape)}."
            )


class FrameEncoder(nn.Module):
    """Frozen encoder of single frames, with the tokens that :class:`ActionConditioned` reads.

    Args:
        config: Configuration of the encoder.
        encoder: The encoder; a new and untrained one by default.
    """

    def __init__(self, config: FrameEncoderConfig, encoder: PretrainedEncoder | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = PretrainedEncoder(config.perception) if encoder is None else encoder

    @classmethod
    def of(cls, perception: PerceptionModel, spec: Spec, modality: str = "") -> FrameEncoder:
        """Return the encoder of a trained perception model, for the observations of a dataset.

        Raises:
            ConfigError: if the camera's images do not fit the encoder.
        """
        encoder = cls(FrameEncoderConfig(spec, perception.config, modality))
        encoder.encoder.load_from(perception)
        return encoder.to(perception.device).eval()

    @property
    def device(self) -> torch.device:
        """Return the device of the encoder."""
        return self.encoder.mean.device

    def encode(self, observation: Mapping[str, Tensor | Array], tokens: bool = False) -> Tensor:
        """Return latents of images with leading axes ``[B]`` or ``[B, T]``.

        Args:
            observation: The camera, uint8 ``[..., C, H, W]``.
            tokens: All tokens of a frame, ``[..., n, D]``, instead of their mean, ``[..., D]``.

        Raises:
            SpecError: if the camera is missing or its shape or dtype does not fit the Spec.
        """
        (images,), leading = batched(self.config, observation, self.device)
        latents: Tensor = self.encoder(images)
        latents = latents.reshape(*leading, *latents.shape[1:])
        return latents if tokens else latents.mean(dim=-2)

"""The frozen encoder of a world model alone: what it makes of single frames, to be written to disk once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tacit.errors import SpecError
from tacit.models._check import batched
from tacit.models._eye import Eye, Perception, check_camera
from tacit.models._input import chosen
from tacit.models._model import PerceptionModel
from tacit.types import Array, Spec

__all__ = ["FrameEncoder", "FrameEncoderConfig"]


@dataclass(frozen=True)
class FrameEncoderConfig:
    """What a :class:`FrameEncoder` is made of.

    Args:
        spec: What the world shows.
        perception: The configuration of the perception model whose encoder it is.
        modality: The camera; the first where not named.

    Raises:
        ConfigError: if the camera does not show what the encoder sees.
    """

    spec: Spec
    perception: Perception
    modality: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "modality", chosen(self.spec, self.modality))
        check_camera(self.spec, self.modality, self.perception)

    @property
    def seen(self) -> tuple[str, ...]:
        """The modality that it sees."""
        return (self.modality,)

    @property
    def frameskip(self) -> int:
        """Steps from one observation to the next: every frame is seen by itself."""
        return 1

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens of a frame, down and across."""
        height, width = self.spec.modalities[self.modality].shape[1:]
        return height // self.perception.patch, width // self.perception.patch

    def check_tokens(self, tokens: Tensor) -> None:
        """Refuse tokens of clips that are not ``[B, T, n, D]``, as many and as wide as the encoder makes them.

        Raises:
            SpecError: saying what was expected.
        """
        expected = (math.prod(self.grid), self.perception.width)
        if tokens.ndim != 4 or tokens.shape[2:] != expected:
            raise SpecError(
                f"latents of a clip must have shape [B, T, {expected[0]}, {expected[1]}]; got {list(tokens.shape)}."
            )


class FrameEncoder(nn.Module):
    """Every frame by itself to the tokens that :class:`ActionConditioned` sees with the same encoder, frozen.

    Args:
        config: What to build.
        eye: The encoder, if it is not to be a new and untrained one.
    """

    def __init__(self, config: FrameEncoderConfig, eye: Eye | None = None) -> None:
        super().__init__()
        self.config = config
        self.encoder = Eye(config.perception) if eye is None else eye

    @classmethod
    def of(cls, perception: PerceptionModel, spec: Spec, modality: str = "") -> FrameEncoder:
        """The encoder of a trained perception model, for what a dataset shows.

        Raises:
            ConfigError: if the camera does not show what the encoder sees.
        """
        made = cls(FrameEncoderConfig(spec, perception.config, modality))
        made.encoder.adopt(perception)
        return made.to(perception.device).eval()

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.encoder.mean.device

    def encode(self, observation: Mapping[str, Tensor | Array], tokens: bool = False) -> Tensor:
        """Latents of pictures with leading axes ``[B]`` or ``[B, T]``.

        Args:
            observation: The camera, uint8 ``[..., C, H, W]``.
            tokens: All tokens of a frame, ``[..., n, D]``, instead of their mean, ``[..., D]``.

        Raises:
            SpecError: if the camera is missing or its shape or dtype does not fit the Spec.
        """
        (pictures,), leading = batched(self.config, observation, self.device)
        found: Tensor = self.encoder(pictures)
        found = found.reshape(*leading, *found.shape[1:])
        return found if tokens else found.mean(dim=-2)

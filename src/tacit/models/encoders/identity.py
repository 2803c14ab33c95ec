"""Normalised vector as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from tacit.models.encoders._encoder import EncoderConfig
from tacit.nn.encoders import Encoder

__all__ = ["Identity"]


@dataclass(frozen=True)
class Identity(EncoderConfig):
    """Normalised vector as it is, without a parameter."""

    kinds: ClassVar[tuple[str, ...]] = ("vector",)

    def build(self, shape: tuple[int, ...]) -> IdentityEncoder:
        """Return a new encoder; see :meth:`EncoderConfig.build`."""
        return IdentityEncoder(shape[0])


class IdentityEncoder(Encoder):
    """Network of :class:`Identity`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.features = size

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Normalise ``[N, size]`` by its statistics ``[size]``."""
        return (x - mean) / std

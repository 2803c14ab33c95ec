"""Perceptron with one hidden layer as an encoder of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor
from torch.nn import functional as F

from tacit.models.encoders._encoder import EncoderConfig
from tacit.nn import mlp
from tacit.nn.encoders import Encoder

__all__ = ["MLP"]


@dataclass(frozen=True)
class MLP(EncoderConfig):
    """MLP with one hidden layer on a normalised vector.

    Args:
        features: Width of the hidden layer, and size of the output.
    """

    kinds: ClassVar[tuple[str, ...]] = ("vector",)
    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {"small": {"features": 512}}
    features: int = 256

    def build(self, shape: tuple[int, ...]) -> VectorEncoder:
        """Return a new encoder; see :meth:`EncoderConfig.build`."""
        return VectorEncoder(shape[0], self.features)


class VectorEncoder(Encoder):
    """Network of :class:`MLP`."""

    def __init__(self, size: int, features: int) -> None:
        super().__init__()
        self.features = features
        self.net = mlp.MLP(size, (features,), features)

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Encode ``[N, size]`` with its statistics ``[size]`` to ``[N, features]``."""
        return F.gelu(self.net((x - mean) / std))

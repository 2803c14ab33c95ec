"""Encoder of a trained perception model as an encoder of a world model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from torch import Tensor, nn

from tacit._config import registered
from tacit.errors import ConfigError
from tacit.models._perception import PerceptionConfig
from tacit.models._pretrained import PretrainedEncoder, Tune, check_input, check_tune
from tacit.models.encoders._encoder import EncoderConfig
from tacit.nn.encoders import Encoder
from tacit.types import Modality

__all__ = ["Pretrained"]

Pool: TypeAlias = Literal["flat", "mean"]


@dataclass(frozen=True)
class Pretrained(EncoderConfig):
    """Encoder of a trained perception model, whose weights :meth:`tacit.models.WorldModel.load_from` copies.

    Args:
        perception: The configuration of the perception model.
        pool: Reduction of the encoder's tokens: all of them concatenated (``flat``), or their ``mean``, which has less
            information about positions.
        tune: Trained part: ``frozen`` (none), the ``last`` blocks, low-rank additions (``lora``) or ``all``.
        last: Number of blocks, with ``last``.
        rank: Rank of the additions, with ``lora``.

    Raises:
        ConfigError: if an option is out of range or has no effect.
    """

    perception: PerceptionConfig = field(metadata=registered("tacit.models", "configuration"))
    pool: Pool = "flat"
    tune: Tune = "frozen"
    last: int = 1
    rank: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_tune(self.tune, self.last, self.rank)
        if self.pool not in ("mean", "flat"):
            raise ConfigError(f"pool is 'flat' or 'mean'; got {self.pool!r}.")

    def build(self, shape: tuple[int, ...]) -> PooledEncoder:
        """Return a new encoder; see :meth:`EncoderConfig.build`."""
        check_input(self.perception, Modality("pixels", shape), "the camera")
        tokens = math.prod(side // self.perception.patch for side in shape[1:])
        encoder = PretrainedEncoder(self.perception, self.tune, self.last, self.rank)
        return PooledEncoder(encoder, tokens, self.pool)


class PooledEncoder(Encoder):
    """Pretrained encoder with one feature vector per image.

    The features are standardised without learned scales (BatchNorm), as MAE (arXiv 2111.06377) reads frozen ones: the
    differences between the tokens of two images are small next to their common part.

    Args:
        encoder: The encoder.
        tokens: Tokens of an image.
        pool: All tokens concatenated (``flat``), or their ``mean``.
    """

    def __init__(self, encoder: PretrainedEncoder, tokens: int, pool: Pool) -> None:
        super().__init__()
        self.eye, self.pool = encoder, pool  # files name its weights by this attribute
        self.features = encoder.width * (tokens if pool == "flat" else 1)
        self.norm = nn.BatchNorm1d(self.features, affine=False)

    def forward(self, x: Tensor, mean: Tensor, std: Tensor) -> Tensor:  # noqa: ARG002
        """Encode ``[N, C, H, W]`` to ``[N, D]``; ignore ``mean`` and ``std``, as the encoder has its own statistics."""
        return self.pooled(self.eye(x))

    def pooled(self, tokens: Tensor) -> Tensor:
        """Pool tokens ``[N, n, D']`` of the encoder to ``[N, D]``."""
        out: Tensor = self.norm(tokens.mean(dim=1) if self.pool == "mean" else tokens.flatten(1))
        return out

"""Base class of the configurations of predictors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tacit.models._check import check_sizes
from tacit.nn.predictors import Predictor

__all__ = ["PredictorConfig"]


@dataclass(frozen=True)
class PredictorConfig:
    """Base class of the configuration of a predictor: a frozen dataclass of plain values.

    Attributes:
        sizes: Options by size of the world model, where they differ from the defaults.
    """

    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __post_init__(self) -> None:
        check_sizes(self)

    def build(self, latent: int, action: int) -> Predictor:
        """Return a new predictor of latents of size ``latent`` under action latents of size ``action``."""
        raise NotImplementedError

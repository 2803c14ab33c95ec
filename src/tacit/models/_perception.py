"""Base classes of perception models and of their configurations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from torch import Tensor

from tacit._config import WEIGHTLESS
from tacit.models._check import check_sizes
from tacit.models._input import default_modality
from tacit.models._model import Model, preset, seeded
from tacit.nn.encoders import ImageEncoder
from tacit.types import Array, Spec

__all__ = ["PerceptionConfig", "PerceptionModel"]


@dataclass(frozen=True)
class PerceptionConfig:
    """Base class of the configurations of perception models.

    Args:
        spec: Observations of the world.
        modality: The modality that the model reads; by default the first camera, or else the first of all.

    Raises:
        ConfigError: if the Spec has no such modality, or a size is out of range.
    """

    spec: Spec = field(metadata=WEIGHTLESS)
    modality: str = field(default="", metadata=WEIGHTLESS)

    def __post_init__(self) -> None:
        check_sizes(self)
        object.__setattr__(self, "modality", default_modality(self.spec, self.modality))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the modality that the model reads."""
        return (self.modality,)

    @property
    def frameskip(self) -> int:
        """Return the steps from one observation of a window to the next; 1 where a window is one observation."""
        return 1

    @property
    def patch(self) -> int:
        """Return the side of a patch, or of a cell, of an image in pixels."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Return the size ``D`` of a token."""
        raise NotImplementedError

    def build(self) -> PerceptionModel:
        """Return a new model."""
        raise NotImplementedError


class PerceptionModel(Model):
    """Base class of models that encode one modality, without actions.

    A world model can encode its cameras with the trained encoder.

    ``encode(observation, tokens=True)`` gives ``[B, N, D]``, the tokens of each place.

    Args:
        config: Configuration of the model.

    Attributes:
        sizes: Options of its configuration by size.
    """

    sizes: ClassVar[Mapping[str, Mapping[str, Any]]]
    config: PerceptionConfig
    encoder: ImageEncoder

    def __init__(self, config: PerceptionConfig) -> None:
        super().__init__(config.spec, config.inputs, acts=False)
        self.config = config

    def encode(self, observation: Mapping[str, Tensor | Array], tokens: bool = False) -> Tensor:
        """Return latents of windows, ``[B, D]``, or the tokens of each place, ``[B, N, D]``."""
        raise NotImplementedError

    @classmethod
    def for_spec(cls, spec: Spec, size: str = "tiny", seed: int = 0, **overrides: Any) -> Self:
        """Build a model for the observations of a dataset.

        Args:
            spec: For example ``episodes.spec``.
            size: Size of the encoder; one of ``sizes``.
            seed: Seed of the weights.
            overrides: Any option of its configuration.

        Raises:
            ConfigError: for an unknown size or option, or values that do not fit together.
        """
        return seeded(cls, cls.configuration(spec, **preset(cls.configuration, cls.sizes, size, overrides)), seed)

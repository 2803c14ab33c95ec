"""Base class of the configurations of encoders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from tacit.models._check import check_sizes
from tacit.nn.encoders import Encoder
from tacit.types import Modality

__all__ = ["EncoderConfig"]


@dataclass(frozen=True)
class EncoderConfig:
    """Base class of the configuration of an encoder: a frozen dataclass of plain values.

    Attributes:
        kinds: Kinds of modality that the encoder reads: ``pixels``, ``series`` and ``vector``.
        sizes: Options by size of the world model, where they differ from the defaults.
    """

    kinds: ClassVar[tuple[str, ...]] = ("pixels",)
    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __post_init__(self) -> None:
        check_sizes(self)

    @classmethod
    def usual(cls, size: str, modality: Modality) -> Mapping[str, Any]:  # noqa: ARG003 - a subclass may use it
        """Return the options of a size of the world model, for a modality."""
        return cls.sizes.get(size, {})

    def build(self, shape: tuple[int, ...]) -> Encoder:
        """Return a new encoder.

        Args:
            shape: Shape of one value: ``(C, H, W)`` for pixels, ``(C, R)`` for the samples of a series in one step,
                ``(D,)`` for a vector.

        Raises:
            ConfigError: if the options do not fit the shape.
        """
        raise NotImplementedError

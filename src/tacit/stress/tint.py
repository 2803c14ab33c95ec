"""Color of the light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Tint"]


@dataclass(frozen=True)
class Tint(PixelChange[np.ndarray]):
    """Each color multiplied by a factor of its own, drawn in each episode.

    Args:
        spread: The factors are uniform in ``1 - spread`` to ``1 + spread``.

    Raises:
        ConfigError: unless it is in ``(0, 1]``.
    """

    LEVELS: ClassVar = ({"spread": 0.1}, {"spread": 0.2}, {"spread": 0.3}, {"spread": 0.45}, {"spread": 0.6})

    spread: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.spread <= 1:
            raise ConfigError(f"Tint needs 0 < spread <= 1; got {self}.")

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """See :class:`PixelChange`."""
        return generator.uniform(1 - self.spread, 1 + self.spread, 3).astype(np.float32)

    def apply(self, image: Images, drawn: np.ndarray, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del step, generator
        return np.asarray(image * drawn[: len(image), None, None])

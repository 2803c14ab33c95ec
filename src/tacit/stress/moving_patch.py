"""A thing that crosses the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange
from tacit.stress.occlusion import covered

__all__ = ["MovingPatch"]

PACE = 0.03
"""The largest change of its place in a step, as a share of its range."""


@dataclass(frozen=True)
class MovingPatch(PixelChange[tuple[np.ndarray, np.ndarray, np.ndarray]]):
    """A square of a random color that moves in straight lines and rebounds from the edges.

    Args:
        side: Its side, as a share of the height.

    Raises:
        ConfigError: unless it is in ``(0, 1)``.
    """

    LEVELS: ClassVar = ({"side": 0.1}, {"side": 0.15}, {"side": 0.2}, {"side": 0.25}, {"side": 0.3})

    side: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.side < 1:
            raise ConfigError(f"MovingPatch needs 0 < side < 1; got {self}.")

    def draw(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """See :class:`PixelChange`."""
        color = generator.uniform(0, 255, 3).astype(np.float32)
        return generator.uniform(0, 1, 2), generator.uniform(-PACE, PACE, 2), color

    def apply(
        self,
        image: Images,
        drawn: tuple[np.ndarray, np.ndarray, np.ndarray],
        step: int,
        generator: np.random.Generator,
    ) -> Images:
        """See :class:`PixelChange`."""
        del generator
        start, pace, color = drawn
        place = np.abs((start + step * pace + 1) % 2 - 1)  # reflected at 0 and 1
        return covered(image, place, self.side, color[: len(image)])

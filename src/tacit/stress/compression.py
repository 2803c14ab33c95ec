"""Images compressed for a transmission."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from PIL import Image

from tacit.errors import ConfigError
from tacit.stress._images import Images, PixelChange

__all__ = ["Compression"]


@dataclass(frozen=True)
class Compression(PixelChange[None]):
    """JPEG compression.

    Args:
        quality: The quality of the encoder, 1 to 95.

    Raises:
        ConfigError: if it is out of range.
    """

    LEVELS: ClassVar = ({"quality": 50}, {"quality": 30}, {"quality": 20}, {"quality": 10}, {"quality": 5})

    quality: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise ConfigError(f"Compression needs 1 <= quality <= 95; got {self}.")

    def apply(self, image: Images, drawn: None, step: int, generator: np.random.Generator) -> Images:
        """See :class:`PixelChange`."""
        del drawn, step, generator
        pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        color = len(pixels) == 3
        whole, buffer = Image.fromarray(pixels.transpose(1, 2, 0) if color else pixels[0]), io.BytesIO()
        whole.save(buffer, format="JPEG", quality=self.quality)
        found = np.asarray(Image.open(buffer), np.float32)
        return found.transpose(2, 0, 1) if color else found[None]

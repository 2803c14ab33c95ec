"""Views of published methods."""

from __future__ import annotations

from tacit.augmentation.blur import Blur
from tacit.augmentation.chain import Chain
from tacit.augmentation.color_jitter import ColorJitter
from tacit.augmentation.flip import Flip
from tacit.augmentation.grayscale import Grayscale
from tacit.augmentation.multi_crop import MultiCrop
from tacit.augmentation.solarize import Solarize
from tacit.augmentation.sometimes import Sometimes

__all__ = ["lejepa"]


def lejepa(
    size: tuple[int, int] = (224, 224), local: tuple[int, int] = (98, 98), counts: tuple[int, int] = (2, 6)
) -> MultiCrop:
    """Return LeJEPA's global and local views (arXiv 2511.08544), all with the same colour and light changes.

    Args:
        size: Height and width of the global views, 30 to 100 % of the image.
        local: Height and width of the local views, 5 to 30 % of the image.
        counts: Number of global and of local views.
    """
    photometric = Chain(
        (
            Flip(0.5),
            Sometimes(0.8, ColorJitter(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1)),
            Sometimes(0.2, Grayscale()),
            Sometimes(0.5, Blur(kernel=7, sigma=(0.1, 2.0))),
            Sometimes(0.2, Solarize(128.0)),
        )
    )
    return MultiCrop(counts, (size, local), ((0.3, 1.0), (0.05, 0.3)), photometric)

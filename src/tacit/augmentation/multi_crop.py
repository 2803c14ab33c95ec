"""Multi-crop: several views of each image, of several sizes."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Generator, Tensor

from tacit.augmentation._augmentation import Augmentation, as_videos, require
from tacit.augmentation._resample import Interpolation
from tacit.augmentation.chain import Chain
from tacit.augmentation.random_resized_crop import RandomResizedCrop

__all__ = ["MultiCrop"]


@dataclass(frozen=True)
class MultiCrop:
    """Crops of several sizes of each image, each augmented independently (SwAV, arXiv 2006.09882).

    Args:
        counts: Number of views of each size; by convention the first are the global ones.
        sizes: Height and width of each.
        scales: Range of the area of their crops, as a share of the image's.
        photometric: Augmentation of every view after it is cropped.
        aspect: Range of width over height of all crops.
        interpolation: ``bilinear`` or ``bicubic``.

    Raises:
        ConfigError: if an option is out of range.
    """

    counts: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    scales: tuple[tuple[float, float], ...]
    photometric: Augmentation = field(default_factory=Chain)
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        alike = len(self.counts) == len(self.sizes) == len(self.scales) >= 1
        require(alike, self, "one count, one size and one scale for each kind of view, and one kind at least")
        require(min(self.counts) >= 1, self, "counts of at least 1")
        require(isinstance(self.photometric, Augmentation), self, "photometric to be an augmentation")
        self.croppings()

    def croppings(self) -> tuple[RandomResizedCrop, ...]:
        """Return the crop of the views of each size."""
        kinds = zip(self.sizes, self.scales, strict=True)
        return tuple(RandomResizedCrop(size, scale, self.aspect, self.interpolation) for size, scale in kinds)

    def __call__(self, images: Tensor, generator: Generator | None = None) -> tuple[Tensor, ...]:
        """Return views ``[B, V, C, h, w]`` (videos: ``[B, V, T, C, h, w]``) for each size; float32 values.

        Args:
            images: Images ``[B, C, H, W]``, or videos ``[B, T, C, H, W]``, all frames of which are changed alike;
                uint8, or float32 values from 0 to 255.
            generator: The only source of randomness, on the CPU.

        Raises:
            SpecError: if the input has another shape or dtype, or does not fit the options.
            ConfigError: if the generator is missing or not on the CPU.
        """
        videos = as_videos(images)
        views = []
        for count, cropping in zip(self.counts, self.croppings(), strict=True):
            crops = cropping.crops(videos, count, generator)
            changed = self.photometric.apply(crops.flatten(0, 1), generator)
            changed = changed.view(*crops.shape[:2], *changed.shape[1:])
            views.append(changed.squeeze(2) if images.ndim == 4 else changed)
        return tuple(views)

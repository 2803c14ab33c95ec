"""Random image augmentations that preserve meaning; each file defines one augmentation."""

from typing import Any

from tacit.augmentation._augmentation import Augmentation as Augmentation
from tacit.augmentation._presets import lejepa as lejepa
from tacit.augmentation.blur import Blur as Blur
from tacit.augmentation.center_crop import CenterCrop as CenterCrop
from tacit.augmentation.chain import Chain as Chain
from tacit.augmentation.color_jitter import ColorJitter as ColorJitter
from tacit.augmentation.flip import Flip as Flip
from tacit.augmentation.grayscale import Grayscale as Grayscale
from tacit.augmentation.multi_crop import MultiCrop as MultiCrop
from tacit.augmentation.noise import Noise as Noise
from tacit.augmentation.one_of import OneOf as OneOf
from tacit.augmentation.overlay import Overlay as Overlay
from tacit.augmentation.random_convolution import RandomConvolution as RandomConvolution
from tacit.augmentation.random_resized_crop import RandomResizedCrop as RandomResizedCrop
from tacit.augmentation.resize import Resize as Resize
from tacit.augmentation.solarize import Solarize as Solarize
from tacit.augmentation.sometimes import Sometimes as Sometimes

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

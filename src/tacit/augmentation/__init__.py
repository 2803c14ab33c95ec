"""Random image augmentations that preserve meaning; each file defines one augmentation."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_augmentation", "_presets"))

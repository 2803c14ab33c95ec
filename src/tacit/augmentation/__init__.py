"""Random changes of pictures that are to leave their meaning; each file is one augmentation."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_augmentation", "_presets"))

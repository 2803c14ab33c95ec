"""Models that encode, predict and act; each file defines one model."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_model", "_perception"))

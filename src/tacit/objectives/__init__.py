"""Terms of training objectives; each file defines one term, and terms add up with ``+``."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_objective",))

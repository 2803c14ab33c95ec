"""Checks of the quality of recorded data; each file is one check, and :func:`examine` runs them."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_check", "_examination"))

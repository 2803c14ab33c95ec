"""Carriers: memory that an agent carries along, written at every block boundary; each file is one carrier."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_module",))

"""Constraints: restrictions that hold without exception; each file is one constraint."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__)

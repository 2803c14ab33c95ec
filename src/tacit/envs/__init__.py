"""Worlds to act in; each file is one environment or one adapter."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__)

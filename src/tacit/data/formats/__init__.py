"""Storage formats of episodes; each file is one format."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__)

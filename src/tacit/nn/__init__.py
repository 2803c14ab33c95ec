"""Building blocks of networks: modules with parameters, independent of data and worlds."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__)

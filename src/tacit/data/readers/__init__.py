"""Ways to read what other programs made, as recorded episodes in which nobody acts; each file is one."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__)

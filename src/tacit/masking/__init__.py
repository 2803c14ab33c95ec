"""Ways to choose what a masked model sees and what it is to predict; each file is one method."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__)

"""Readers of files of other programs, as recorded episodes without actions; each file is one reader."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__)

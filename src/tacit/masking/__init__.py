"""Masking methods: context and targets of a masked model; each file defines one method."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__)

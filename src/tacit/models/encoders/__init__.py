"""Encoders of one modality of a world model: values to features; each file is one encoder."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_encoder",))

"""Digest of a model, which identifies the encoder of an embedding."""

from tacit.nn._model_digest import model_digest

__all__ = ["model_digest"]

"""Encoder that is a module of the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from tacit.errors import ConfigError
from tacit.models.encoders._encoder import EncoderConfig
from tacit.nn.encoders import Encoder

__all__ = ["Custom"]


@dataclass(frozen=True)
class Custom(EncoderConfig):
    """Encoder that the model is given as a module: ``for_spec(spec, encoders={"pixels": MODULE})``.

    A file has its weights, and does not name its class: whoever loads the model passes a module again.
    """

    kinds: ClassVar[tuple[str, ...]] = ("pixels", "series", "vector")

    def build(self, shape: tuple[int, ...]) -> Encoder:  # noqa: ARG002 - the signature of all encoders
        """Refuse, since the module is not known here.

        Raises:
            ConfigError: always, with the way to pass the module.
        """
        raise ConfigError('this encoder is a module of your own. Pass it: modules={"encoders.NAME": MODULE}.')

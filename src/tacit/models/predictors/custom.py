"""Predictor that is a module of the user."""

from __future__ import annotations

from dataclasses import dataclass

from tacit.errors import ConfigError
from tacit.models.predictors._predictor import PredictorConfig
from tacit.nn.predictors import Predictor

__all__ = ["Custom"]


@dataclass(frozen=True)
class Custom(PredictorConfig):
    """Predictor that the model is given as a module: ``for_spec(spec, predictor=MODULE)``.

    A file has its weights, and does not name its class: whoever loads the model passes a module again.
    """

    def build(self, latent: int, action: int) -> Predictor:  # noqa: ARG002 - the signature of all predictors
        """Refuse, since the module is not known here.

        Raises:
            ConfigError: always, with the way to pass the module.
        """
        raise ConfigError('the predictor is a module of your own. Pass it: modules={"predictor": MODULE}.')

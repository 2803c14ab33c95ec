"""Predictors of a world model: the next latent from latents and actions; each file is one predictor."""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_predictor",))

"""Predictors of a world model: the next latent from latents and actions; each file is one predictor."""

from typing import Any

from tacit.models.predictors._predictor import PredictorConfig as PredictorConfig
from tacit.models.predictors.custom import Custom as Custom
from tacit.models.predictors.gru import GRU as GRU
from tacit.models.predictors.mlp import MLP as MLP
from tacit.models.predictors.parallel import Parallel as Parallel
from tacit.models.predictors.transformer import Transformer as Transformer

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

"""Terms of training objectives; each file defines one term, and terms add up with ``+``."""

from typing import Any

from tacit.objectives._objective import Loss as Loss
from tacit.objectives._objective import Losses as Losses
from tacit.objectives._objective import Objective as Objective
from tacit.objectives._objective import Spread as Spread
from tacit.objectives._objective import Term as Term
from tacit.objectives.clean_target import CleanTarget as CleanTarget
from tacit.objectives.cycle import Cycle as Cycle
from tacit.objectives.flow_regression import FlowRegression as FlowRegression
from tacit.objectives.invariance import Invariance as Invariance
from tacit.objectives.inverse_dynamics import InverseDynamics as InverseDynamics
from tacit.objectives.masked_prediction import MaskedPrediction as MaskedPrediction
from tacit.objectives.photometric import Photometric as Photometric
from tacit.objectives.prediction import Prediction as Prediction
from tacit.objectives.pyramid_variance import PyramidVariance as PyramidVariance
from tacit.objectives.rollout import Rollout as Rollout
from tacit.objectives.sigreg import SIGReg as SIGReg
from tacit.objectives.smoothness import Smoothness as Smoothness
from tacit.objectives.straightening import Straightening as Straightening
from tacit.objectives.time_similarity import TimeSimilarity as TimeSimilarity
from tacit.objectives.vicreg import Covariance as Covariance
from tacit.objectives.vicreg import VICReg as VICReg
from tacit.objectives.vicreg import Variance as Variance
from tacit.objectives.visible_prediction import VisiblePrediction as VisiblePrediction

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

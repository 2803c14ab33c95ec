"""Guards: scores of unusual situations with calibrated thresholds; each file is one score."""

from typing import Any

from tacit.guard._assessment import Assessment as Assessment
from tacit.guard._assessment import GuardMemory as GuardMemory
from tacit.guard._calibration import Calibration as Calibration
from tacit.guard._calibration import Threshold as Threshold
from tacit.guard._fit import calibrate as calibrate
from tacit.guard._fit import default_scores as default_scores
from tacit.guard._fit import fit as fit
from tacit.guard._guard import Caution as Caution
from tacit.guard._guard import Guard as Guard
from tacit.guard._measure import missing_modalities as missing_modalities
from tacit.guard._recording import Recording as Recording
from tacit.guard._recording import ScoreSeries as ScoreSeries
from tacit.guard._recording import record as record
from tacit.guard._recording import score_series as score_series
from tacit.guard._trail import Trail as Trail
from tacit.guard.age import Age as Age
from tacit.guard.ensemble import Ensemble as Ensemble
from tacit.guard.latent_norm import LatentNorm as LatentNorm
from tacit.guard.nearest_neighbors import NearestNeighbors as NearestNeighbors
from tacit.guard.prediction_energy import PredictionEnergy as PredictionEnergy

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

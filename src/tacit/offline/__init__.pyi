"""Evaluation on held-out recordings, without a robot or a simulator."""

from tacit.offline.curve import CurvePoint as CurvePoint
from tacit.offline.curve import Trains as Trains
from tacit.offline.curve import learning_curve as learning_curve
from tacit.offline.evaluate import OfflineScores as OfflineScores
from tacit.offline.evaluate import evaluate as evaluate
from tacit.offline.forecasts import BASELINES as BASELINES
from tacit.offline.forecasts import Forecasts as Forecasts
from tacit.offline.plans import PlanAgreement as PlanAgreement
from tacit.offline.plans import compare_plans as compare_plans
from tacit.offline.ranking import EpisodeSurprise as EpisodeSurprise
from tacit.offline.ranking import rank_episodes as rank_episodes
from tacit.offline.sensors import SurprisingMoment as SurprisingMoment
from tacit.offline.sensors import surprising_moments as surprising_moments

__all__: list[str]

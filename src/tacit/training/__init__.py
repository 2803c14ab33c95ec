"""Training: one loop with the same results for the same seed.

::

    report = tc.train(model, objective, train.clips(5), steps=2_000, seed=0, to="runs/two_rooms")
    model = tc.checkpoint.load_model("runs/two_rooms")
"""

from tacit.training import loggers
from tacit.training.config import CriticTraining, GoalPolicyTraining, TrainingConfig
from tacit.training.critic import train_critic
from tacit.training.distillation import DistillationTraining, distill_policy
from tacit.training.ensemble import EnsembleTraining, train_ensemble
from tacit.training.goal_policy import train_goal_policy
from tacit.training.hooks import EarlyStopping, EvalHook, Hook, HookContext, ValidationLoss
from tacit.training.log import read_log
from tacit.training.monitor import CollapseWarning
from tacit.training.recorded_proposals import record_proposals
from tacit.training.report import FitReport, TrainingReport
from tacit.training.state import ResumeWarning
from tacit.training.train import train
from tacit.training.transforms import Augment, DrawMasks, MakeViews

__all__ = [
    "Augment",
    "CollapseWarning",
    "CriticTraining",
    "DistillationTraining",
    "DrawMasks",
    "EarlyStopping",
    "EnsembleTraining",
    "EvalHook",
    "FitReport",
    "GoalPolicyTraining",
    "Hook",
    "HookContext",
    "MakeViews",
    "ResumeWarning",
    "TrainingConfig",
    "TrainingReport",
    "ValidationLoss",
    "distill_policy",
    "loggers",
    "read_log",
    "record_proposals",
    "train",
    "train_critic",
    "train_ensemble",
    "train_goal_policy",
]

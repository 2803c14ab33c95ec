"""Training: one loop with the same results for the same seed.

::

    report = tc.train(model, objective, train.clips(5), steps=2_000, seed=0, to="runs/two_rooms")
    model = tc.checkpoint.load_model("runs/two_rooms")
"""

from tacit.training import loggers
from tacit.training.config import CriticTraining, GoalPolicyTraining, TrainingConfig
from tacit.training.critic import CriticReport, train_critic
from tacit.training.ensemble import EnsembleTraining, train_ensemble
from tacit.training.goal_policy import GoalPolicyReport, train_goal_policy
from tacit.training.hooks import EarlyStopping, EvalHook, Hook, HookContext, ValidationLoss
from tacit.training.log import read_log
from tacit.training.monitor import CollapseWarning
from tacit.training.report import TrainingReport
from tacit.training.state import ResumeWarning
from tacit.training.train import train
from tacit.training.transforms import Augment, DrawMasks, MakeViews

__all__ = [
    "Augment",
    "CollapseWarning",
    "CriticReport",
    "CriticTraining",
    "DrawMasks",
    "EarlyStopping",
    "EnsembleTraining",
    "EvalHook",
    "GoalPolicyReport",
    "GoalPolicyTraining",
    "Hook",
    "HookContext",
    "MakeViews",
    "ResumeWarning",
    "TrainingConfig",
    "TrainingReport",
    "ValidationLoss",
    "loggers",
    "read_log",
    "train",
    "train_critic",
    "train_ensemble",
    "train_goal_policy",
]

"""Training: one loop with the same results for the same seed.

::

    report = tc.train(model, objective, train.clips(5), steps=2_000, seed=0, to="runs/two_rooms")
    model = tc.checkpoint.load_model("runs/two_rooms")
"""

from tacit.training.config import GoalPolicyTraining, TrainingConfig
from tacit.training.goal_policy import GoalPolicyReport, train_goal_policy
from tacit.training.log import read_log
from tacit.training.loop import TrainingReport, train
from tacit.training.monitor import CollapseWarning, effective_rank
from tacit.training.state import ResumeWarning
from tacit.training.transforms import Augmented, Masked, Viewed
from tacit.training.watch import Watch

__all__ = [
    "Augmented",
    "CollapseWarning",
    "GoalPolicyReport",
    "GoalPolicyTraining",
    "Masked",
    "ResumeWarning",
    "TrainingConfig",
    "TrainingReport",
    "Viewed",
    "Watch",
    "effective_rank",
    "read_log",
    "train",
    "train_goal_policy",
]

"""The values that flow between layers, and the protocols that parts meet each other through.

Nothing here computes: these are frozen records with their shapes, and the structural types that let
a planner score a model it cannot name. Axes: ``B`` batch, ``T`` time, ``S`` candidate plans,
``H`` horizon in action blocks, ``A`` action size, ``D`` latent size, ``C`` channels.
"""

from tacit.types.outcomes import Completion, Forecast, Motion, Views
from tacit.types.planning import ActionConstraint, Cost, FallbackPolicy, Iteration, Plan, Planner, Score, Verdict
from tacit.types.recordings import Clip, Episode, Mask, Masking, Statistics, Transform
from tacit.types.spec import ActionKind, ActionSpace, Array, Box, Discrete, Modality, Observation, Spec, State
from tacit.types.worlds import (
    Actor,
    Environment,
    ExpertEnvironment,
    GoalEnvironment,
    SimulatedEnvironment,
    TaskRules,
    Tasks,
    Transition,
)

__all__ = [
    "ActionConstraint",
    "ActionKind",
    "ActionSpace",
    "Actor",
    "Array",
    "Box",
    "Clip",
    "Completion",
    "Cost",
    "Discrete",
    "Environment",
    "Episode",
    "ExpertEnvironment",
    "FallbackPolicy",
    "Forecast",
    "GoalEnvironment",
    "Iteration",
    "Mask",
    "Masking",
    "Modality",
    "Motion",
    "Observation",
    "Plan",
    "Planner",
    "Score",
    "SimulatedEnvironment",
    "Spec",
    "State",
    "Statistics",
    "TaskRules",
    "Tasks",
    "Transform",
    "Transition",
    "Verdict",
    "Views",
]

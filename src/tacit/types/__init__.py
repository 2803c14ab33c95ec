"""The values that pass between layers, and the protocols between components.

Nothing here computes: these are frozen records with their shapes, and the structural types that let
a planner score any model without importing it. Axes: ``B`` batch, ``T`` time, ``S`` candidate plans,
``H`` horizon in action blocks, ``A`` action size, ``D`` latent size, ``C`` channels.
"""

from tacit.types.carriers import Carrier, Carry
from tacit.types.deciders import Decider, Situation
from tacit.types.guards import GuardScore, Sensed
from tacit.types.outcomes import (
    FlowForecast,
    Forecast,
    ForecastRequest,
    MaskedForecast,
    ViewEmbeddings,
)
from tacit.types.planning import ActionConstraint, Iteration, Noise, Numbers, Plan, Planner, Problem, Score, Scored
from tacit.types.recordings import REWARD, SUCCESS, Clip, Episode, Mask, Masking, Statistics, Transform
from tacit.types.rollouts import Constraint, Context, Cost, MarginConstraint, Readout, Rollout, WorldModel
from tacit.types.spaces import ActionKind, ActionSpace, Box, Discrete, Mixed
from tacit.types.spec import Array, Modality, Observation, Spec, State
from tacit.types.stores import Entries, Neighbors, Store
from tacit.types.verdicts import FallbackPolicy, Verdict
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
    "REWARD",
    "SUCCESS",
    "ActionConstraint",
    "ActionKind",
    "ActionSpace",
    "Actor",
    "Array",
    "Box",
    "Carrier",
    "Carry",
    "Clip",
    "Constraint",
    "Context",
    "Cost",
    "Decider",
    "Discrete",
    "Entries",
    "Environment",
    "Episode",
    "ExpertEnvironment",
    "FallbackPolicy",
    "FlowForecast",
    "Forecast",
    "ForecastRequest",
    "GoalEnvironment",
    "GuardScore",
    "Iteration",
    "MarginConstraint",
    "Mask",
    "MaskedForecast",
    "Masking",
    "Mixed",
    "Modality",
    "Neighbors",
    "Noise",
    "Numbers",
    "Observation",
    "Plan",
    "Planner",
    "Problem",
    "Readout",
    "Rollout",
    "Score",
    "Scored",
    "Sensed",
    "SimulatedEnvironment",
    "Situation",
    "Spec",
    "State",
    "Statistics",
    "Store",
    "TaskRules",
    "Tasks",
    "Transform",
    "Transition",
    "Verdict",
    "ViewEmbeddings",
    "WorldModel",
]

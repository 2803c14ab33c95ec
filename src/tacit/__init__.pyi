"""World models that learn from observation and action, and predict in representation space.

All public names are attributes of this module and are imported on first use::

    import tacit as tc"""

from tacit.agent import Agent as Agent
from tacit import agent as agent
from tacit import audit as audit
from tacit import augmentation as augmentation
from tacit import checkpoint as checkpoint
from tacit.collection import collect as collect
from tacit import collection as collection
from tacit import constraints as constraints
from tacit import costs as costs
from tacit import data as data
from tacit import diagnostics as diagnostics
from tacit import embeddings as embeddings
from tacit import envs as envs
from tacit import errors as errors
from tacit import evaluation as evaluation
from tacit import exploration as exploration
from tacit import guard as guard
from tacit import identification as identification
from tacit import margins as margins
from tacit import masking as masking
from tacit import memory as memory
from tacit import models as models
from tacit import nn as nn
from tacit.nn._tuning import tune_cpu as tune_cpu
from tacit import objectives as objectives
from tacit import offline as offline
from tacit import planners as planners
from tacit import probing as probing
from tacit import published as published
from tacit import recipes as recipes
from tacit import reports as reports
from tacit import robot as robot
from tacit import runs as runs
from tacit import statistics as statistics
from tacit import stress as stress
from tacit import studies as studies
from tacit import testing as testing
from tacit import training as training
from tacit.training.train import train as train
from tacit.types import Box as Box
from tacit.types import Clip as Clip
from tacit.types import Discrete as Discrete
from tacit.types import Episode as Episode
from tacit.types import Modality as Modality
from tacit.types import Plan as Plan
from tacit.types import Spec as Spec
from tacit import types as types

__all__: list[str]
__version__: str

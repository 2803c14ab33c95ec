"""Models that encode, predict and act; each file defines one model."""

from typing import Any

from tacit.models._model import Dynamics as Dynamics
from tacit.models._model import Model as Model
from tacit.models._model import preset as preset
from tacit.models._model import seeded as seeded
from tacit.models._perception import PerceptionConfig as PerceptionConfig
from tacit.models._perception import PerceptionModel as PerceptionModel
from tacit.models.action_conditioned import ActionConditioned as ActionConditioned
from tacit.models.action_conditioned import ActionConditionedConfig as ActionConditionedConfig
from tacit.models import encoders as encoders
from tacit.models.frame_encoder import FrameEncoder as FrameEncoder
from tacit.models.frame_encoder import FrameEncoderConfig as FrameEncoderConfig
from tacit.models.goal_policy import GoalPolicy as GoalPolicy
from tacit.models.goal_policy import GoalPolicyConfig as GoalPolicyConfig
from tacit.models.joint_embedding import JointEmbedding as JointEmbedding
from tacit.models.joint_embedding import JointEmbeddingConfig as JointEmbeddingConfig
from tacit.models.macro_model import MacroModel as MacroModel
from tacit.models.masked import MaskedModel as MaskedModel
from tacit.models.masked import MaskedModelConfig as MaskedModelConfig
from tacit.models.motion_content import MotionContent as MotionContent
from tacit.models.motion_content import MotionContentConfig as MotionContentConfig
from tacit.models import predictors as predictors
from tacit.models.world_model import WorldModel as WorldModel
from tacit.models.world_model import WorldModelConfig as WorldModelConfig

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

"""Actors: the agent, which plans in latent space, and its baselines."""

from tacit.agent._actor import BlockActor
from tacit.agent._agent import Agent
from tacit.agent._baselines import PolicyActor, RandomActor
from tacit.agent._calibration import MarginRecord
from tacit.agent._config import AgentConfig
from tacit.agent._fallback import Fallback, NamedFallback, possible_fallback
from tacit.agent._latent_actor import LatentActor, LatentPolicy
from tacit.agent._macro_search import MacroPlan, MacroSearch
from tacit.agent._memory import Recalled, model_digest
from tacit.agent._policy import PolicyDecider
from tacit.agent._proposal import Proposal
from tacit.agent._proposals import MixedProposals, RecordedProposals
from tacit.agent._search import FlatSearch
from tacit.agent._state import AgentState
from tacit.agent._stored_proposals import StoredProposals
from tacit.agent._sub_goal_search import SubGoalSearch
from tacit.agent._sub_goals import SubGoals
from tacit.agent._verdicts import slack_evidence

__all__ = [
    "Agent",
    "AgentConfig",
    "AgentState",
    "BlockActor",
    "Fallback",
    "FlatSearch",
    "LatentActor",
    "LatentPolicy",
    "MacroPlan",
    "MacroSearch",
    "MarginRecord",
    "MixedProposals",
    "NamedFallback",
    "PolicyActor",
    "PolicyDecider",
    "Proposal",
    "RandomActor",
    "Recalled",
    "RecordedProposals",
    "StoredProposals",
    "SubGoalSearch",
    "SubGoals",
    "model_digest",
    "possible_fallback",
    "slack_evidence",
]

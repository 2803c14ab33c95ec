"""Actors: the agent, which plans in latent space, and its baselines."""

from tacit.agent._agent import Agent
from tacit.agent._config import AgentConfig
from tacit.agent._fallback import NamedFallback
from tacit.agent._floors import PolicyActor, RandomActor
from tacit.agent._proposal import Proposal
from tacit.agent._state import AgentState

__all__ = ["Agent", "AgentConfig", "AgentState", "NamedFallback", "PolicyActor", "Proposal", "RandomActor"]

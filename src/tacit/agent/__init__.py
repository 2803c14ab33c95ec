"""Actors: the agent, which plans in latent space, and the floors that it has to beat."""

from tacit.agent._agent import Agent
from tacit.agent._fallback import NamedFallback
from tacit.agent._floors import PolicyActor, RandomActor
from tacit.agent._proposal import Proposal
from tacit.agent._state import AgentState, Latency

__all__ = ["Agent", "AgentState", "Latency", "NamedFallback", "PolicyActor", "Proposal", "RandomActor"]

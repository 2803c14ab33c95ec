"""A log of a small agent."""

import pytest

import tacit as tc
from audit.logged import act, agent_of


@pytest.fixture
def recorded(tmp_path):
    """A log of 12 acts in several segments, and the agent."""
    agent = agent_of()
    with tc.audit.Log(tmp_path / "audit", segment_mb=0.004) as log:
        act(tc.audit.Audited(agent, log), agent.model, steps=12)
    return tmp_path / "audit", agent

"""A saved agent acts like the one that was saved, and a file names nothing but what is installed."""

from pathlib import Path

import numpy as np
import pytest
import torch

from agent.worlds import Walk
from tacit import checkpoint
from tacit.agent import Agent
from tacit.checkpoint import Part, load_model
from tacit.costs import Effort, Goal
from tacit.errors import CheckpointError, ConfigError
from tacit.models import GoalPolicy, WorldModel
from tacit.models.goal_policy import GoalPolicyConfig
from tacit.planners import CEM, Gradient
from tacit.types import Box, Modality, Spec

SPEC = Spec({"state": Modality("vector", (3,))}, Box((-1.0, -2.0), (1.0, 2.0)))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return WorldModel.for_spec(SPEC, frameskip=2, latent=8).eval()


def lived(agent):
    rng = np.random.default_rng(0)
    state = agent.start(seed=1, batch=2, goal={"state": rng.normal(size=(2, 3)).astype(np.float32)})
    actions = []
    for _ in range(6):
        action, verdict, state = agent.act(state, {"state": rng.normal(size=(2, 3)).astype(np.float32)})
        assert verdict.ok
        actions.append(action)
    return np.stack(actions)


@pytest.mark.parametrize("planner", [CEM(samples=30, elites=5, iterations=3), Gradient(starts=3, betas=(0.8, 0.9))])
@pytest.mark.parametrize(
    "cost", [Goal(), Goal(reduce="sum", metric="l1") + 0.25 * Effort(SPEC.action) + 2 * Goal(torch.ones(2, 8) / 3)]
)
def test_loaded_agent_acts_as_the_saved_one(planner, cost, model, tmp_path):
    agent = Agent(model, planner, cost, horizon=3, execute=2, deadline=5, hold=True)
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert again.planner == planner
    assert (again.horizon, again.execute, again.deadline, again.hold) == (3, 2, 5, True)
    assert repr(again.cost) == repr(cost)
    np.testing.assert_array_equal(lived(agent), lived(again))


def test_a_policy_that_proposes_is_saved_too(model, tmp_path):
    policy = GoalPolicy(GoalPolicyConfig(8, SPEC.action, frameskip=2, width=16))
    agent = Agent(model, CEM(samples=30, elites=5, iterations=1), Goal(), horizon=3, proposal=policy)
    agent.save(tmp_path / "agent")
    np.testing.assert_array_equal(lived(agent), lived(Agent.load(tmp_path / "agent")))
    without = Agent(model, agent.planner, agent.cost, horizon=3)
    assert not np.array_equal(lived(agent), lived(without))


def test_an_agent_is_also_a_checkpoint_of_its_model(model, tmp_path):
    Agent(model, CEM(), Goal(), horizon=3).save(tmp_path / "agent")
    assert load_model(tmp_path / "agent").config == model.config
    Agent(model, CEM(samples=77), Goal(), horizon=4).save(tmp_path / "agent")
    assert Agent.load(tmp_path / "agent").planner == CEM(samples=77)


class Mine:
    """Not of the registry."""

    def __call__(self, *arguments):
        raise NotImplementedError


def test_what_cannot_be_saved_is_refused(model, tmp_path):
    for agent, message in [
        (Agent(model, Mine(), Goal(), horizon=3), "cem, gradient"),
        (Agent(model, CEM(), Mine(), horizon=3), "effort, goal"),
        (Agent(Walk(), CEM(), Goal(), horizon=3), "tacit.models; this one has a Walk"),
    ]:
        with pytest.raises(ConfigError, match=message):
            agent.save(tmp_path / "agent")
    assert not (tmp_path / "agent").exists()


def change(path: Path, key: str, value: object) -> None:
    """Save an agent anew with one value changed."""
    part = checkpoint.load(path).parts["agent"]
    target = written = dict(part.config)
    *parents, last = key.split(".")
    for parent in parents:
        target = target[int(parent) if parent.isdigit() else parent]
    target[last] = value
    checkpoint.save(path, checkpoint.load_model(path), {"agent": Part(written, part.tensors)})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("planner.name", "os.system", "no planners called 'os.system'"),
        ("cost.0.name", "shutil", "no costs called 'shutil'"),
        ("planner.options", {"samplez": 3}, "did you mean|Did you mean"),
        ("planner.options", {"samples": "3"}, "must be int"),
        ("horizon", 2.5, "must be int"),
        ("surprise", 1, "no option 'surprise'"),
    ],
)
def test_a_file_cannot_name_what_is_not_installed(key, value, message, model, tmp_path):
    Agent(model, CEM(), Goal(), horizon=3).save(tmp_path / "agent")
    change(tmp_path / "agent", key, value)
    with pytest.raises(CheckpointError, match=message):
        Agent.load(tmp_path / "agent")


def test_a_checkpoint_that_is_no_agent_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        Agent.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("part", "key", "value"), [("proposal", "widht", 3), ("proposal", "depth", 0), ("agent", "horizon", 0)]
)
def test_options_that_cannot_be_built_are_the_checkpoints_fault(part, key, value, model, tmp_path):
    policy = GoalPolicy(GoalPolicyConfig(8, SPEC.action, frameskip=2, width=16))
    Agent(model, CEM(), Goal(), horizon=3, proposal=policy).save(tmp_path / "agent")
    parts = dict(checkpoint.load(tmp_path / "agent").parts)
    parts[part] = checkpoint.Part({**parts[part].config, key: value}, parts[part].tensors)
    checkpoint.save(tmp_path / "agent", model, parts)
    with pytest.raises(CheckpointError, match=rf"{tmp_path.name}.* cannot be built here"):
        Agent.load(tmp_path / "agent")

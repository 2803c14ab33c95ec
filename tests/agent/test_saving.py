"""A saved agent acts like the one that was saved, and a file names nothing but what is installed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tacit as tc
from costs.test_expected_return import returns
from tacit import checkpoint
from tacit.agent import Agent, MarginRecord
from tacit.checkpoint import Part, load_model
from tacit.constraints import KeepOut, LatentDistance, Limits, MaxChange, Within
from tacit.costs import (
    Effort,
    ExpectedReturn,
    Goal,
    Region,
    Target,
    TemporalCritic,
    TemporalCriticConfig,
    TemporalDistance,
)
from tacit.errors import CheckpointError, ConfigError
from tacit.models import GoalPolicy, WorldModel
from tacit.models.goal_policy import GoalPolicyConfig
from tacit.nn.readout import LinearReadout
from tacit.planners import CEM, Gradient
from tacit.testing.worlds import PointModel
from tacit.types import Box, Modality, Rollout, Spec

SPEC = Spec({"state": Modality("vector", (3,))}, Box((-1.0, -2.0), (1.0, 2.0), "force"))


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


def test_the_digest_is_that_of_all_that_decides(model, tmp_path):
    def agent(model=model, cost=Goal(), **options):  # noqa: B008
        return Agent(model, CEM(samples=30, elites=5, iterations=3), cost, **{"horizon": 3, **options})

    first = agent()
    first.save(tmp_path / "agent")
    assert Agent.load(tmp_path / "agent").digest() == first.digest() == agent().digest()
    position = LinearReadout("position", torch.randn(8, 1), torch.randn(1), (0.0,), (1.0,))
    whole = agent(constraints=[KeepOut(position, 1, (2,), margin=1), MaxChange(1)], fallback="last_action")
    whole.save(tmp_path / "whole")
    assert Agent.load(tmp_path / "whole").digest() == whole.digest(), "a setting of 1 is read as 1.0"
    other = WorldModel.for_spec(SPEC, frameskip=2, latent=8, seed=1)
    others = [
        agent(horizon=4),
        agent(cost=2.0 * Goal()),
        agent(cost=Goal(torch.ones(8))),
        agent(constraints=[Limits(-0.5, 0.5)]),
        agent(constraints=[Limits(-0.5, 0.25)]),
        agent(fallback="noop"),
        agent(fallback=lived),
        agent(deadline_ms=5.0),
        agent(model=other),
        agent(proposal=GoalPolicy(GoalPolicyConfig(8, SPEC.action, 2))),
    ]
    assert len({one.digest() for one in (first, *others)}) == len(others) + 1


def test_the_calibration_of_its_margins_is_saved_and_refused_for_another_agent(model, tmp_path):
    position = LinearReadout("position", torch.randn(8, 1), torch.randn(1), (0.5,), (0.9,))
    limits = [Within(position, low=-30.0, margin=0.75)]
    plain = Agent(model, CEM(samples=30), Goal(), horizon=3, constraints=limits, fallback="last_action")
    goals = {"Within(position)": (tuple(range(9)),)}
    record = MarginRecord({"Within(position)": 0.75}, 0.01, "pac", 0.95, 1000, 5, 1, 2, plain.digest(), goals)
    agent = Agent.of(model, plain.config, calibration=record)
    agent.save(tmp_path / "agent")
    assert Agent.load(tmp_path / "agent").calibration == record
    other = Agent.of(model, replace(plain.config, horizon=4))
    other.calibration = record
    other.save(tmp_path / "stale")
    with pytest.raises(CheckpointError, match="the calibration of the margins is stale"):
        Agent.load(tmp_path / "stale")


def test_constraints_on_rollouts_are_saved_with_what_they_read(model, tmp_path):
    position = LinearReadout("position", torch.randn(8, 2), torch.randn(2), (0.5, 0.25), (0.9, 0.8))
    limits = [
        KeepOut(position, (-1.0, None), (1.0, None), margin=0.5),
        Within(position, low=-30.0),
        LatentDistance(torch.ones(8), high=50.0, margin=1.0),
    ]
    planner = CEM(samples=30, elites=5, iterations=3)
    agent = Agent(model, planner, Goal(), horizon=3, repeat_action=True, constraints=limits, fallback="last_action")
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert [type(one) for one in again.config.constraints] == [KeepOut, Within, LatentDistance]
    draw = torch.Generator().manual_seed(0)
    rollout = Rollout(*(torch.randn(*shape, 8, generator=draw) for shape in ((2,), (2, 3, 4), (2, 3, 4))))
    for one, two in zip(limits, again.config.constraints, strict=True):
        assert torch.equal(one(rollout), two(rollout)) and one.margin == two.margin


@pytest.mark.parametrize("planner", [CEM(samples=30, elites=5, iterations=3), Gradient(starts=3, betas=(0.8, 0.9))])
@pytest.mark.parametrize(
    "cost", [Goal(), Goal(reduce="sum", metric="l1") + 0.25 * Effort(SPEC.action) + 2 * Goal(torch.ones(2, 8) / 3)]
)
def test_loaded_agent_acts_as_the_saved_one(planner, cost, model, tmp_path):
    agent = Agent(model, planner, cost, horizon=3, replan_every=2, arrive_by=5, repeat_action=True)
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert again.config.planner == planner
    assert (again.config.horizon, again.config.replan_every, again.config.arrive_by, again.config.repeat_action) == (
        3,
        2,
        5,
        True,
    )
    assert repr(again.config.cost) == repr(cost)
    np.testing.assert_array_equal(lived(agent), lived(again))


def test_a_policy_that_proposes_is_saved_too(model, tmp_path):
    policy = GoalPolicy(GoalPolicyConfig(8, SPEC.action, frameskip=2, width=16))
    agent = Agent(model, CEM(samples=30, elites=5, iterations=1), Goal(), horizon=3, proposal=policy)
    agent.save(tmp_path / "agent")
    np.testing.assert_array_equal(lived(agent), lived(Agent.load(tmp_path / "agent")))
    without = Agent(model, agent.config.planner, agent.config.cost, horizon=3)
    assert not np.array_equal(lived(agent), lived(without))


def critic(**options):
    torch.manual_seed(1)
    made = TemporalCritic(TemporalCriticConfig(8, width=16, calibrated=4, **options)).eval()
    made.distances[:2] = torch.tensor([1.0, 2.0])
    made.squares[:2] = torch.tensor([0.5, 1.0])
    return made


@pytest.mark.parametrize("method", ["expectile", "pair", "quasimetric"])
def test_a_critic_is_saved_with_its_cost_and_its_calibration(method, model, tmp_path):
    cost = TemporalDistance(critic(method=method), reduce="last", near=2) + 0.1 * Goal()
    agent = Agent(model, CEM(samples=30, elites=5, iterations=2), cost, horizon=3)
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert repr(again.config.cost) == repr(cost) and again.digest() == agent.digest()
    np.testing.assert_array_equal(lived(agent), lived(again))
    found = again.config.cost.terms()[0].cost.critic
    assert not found.training and found.distance_at(2) == 2.0
    with pytest.raises(ConfigError, match="calibrated up to 2 blocks"):
        found.distance_at(3)


def test_a_critic_of_returns_is_saved_with_its_cost(model, tmp_path):
    cost = ExpectedReturn(returns(8, model.config.action_size, discount=0.9))
    agent = Agent(model, CEM(samples=30, elites=5, iterations=2), cost, horizon=3)
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert repr(again.config.cost) == repr(cost) and again.digest() == agent.digest()
    np.testing.assert_array_equal(lived(agent), lived(again))
    assert not again.config.cost.terms()[0].cost.critic.training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda inner: inner.update(kind="policy"), "there is no kind 'policy'"),
        (lambda inner: inner.update(path="x"), "it is incomplete"),
        (lambda inner: inner["config"].update(width=32), "tensors of the critic"),
        (lambda inner: inner["config"].update(method="value"), "method"),
        (lambda inner: inner["config"].update(width=10**9), "tensors of the critic"),
    ],
)
def test_an_edited_critic_is_refused(change, message, model, tmp_path):
    agent = Agent(model, CEM(samples=30, elites=5, iterations=1), TemporalDistance(critic()), horizon=3)
    agent.save(tmp_path / "agent")
    content = json.loads((tmp_path / "agent" / "agent.json").read_text())
    change(content["cost"][0]["options"]["critic"])
    model_, parts = checkpoint.load_with_model(tmp_path / "agent", "cpu", WorldModel)
    checkpoint.save(tmp_path / "edited", model_, {"agent": Part(content, parts.parts["agent"].tensors)})
    with pytest.raises(CheckpointError, match=message):
        Agent.load(tmp_path / "edited")


@pytest.mark.parametrize("fallback", [None, "noop", "last_action"])
def test_fallback_and_constraints_are_saved_too(fallback, model, tmp_path):
    narrow = [Limits(-0.5, (0.5, 1.0)), MaxChange(0.25)]
    planner = CEM(samples=30, elites=5, iterations=1)
    agent = Agent(model, planner, Goal(), horizon=3, fallback=fallback, constraints=narrow)
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert again.fallback == fallback
    assert again.constraints == tuple(narrow)
    np.testing.assert_array_equal(lived(agent), lived(again))
    assert Agent.load(tmp_path / "agent", fallback="last_action").fallback == "last_action"


def test_a_fallback_that_is_a_function_is_given_again(model, tmp_path):
    agent = Agent(model, CEM(), Goal(), horizon=3, fallback=lambda observation: observation["state"])
    with pytest.raises(ConfigError, match=r"a function cannot be saved.*load"):
        agent.save(tmp_path / "agent")
    assert not (tmp_path / "agent").exists()
    Agent(model, CEM(), Goal(), horizon=3).save(tmp_path / "agent")
    assert callable(Agent.load(tmp_path / "agent", fallback=agent.fallback).fallback)
    with pytest.raises(ConfigError, match="fallback is 'noop'"):
        Agent.load(tmp_path / "agent", fallback="nothing")


def test_an_agent_of_before_is_read(model, tmp_path):
    """Its file names neither a fallback nor constraints, and its Spec no kinds."""
    Agent(model, CEM(), Goal(), horizon=3, fallback="noop").save(tmp_path / "agent")
    part = checkpoint.load(tmp_path / "agent").parts["agent"]
    old = {key: value for key, value in part.config.items() if key not in ("fallback", "constraints")}
    torch.manual_seed(0)
    plain = replace(SPEC, action=Box(SPEC.action.low, SPEC.action.high))
    before = WorldModel.for_spec(plain, frameskip=2, latent=8)
    checkpoint.save(tmp_path / "agent", before, {"agent": Part(old, part.tensors)})
    assert '"kind"' not in (tmp_path / "agent/model.json").read_text().split('"action"')[1].split("}")[0]
    with pytest.raises(ConfigError, match="action component 0, 1 has no kind"):
        lived(Agent.load(tmp_path / "agent"))
    lived(Agent.load(tmp_path / "agent", fallback="last_action"))


def test_an_agent_is_also_a_checkpoint_of_its_model(model, tmp_path):
    Agent(model, CEM(), Goal(), horizon=3).save(tmp_path / "agent")
    assert load_model(tmp_path / "agent").config == model.config
    Agent(model, CEM(samples=77), Goal(), horizon=4).save(tmp_path / "agent")
    assert Agent.load(tmp_path / "agent").config.planner == CEM(samples=77)


class Critic(torch.nn.Module):
    """A cost with weights of its own."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.head = torch.nn.Linear(8, 1)

    def forward(self, rollout):
        return self.head(rollout.latents[:, :, -1])[..., 0]


def keep_below(rollout):
    return rollout.latents[..., 0] - 10.0


class Own(Limits):
    """A constraint that is not of the registry."""

    def __init__(self):
        super().__init__(-0.5, 0.5)


@pytest.mark.parametrize(
    "cost", [Critic(1), Goal() + Target(LinearReadout("a", torch.ones(8, 1), torch.ones(1), (0.1,), (1.0,)), (0.0,))]
)
def test_own_costs_and_constraints_are_given_again(cost, model, tmp_path):
    agent = Agent(model, CEM(samples=20, elites=4, iterations=2), cost, horizon=2, constraints=[Own(), keep_below])
    agent.save(tmp_path / "agent")
    own = {"Critic": Critic(2), "Own": Own(), "keep_below": keep_below}
    np.testing.assert_array_equal(lived(Agent.load(tmp_path / "agent", own=own)), lived(agent))
    with pytest.raises(CheckpointError, match=r"uses 'Own', .*own=\{'Own': ...\}"):
        Agent.load(tmp_path / "agent", own={"Critic": Critic(2)})


def test_own_weights_must_fit(model, tmp_path):
    Agent(model, CEM(), Critic(), horizon=2).save(tmp_path / "agent")
    other = Critic()
    other.head = torch.nn.Linear(8, 2)
    with pytest.raises(CheckpointError, match="weights of 'Critic' do not fit"):
        Agent.load(tmp_path / "agent", own={"Critic": other})


def test_what_cannot_be_saved_is_refused(model, tmp_path):
    for agent, message in [
        (Agent(model, CEM(), lambda rollout: rollout, horizon=3), "with def, or a class"),
        (Agent(model, CEM(), Goal(), horizon=3, constraints=[Own(), Own()]), "two different objects .* 'Own'"),
        (Agent(PointModel(), CEM(), Goal(), horizon=3), "tacit.models; this one has a PointModel"),
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
        ("fallback", "os.system", "agent.fallback must be"),
        ("fallback", 3, "agent.fallback must be"),
        ("constraints", [{"name": "shutil"}], "no constraints called 'shutil'"),
        ("constraints", [{"name": "limits", "options": {"low": 0, "high": "x"}}], "limits.high must be"),
        ("constraints", [{"name": "limits", "options": {"low": 0}}], "needs the option 'high'"),
        ("constraints", [{"name": "limits", "options": {"low": 5, "high": 9}}], "leave nothing of its range"),
        ("constraints", [{"name": "max_change", "options": {"change": -1}}], "at least 0"),
        ("constraints", [{"name": "max_change", "options": {"change": [1, 2, 3]}}], "needs one number, or 2"),
        ("constraints", "max_change", "agent.constraints must be"),
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


def test_an_agent_prints_how_it_plans():
    text = str(tc.recipes.pretrained("two_rooms"))
    assert text.startswith("agent with a WorldModel of 0.")
    assert "plans 6 blocks of 5 steps ahead, one action a block, anew after 1" in text
    assert "ICEM(" in text and "Goal(" in text


def test_a_cost_on_a_readout_is_saved_with_its_weights(tmp_path):
    model = WorldModel.for_spec(SPEC, latent=8)
    readout = LinearReadout("angle", torch.randn(8, 2), torch.randn(2), (0.1, 0.2), (0.9, float("nan")))
    cost = Goal() + 0.5 * Target(readout, (1.0, None), reduce="sum")
    cost = cost + 2 * Region(readout, (0.0, None), 1.0) + Target(readout, (1.0, 2.0), within=0.5)
    cost = cost + Goal(torch.randn(1, 3, 8), "min")
    Agent(model, CEM(samples=4, elites=2), cost, horizon=2, fallback="noop").save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent").config.cost
    read = again.terms()[1].cost.readout
    assert (read.target, read.error, read.r2[0]) == ("angle", (0.1, 0.2), 0.9) and np.isnan(read.r2[1])
    latents = torch.randn(2, 3, 2, 8)
    rollout = Rollout(latents[:, 0, 0], latents, torch.zeros(2, 3, 2, 2), torch.zeros(2, 8))
    torch.testing.assert_close(again(rollout), cost(rollout))

"""Proposals from recorded actions and from several sources."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tacit import checkpoint
from tacit.agent import Agent, MixedProposals, PolicyActor, RecordedProposals
from tacit.checkpoint import Part
from tacit.costs import Goal
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.models import GoalPolicy, GoalPolicyConfig, WorldModel
from tacit.planners import CEM, WorldNoise
from tacit.testing.worlds import PointModel
from tacit.types import Box, Context, Modality, Spec

SPEC = Spec({"state": Modality("vector", (3,))}, Box((-1.0, -2.0), (1.0, 2.0), "force"))


class Constant:
    """A source whose plans repeat one number."""

    def __init__(self, value, spread=0.0):
        self.value, self.spread, self.asked = value, spread, []

    def propose(self, context, goal, horizon, count, noise, model):
        self.asked.append(count)
        drawn = torch.from_numpy(noise.normal(0, (count, horizon, 2)))
        return self.value + self.spread * drawn


def straight(count=60, length=4):
    """Recordings of straight walks, each at a constant velocity from its own start."""
    rng = np.random.default_rng(0)
    start, velocity = (torch.from_numpy(rng.uniform(-1, 1, (count, 1, 2)).astype(np.float32)) for _ in range(2))
    blocks = velocity.expand(-1, length, -1).clone()
    return RecordedProposals(torch.cat([start, start + blocks.cumsum(dim=1)], dim=1), blocks)


def asked(source, now, goal, horizon=4, count=3):
    return source.propose(Context(now[:, None]), goal, horizon, count, WorldNoise.of(0, len(now)), PointModel())


def test_recorded_proposals_are_the_recordings_nearest_to_latent_and_goal():
    source, draw = straight(), torch.Generator().manual_seed(1)
    now, goal = ((torch.rand(5, 2, generator=draw) * 2 - 1) * size for size in (1, 3))
    found = asked(source, now, goal)
    for world in range(5):
        scores = [
            (one[0] - now[world]).square().sum() + min((later - goal[world]).square().sum() for later in one[1:])
            for one in source.latents
        ]
        best = sorted(range(len(scores)), key=scores.__getitem__)[:3]
        torch.testing.assert_close(found[world], source.blocks[best])


def test_recorded_proposals_fill_horizon_and_count():
    source = straight(count=2, length=3)
    found = asked(source, torch.zeros(1, 2), torch.ones(1, 2), horizon=5, count=5)
    assert found.shape == (1, 5, 5, 2)
    assert torch.equal(found[0, 0], found[0, 2]) and not torch.equal(found[0, 0], found[0, 1])
    assert torch.equal(found[0, 0, 2], found[0, 0, 4])
    assert asked(source, torch.zeros(1, 2), torch.ones(1, 2), horizon=2, count=1).shape == (1, 1, 2, 2)


def test_an_agent_finds_the_goal_with_them_where_its_own_candidates_do_not():
    source, model = straight(count=500), PointModel()
    start, goal = np.zeros((20, 2), np.float32), np.random.default_rng(1).uniform(-3, 3, (20, 2)).astype(np.float32)
    errors = []
    for proposal in (None, source):
        agent = Agent(model, CEM(samples=2, elites=1, iterations=1), Goal(), horizon=4, proposal=proposal, proposals=8)
        positions, *_ = model.live(agent, start, goal, steps=4)
        errors.append(np.linalg.norm(positions[-1] - goal, axis=-1).mean())
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize(
    ("shares", "count", "expected"),
    [((3, 1), 16, (12, 4)), ((0.5, 0.5), 1, (1, 0)), ((0.8, 0.2), 16, (13, 3)), ((1, 1, 1), 4, (2, 1, 1))],
)
def test_each_source_gets_its_share(shares, count, expected):
    sources = [Constant(float(index)) for index in range(len(shares))]
    mixed = MixedProposals(sources, shares)
    assert mixed.counts(count) == expected
    found = asked(mixed, torch.zeros(2, 2), torch.zeros(2, 2), count=count)
    assert found.shape == (2, count, 4, 2)
    assert found[0, :, 0, 0].tolist() == [float(index) for index, one in enumerate(expected) for _ in range(one)]


def test_sources_draw_different_noise():
    mixed = MixedProposals([Constant(0.0, 1.0), Constant(0.0, 1.0)], (1, 1))
    found = asked(mixed, torch.zeros(2, 2), torch.zeros(2, 2), count=4)
    assert not torch.equal(found[:, :2], found[:, 2:])


def test_an_agent_asks_for_as_many_as_it_is_set_to():
    source, model = Constant(0.0), PointModel()
    agent = Agent(model, CEM(samples=6, elites=2, iterations=1), Goal(), horizon=2, proposal=source, proposals=5)
    _, verdict, _ = agent.act(
        agent.start(seed=0, goal={"position": np.ones((1, 2), np.float32)}), {"position": np.zeros((1, 2), np.float32)}
    )
    assert source.asked == [5] and verdict.plan.evaluations == 11
    for wrong in (0, 10**9):
        with pytest.raises(ConfigError, match="proposals"):
            replace(agent.config, proposals=wrong)


def test_a_policy_actor_executes_the_first_source():
    model, sources = PointModel(), [Constant(0.5), Constant(-0.5)]
    actor = PolicyActor(model, MixedProposals(sources, (1, 1)))
    _, actions, *_ = model.live(actor, np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32), steps=2)
    assert (actions == 0.5).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(SpecError, match=r"latents \[N, H \+ 1, D\]"):
        RecordedProposals(torch.zeros(3, 4, 2), torch.zeros(3, 4, 2))
    with pytest.raises(SpecError, match="at least one of each"):
        RecordedProposals(torch.zeros(0, 4, 2), torch.zeros(0, 3, 2))
    with pytest.raises(SpecError, match="have size 2"):
        asked(straight(), torch.zeros(1, 3), torch.zeros(1, 3))
    for sources, shares in (((), ()), ((Constant(0.0),), (1, 1)), ((Constant(0.0),), (0.0,))):
        with pytest.raises(ConfigError, match="one share above 0"):
            MixedProposals(sources, shares)


def saved_agent(tmp_path, proposal):
    torch.manual_seed(0)
    model = WorldModel.for_spec(SPEC, frameskip=2, latent=8).eval()
    agent = Agent(model, CEM(samples=4, elites=2, iterations=1), Goal(), horizon=3, proposal=proposal, proposals=6)
    agent.save(tmp_path / "agent")
    return agent


def mixture():
    torch.manual_seed(1)
    policy = GoalPolicy(GoalPolicyConfig(8, SPEC.action, frameskip=2, width=16))
    return MixedProposals((policy, RecordedProposals(torch.randn(9, 4, 8), torch.randn(9, 3, 4))), (3, 1))


@pytest.mark.parametrize("single", [False, True])
def test_they_are_saved_with_the_agent(single, tmp_path):
    proposal = mixture().sources[1] if single else mixture()
    agent = saved_agent(tmp_path, proposal)
    again = Agent.load(tmp_path / "agent")
    assert again.digest() == agent.digest() and again.config.proposals == 6
    given = torch.randn(2, 1, 8), torch.randn(2, 8)
    noise = WorldNoise.of(0, 2)
    one, two = (a.proposal.propose(Context(given[0]), given[1], 3, 5, noise, a.model) for a in (agent, again))
    assert torch.equal(one, two)
    others = [Agent.of(agent.model, agent.config, other) for other in (None, mixture().sources[0])]
    assert len({agent.digest(), *(other.digest() for other in others)}) == 3


def test_a_source_of_another_class_cannot_be_saved(tmp_path):
    with pytest.raises(ConfigError, match="of these as its proposal; got Constant"):
        saved_agent(tmp_path, Constant(0.0))
    with pytest.raises(ConfigError, match="got MixedProposals"):
        saved_agent(tmp_path, MixedProposals((Constant(0.0),), (1,)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values.update(kind="pickle"), "no kind of proposal 'pickle'"),
        (lambda values: values["sources"][1].update(kind="mixed"), "no kind of proposal 'mixed'"),
        (lambda values: values["sources"].pop(), "one share above 0"),
        (lambda values: values.update(shares=["a", 1]), "shares are numbers"),
        (lambda values: values.update(shares=3), "a list of sources"),
        (lambda values: values.update(path="x"), "a list of sources"),
        (lambda values: values["sources"].reverse(), "proposal|tensors|hold latents"),
    ],
)
def test_an_edited_file_is_refused(change, message, tmp_path):
    saved_agent(tmp_path, mixture())
    model, others = checkpoint.load_with_model(tmp_path / "agent", "cpu", WorldModel)
    parts = dict(others.parts)
    values = json.loads(json.dumps(parts["proposal"].config))
    change(values)
    checkpoint.save(tmp_path / "edited", model, {**parts, "proposal": Part(values, parts["proposal"].tensors)})
    with pytest.raises(CheckpointError, match=message):
        Agent.load(tmp_path / "edited")

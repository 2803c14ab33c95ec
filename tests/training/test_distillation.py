"""Distillation of an agent's plans into a policy."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.agent import Agent
from tacit.constraints import Limits, MaxChange
from tacit.costs import Goal
from tacit.data import Episodes
from tacit.errors import ConfigError, PlanningError
from tacit.models import GoalPolicy, GoalPolicyConfig, WorldModel
from tacit.planners import CEM
from tacit.testing.worlds import PointModel
from tacit.training import DistillationTraining, distill_policy
from tacit.training.distillation import _Plans
from tacit.types import Box, Context, Episode, Modality, Spec

SPEC = Spec({"state": Modality("vector", (2,))}, Box((-1.0, -1.0), (1.0, 1.0), "delta"))
PLANNER = CEM(samples=40, elites=6, iterations=4)


class Known(WorldModel):
    """A latent is the state, and each raw action is added to it."""

    reads = 1
    contexts: list

    @property
    def history(self):
        return self.reads

    def encode(self, observation):
        return torch.as_tensor(observation["state"]).float()

    def rollout(self, context, blocks, /):
        self.contexts.append(context)
        steps = blocks.unflatten(-1, (-1, 2)).sum(dim=-2).cumsum(dim=-2)
        return (context.latents[:, -1, None] if blocks.ndim == 3 else context.latents[:, -1, None, None]) + steps


def known(frameskip: int = 1, history: int = 1) -> WorldModel:
    model = Known.for_spec(SPEC, latent=2, frameskip=frameskip)
    model.reads, model.contexts = history, []
    return model


def wandering(count: int = 20, length: int = 25) -> Episodes:
    """Random walks: the recorded actions say little about the way to a far goal."""
    rng, made = np.random.default_rng(0), []
    for index in range(count):
        action = rng.uniform(-1, 1, (length - 1, 2)).astype(np.float32)
        state = np.concatenate([rng.uniform(-4, 4, (1, 2)), action]).cumsum(0).astype(np.float32)
        made.append(Episode({"state": state}, action, index=index))
    return tc.data.from_episodes(made, SPEC)


def fresh(frameskip: int = 1) -> GoalPolicy:
    torch.manual_seed(0)
    return GoalPolicy(GoalPolicyConfig(2, SPEC.action, frameskip, width=64))


def test_the_policy_goes_straight_to_far_goals_as_the_plans_do() -> None:
    agent, policy = Agent(known(), PLANNER, Goal(reduce="sum"), horizon=3), fresh()
    before = {name: value.clone() for name, value in agent.model.state_dict().items()}
    report = distill_policy(agent, policy, wandering().clips(2), steps=300, seed=0, searches=600, blocks=6)
    assert len(report.losses) == report.steps == 600
    draw = torch.Generator().manual_seed(1)
    at, goal = ((torch.rand(200, 2, generator=draw) - 0.5) * 6 for _ in range(2))
    with torch.no_grad():
        error = (policy(at, goal) - (goal - at).clamp(-1, 1)).abs().mean()
    assert error < 0.15
    assert not policy.training
    assert all(torch.equal(before[name], value) for name, value in agent.model.state_dict().items())


def test_the_same_seed_gives_the_same_policy_and_another_one_another() -> None:
    agent, made = Agent(known(), PLANNER, Goal(), horizon=2), []
    for seed in (0, 0, 1):
        policy = fresh()
        distill_policy(agent, policy, wandering().clips(2), steps=3, seed=seed, searches=20, blocks=2)
        made.append(policy.net.layers[0].weight.detach())
    assert torch.equal(made[0], made[1]) and not torch.equal(made[0], made[2])


@pytest.mark.parametrize("history", [1, 3])
def test_contexts_are_recorded_and_then_imagined(history: int) -> None:
    model = known(2, history)
    agent = Agent(model, PLANNER, Goal(), horizon=2)
    distill_policy(agent, fresh(2), wandering().clips(2, 2), steps=1, seed=0, searches=30, blocks=3, rounds=2)
    for context in model.contexts:
        assert context.latents.shape[1] == history
        if history == 1:
            assert context.blocks is None
            continue
        steps = context.blocks.unflatten(-1, (2, 2)).sum(dim=2)
        torch.testing.assert_close(context.latents[:, 1:] - context.latents[:, :-1], steps, rtol=1e-4, atol=1e-5)


def test_the_policy_acts_in_the_later_rounds() -> None:
    model, policy = known(), fresh()
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.zero_()  # its action is 0
    agent = Agent(model, PLANNER, Goal(reduce="sum"), horizon=1)
    frozen = {"training": {"lr": 1e-12, "weight_decay": 0.0}, "other_episodes": 1.0, "searches": 40, "blocks": 4}
    distill_policy(agent, policy, wandering().clips(2), steps=1, seed=0, rounds=2, **frozen)
    rated = [one.latents[:, -1] for one in model.contexts]
    half = len(rated) // 2
    moved = [(part[-1] - part[0]).norm(dim=-1).mean() for part in (rated[:half], rated[half:])]
    assert moved[0] > 1.0 and moved[1] < 1e-3


@pytest.mark.parametrize("follows", [False, True])
def test_constraints_of_the_agent_hold_for_its_plans_and_for_the_policy(follows: bool) -> None:
    model = known(2)
    agent = Agent(model, PLANNER, Goal(reduce="sum"), horizon=2, constraints=[Limits(-0.5, 0.5), MaxChange(0.25)])
    at = torch.zeros(20, 2)
    goals = torch.randn(20, 2, generator=torch.Generator().manual_seed(0)) * 4
    _, _, blocks = _Plans(agent).imagine(
        Context(at[:, None]), goals, tuple(range(20)), 4, fresh(2) if follows else None
    )
    assert 0.4 < blocks.abs().max() <= 0.5
    if not follows:
        steps = blocks.reshape(4, 20, 2, 2).transpose(0, 1).flatten(1, 2).diff(dim=1)
        assert steps.abs().max() <= 0.25 + 1e-6
    visited = torch.stack([one.latents[:, -1] for one in model.contexts])
    assert (visited[1:] - visited[:-1]).abs().max() <= 1.0 + 1e-6


def test_worlds_without_a_plan_are_left_out_and_none_at_all_is_an_error() -> None:
    def only_right(rollout):
        energy = -rollout.blocks[..., 0].sum(dim=2)
        return torch.where(rollout.start[:, :1] > 0, energy, torch.nan)

    agent, at = Agent(known(), PLANNER, only_right, horizon=1), torch.tensor([[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0]])
    latents, goals, blocks = _Plans(agent).imagine(Context(at[:, None]), at + 10, (0, 1, 2), 2, None)
    assert len(latents) == len(goals) == len(blocks) == 4
    torch.testing.assert_close(latents[:2], at[[0, 2]])
    torch.testing.assert_close(goals, (at + 10)[[0, 2, 0, 2]])
    agent = Agent(known(), PLANNER, lambda rollout: rollout.latents[..., 0, 0] * torch.nan, horizon=1)
    with pytest.raises(PlanningError, match="no plan"):
        distill_policy(agent, fresh(), wandering().clips(2), steps=1, seed=0, searches=10)


def test_what_does_not_fit_is_refused() -> None:
    clips, agent = wandering(2, 10).clips(2), Agent(known(), PLANNER, Goal(), horizon=1)
    with pytest.raises(ConfigError, match=r"a model of tacit\.models"):
        distill_policy(Agent(PointModel(), PLANNER, Goal(), horizon=1), fresh(), clips, steps=1, seed=0)
    with pytest.raises(ConfigError, match="action blocks of 4"):
        distill_policy(agent, fresh(2), clips, steps=1, seed=0)
    with pytest.raises(ConfigError, match="Did you mean 'searches'"):
        distill_policy(agent, fresh(), clips, steps=1, seed=0, search=10)
    long = Agent(known(1, 30), PLANNER, Goal(), horizon=1)
    with pytest.raises(ConfigError, match="at least 30 whole blocks"):
        distill_policy(long, fresh(), clips, steps=1, seed=0)
    for change in ({"searches": 5}, {"rounds": 0}, {"other_episodes": 1.5}, {"searches": 10**9}):
        with pytest.raises(ConfigError):
            replace(DistillationTraining(), **change)

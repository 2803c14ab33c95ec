"""The goal policy learns a world whose answer is known, and its proposals stay in the action space."""

import numpy as np
import pytest
import torch
from torch import Tensor

from tacit._config import from_json, to_json
from tacit.errors import ConfigError, SpecError
from tacit.models import GoalPolicy, GoalPolicyConfig, WorldModel
from tacit.planners import WorldNoise
from tacit.types import Box, Context, Discrete, Mixed, Modality, Spec

BOX = Box((-1.0, -0.5), (1.0, 0.5))


class Line:
    """Latents on a plane; a block of two actions moves by their sum."""

    def rollout(self, context: Context, actions: Tensor) -> Tensor:
        latents, past_actions = context.latents, context.blocks
        assert actions.shape[1] == 1
        assert past_actions.shape == (len(latents), latents.shape[1] - 1, 4)
        return latents[:, -1:] + actions.reshape(*actions.shape[:2], 2, 2).sum(-2)


def trained(policy: GoalPolicy, latents: Tensor, goals: Tensor, actions: Tensor) -> GoalPolicy:
    optimizer = torch.optim.Adam(policy.parameters(), 3e-3)
    for _ in range(400):
        optimizer.zero_grad()
        policy.loss(latents, goals, actions).backward()
        optimizer.step()
    return policy.eval()


def test_box() -> None:
    torch.manual_seed(0)
    policy = GoalPolicy(GoalPolicyConfig(2, BOX, frameskip=2, width=64))
    latents = torch.rand(600, 2) * 4 - 2
    actions = (torch.rand(600, 2, 2) * 2 - 1) * torch.tensor([1.0, 0.5])
    # The first action can be told from the displacement when both are equal; the noise cannot.
    actions[:, 1] = actions[:, 0]
    noise = 0.2 * torch.randn(600, 2, 1)
    goals = latents + actions.sum(1)
    policy = trained(policy, latents, goals, (actions + noise * torch.tensor([1.0, 0.0])).flatten(1))
    error = policy(latents, goals) - actions.flatten(1)
    assert error.abs().mean() < 0.06
    _, std, _ = policy._read(latents, goals)
    torch.testing.assert_close(std.mean(0), torch.tensor([0.2, 0.02, 0.2, 0.02]), rtol=0.25, atol=0.02)
    start, goal = torch.zeros(3, 2), torch.tensor([[3.0, 1.0], [-3.0, 0.0], [0.0, -1.0]])
    draw = lambda: policy.propose(Context(start[:, None]), goal, 4, 5, WorldNoise.of(7, 3), Line())  # noqa: E731
    plans = draw()
    assert plans.shape == (3, 5, 4, 4)
    assert torch.equal(plans, draw())
    assert not torch.equal(plans[:, 1], plans[:, 2])
    pairs = plans.reshape(3, 5, 4, 2, 2)
    assert (pairs.abs() <= torch.tensor([1.0, 0.5]) + 1e-6).all()
    reached = plans[:, 0].reshape(3, 8, 2).sum(1)
    assert (reached - goal).norm(dim=-1).max() < 0.5


def test_a_wide_spread_does_not_excuse_a_wrong_mean() -> None:
    torch.manual_seed(0)
    policy = GoalPolicy(GoalPolicyConfig(2, BOX))
    latents, goals, actions = torch.randn(9, 2), torch.randn(9, 2), torch.rand(9, 2) - 0.5
    bias = policy.net.linears[-1].bias
    error = (policy(latents, goals) - actions) / torch.tensor([1.0, 0.5])
    (expected,) = torch.autograd.grad(error.square().mean(), bias)
    (came,) = torch.autograd.grad(policy.loss(latents, goals, actions), bias)
    torch.testing.assert_close(came[:2], expected[:2])
    assert (came[2:] != 0).all()


def test_discrete() -> None:
    torch.manual_seed(0)
    policy = GoalPolicy(GoalPolicyConfig(2, Discrete(4), width=64))
    moves = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    latents, chosen = torch.randn(1000, 2), torch.randint(0, 4, (1000,))
    actions = torch.eye(4)[chosen]
    policy = trained(policy, latents, latents + moves[chosen], actions)
    out = policy(latents, latents + moves[chosen])
    assert (out == actions).all(-1).float().mean() > 0.99

    class Moves:
        def rollout(self, context: Context, actions: Tensor) -> Tensor:
            latents, past_actions = context.latents, context.blocks
            assert past_actions.shape[1] == latents.shape[1] - 1
            return latents[:, -1:] + actions @ moves

    plans = policy.propose(Context(torch.zeros(1, 1, 2)), torch.tensor([[1.0, 0.0]]), 3, 6, WorldNoise((0,)), Moves())
    assert plans.shape == (1, 6, 3, 4)
    assert (plans.sum(-1) == 1).all()
    assert plans[0, 0, 0].argmax() == 0


def test_proposals_are_imagined_from_the_history() -> None:
    torch.manual_seed(0)
    spec = Spec({"state": Modality("vector", (3,))}, BOX)
    model = WorldModel.for_spec(spec, latent=4, frameskip=2, predictor={"name": "transformer", "history": 3}).eval()
    for parameter in model.predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    policy = GoalPolicy(GoalPolicyConfig(4, BOX, frameskip=2))
    latents, past, goal = torch.randn(2, 3, 4), torch.rand(2, 2, 4) - 0.5, torch.randn(2, 4)
    plans = policy.propose(Context(latents, past), goal, 4, 3, WorldNoise.of(0, 2), model)
    with torch.no_grad():
        imagined = model.rollout(Context(latents, past), plans[:, 0])
        expected = policy(torch.cat([latents[:, -1:], imagined[:, :-1]], dim=1), goal[:, None].expand(-1, 4, -1))
    torch.testing.assert_close(plans[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_refused() -> None:
    policy = GoalPolicy(GoalPolicyConfig(4, BOX))
    with pytest.raises(SpecError, match="latents of size 4"):
        policy(torch.zeros(1, 3), torch.zeros(1, 4))
    for latents, past in ((torch.zeros(1, 4), None), (torch.zeros(1, 3, 4), None), (torch.zeros(1, 2, 4), 2)):
        blocks = None if past is None else torch.zeros(1, past, 2)
        with pytest.raises(SpecError, match="the blocks between them"):
            policy.propose(Context(latents, blocks), torch.zeros(1, 4), 2, 2, WorldNoise((0,)), Line())
    with pytest.raises(ConfigError, match="at least 1"):
        GoalPolicyConfig(4, BOX, frameskip=0)


def test_configuration_survives_json() -> None:
    for space in (BOX, Discrete(3)):
        config = GoalPolicyConfig(4, space, frameskip=2)
        assert from_json(GoalPolicyConfig, to_json(config)) == config


def test_a_mixed_space_has_numbers_and_choices():
    torch.manual_seed(0)
    space = Mixed((Discrete(3), Box((-1.0, 0.0), (1.0, 2.0)), Discrete(2)))
    policy = GoalPolicy(GoalPolicyConfig(4, space, frameskip=2, width=32))
    latents, goals = torch.rand(400, 4), torch.rand(400, 4)
    wanted = torch.from_numpy(
        np.concatenate([np.eye(3)[np.full(800, 1)], np.full((800, 2), [0.5, 1.5]), np.eye(2)[np.arange(800) % 2]], 1)
    )
    wanted = wanted.float().reshape(400, 14)
    optimiser = torch.optim.Adam(policy.parameters(), 1e-2)
    first = policy.loss(latents, goals, wanted).item()
    for _ in range(80):
        optimiser.zero_grad()
        loss = policy.loss(latents, goals, wanted)
        loss.backward()
        optimiser.step()
    assert loss < first
    found = policy(latents, goals)
    assert space.contains(found.detach().reshape(400, 2, 7)).all()
    assert (found.reshape(400, 2, 7)[..., :3] == torch.eye(3)[1]).all()
    torch.testing.assert_close(found[:, 3:5], torch.tensor([0.5, 1.5]).expand(400, 2), atol=0.1, rtol=0)
    assert (found.reshape(400, 2, 7)[..., 5:].argmax(-1) == torch.tensor([0, 1])).all()

"""The training of goal-conditioned policies."""

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.data import Episodes
from tacit.errors import ConfigError
from tacit.models import GoalPolicy, WorldModel
from tacit.models.goal_policy import GoalPolicyConfig
from tacit.training import train_goal_policy
from tacit.training.goal_policy import _Pairs
from tacit.types import Box, Episode, Modality, Spec

SPEC = Spec({"state": Modality("vector", (2,))}, Box((-1.0, -1.0), (1.0, 1.0)))


def walks(count: int, length: int) -> Episodes:
    """Points that walk straight in a direction of their own: the state is the position."""
    rng = np.random.default_rng(0)
    made = []
    for index in range(count):
        action = np.repeat(rng.uniform(-1, 1, (1, 2)), length - 1, axis=0).astype(np.float32)
        state = np.concatenate([np.zeros((1, 2)), action.cumsum(0)]).astype(np.float32) + 100 * index
        made.append(Episode({"state": state}, action, index=index))
    return tc.data.from_episodes(made, SPEC)


def model(frameskip: int) -> WorldModel:
    """An encoder that is the identity."""
    made = WorldModel.for_spec(SPEC, latent=2, frameskip=frameskip, encoders={"state": "identity"})
    with torch.no_grad():
        for name, parameter in made.encoder.named_parameters():
            parameter.copy_(torch.eye(2) if name.endswith("weight") else torch.zeros(2))
    return made


@pytest.mark.parametrize("frameskip", [1, 3])
def test_pairs_are_a_latent_a_later_one_and_the_block_between(frameskip: int) -> None:
    episodes = walks(5, 14)
    pairs = _Pairs(model(frameskip), episodes.clips(4, frameskip))
    latents, goals, blocks = pairs.batch(seed=0, step=0, size=2000, ahead=3)
    assert blocks.shape == (2000, 2 * frameskip)
    torch.testing.assert_close(blocks, blocks[:, :2].repeat(1, frameskip))
    distance = ((goals - latents) / blocks[:, :2] / frameskip)[:, 0]
    torch.testing.assert_close(distance, distance.round(), rtol=0, atol=1e-2)
    assert set(distance.round().int().tolist()) == {1, 2, 3}
    assert len(latents.unique(dim=0)) == 5 * (14 - frameskip), "every latent with a block after it is drawn"
    again = pairs.batch(seed=0, step=0, size=2000, ahead=3)
    assert all(torch.equal(a, b) for a, b in zip((latents, goals, blocks), again, strict=True))
    assert not torch.equal(latents, pairs.batch(seed=0, step=1, size=2000, ahead=3)[0])


def test_it_learns_the_action_towards_the_goal() -> None:
    rng = np.random.default_rng(1)
    made = []
    for index in range(30):
        action = rng.uniform(-1, 1, (39, 2)).astype(np.float32)
        state = np.concatenate([np.zeros((1, 2)), action.cumsum(0)]).astype(np.float32)
        made.append(Episode({"state": state}, action, index=index))
    world = model(1)
    torch.manual_seed(0)
    policy = GoalPolicy(GoalPolicyConfig(2, SPEC.action, width=64))
    before = {name: value.clone() for name, value in world.state_dict().items()}
    report = train_goal_policy(
        world, policy, tc.data.from_episodes(made, SPEC).clips(2), steps=400, seed=0, ahead=1, lr=3e-3
    )
    assert len(report.losses) == report.steps == 400
    at = torch.randn(200, 2, generator=torch.Generator().manual_seed(2))
    wanted = torch.rand(200, 2, generator=torch.Generator().manual_seed(3)) * 1.6 - 0.8
    with torch.no_grad():
        assert (policy(at, at + wanted) - wanted).abs().mean() < 0.1
    assert not policy.training
    assert all(torch.equal(before[name], value) for name, value in world.state_dict().items())


def test_what_does_not_fit_is_refused() -> None:
    clips = walks(2, 10).clips(2)
    with pytest.raises(ConfigError, match="latents of 3"):
        train_goal_policy(model(1), GoalPolicy(GoalPolicyConfig(3, SPEC.action)), clips, steps=1, seed=0)
    policy = GoalPolicy(GoalPolicyConfig(2, SPEC.action))
    with pytest.raises(ConfigError, match="Did you mean 'ahead'"):
        train_goal_policy(model(1), policy, clips, steps=1, seed=0, ahed=2)
    policy = GoalPolicy(GoalPolicyConfig(2, SPEC.action, frameskip=2))
    with pytest.raises(ConfigError, match="frameskip=2"):
        train_goal_policy(model(2), policy, clips, steps=1, seed=0)

"""Critics of returns learn the rewards and values of worlds in which they are known."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

import tacit as tc
from tacit.costs import ReturnCritic, ReturnCriticConfig
from tacit.data import Episodes
from tacit.errors import ConfigError, DataError
from tacit.models import WorldModel
from tacit.training import train_critic
from tacit.types import REWARD, Box, Episode, Modality, Spec
from training.test_critic import identity

SPEC = Spec({"state": Modality("vector", (6,))}, Box((-1.0,), (1.0,)))
DISCOUNT = 0.8
CHAIN = np.array([1.0, 0.0, -2.0, 0.5, 3.0])
"""The reward of leaving each of five cells; the sixth is the end."""


def chain(bonus: float = 0.0) -> Episodes:
    """Walks along the six cells, each one-hot, to the end; an action adds ``bonus`` times itself to the reward."""
    rng, made = np.random.default_rng(0), []
    for index in range(40):
        action = rng.choice([-1.0, 1.0], (5, 1)).astype(np.float32)
        reward = np.append(CHAIN + bonus * action[:, 0], 99.0)  # of an action whose outcome is not recorded
        labels = {REWARD: reward.astype(np.float32)}
        made.append(Episode({"state": np.eye(6, dtype=np.float32)}, action, True, labels=labels, index=index))
    return tc.data.from_episodes(made, SPEC)


def trained(
    episodes: Episodes, frameskip: int = 1, steps: int = 700, **options: float
) -> tuple[WorldModel, ReturnCritic]:
    model = identity(episodes.spec, frameskip)
    torch.manual_seed(0)
    critic = ReturnCritic(ReturnCriticConfig(6, frameskip, DISCOUNT, width=32))
    chosen = {"tau": 0.5, "batch_size": 64, "lr": 3e-3, "follow": 0.05, **options}
    report = train_critic(model, critic, episodes.clips(2, frameskip), steps=steps, seed=0, **chosen)
    assert len(report.losses) == report.steps == steps
    return model, critic


def values(critic: ReturnCritic) -> npt.NDArray[np.float64]:
    with torch.no_grad():
        return critic.value(torch.eye(6)).double().numpy()


def by_hand(frameskip: int) -> list[float]:
    """The value of each cell: the rewards of whole blocks, each discounted once, until the world ends."""
    found = [0.0] * (5 + frameskip + 1)
    for cell in range(4, -1, -1):
        found[cell] = sum(CHAIN[cell : cell + frameskip]) + DISCOUNT * found[cell + frameskip]
    return found[:6]


@pytest.mark.parametrize("bootstrap", [1, 3])
@pytest.mark.parametrize("frameskip", [1, 2])
def test_values_of_a_chain_are_its_discounted_rewards(bootstrap: int, frameskip: int) -> None:
    _, critic = trained(chain(), frameskip, bootstrap=bootstrap)
    np.testing.assert_allclose(values(critic), by_hand(frameskip), atol=0.1)


def test_rewards_depend_on_state_and_block() -> None:
    _, critic = trained(chain(bonus=2.0), 2)
    blocks = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0]])
    with torch.no_grad():
        found = critic.reward(torch.eye(6)[:4, None].expand(4, 3, 6), blocks.expand(4, 3, 2))
    wanted = CHAIN[:4, None] + CHAIN[1:, None] + 2 * blocks.sum(1).numpy()
    np.testing.assert_allclose(found, wanted, atol=0.3)


def test_what_was_cut_short_goes_on() -> None:
    """A still world with a reward of 1 a step is worth 1 / (1 - discount), however short its episodes."""
    still = np.tile(np.eye(6, dtype=np.float32)[:1], (4, 1))
    varied = [
        Episode({"state": still}, np.zeros((3, 1), np.float32), ended, labels={REWARD: np.ones(4, np.float32)})
        for ended in (False, False)
    ]
    _, critic = trained(tc.data.from_episodes(varied, SPEC), bootstrap=2)
    assert values(critic)[0] == pytest.approx(1 / (1 - DISCOUNT), rel=0.05)


@pytest.mark.parametrize("tau", [0.5, 0.9])
def test_tau_weighs_between_the_recorded_and_the_best(tau: float) -> None:
    """One step, worth 0 or 1 at random: the expectile of a fair coin is tau itself."""
    states, rng = np.eye(6, dtype=np.float32)[:2], np.random.default_rng(0)
    made = []
    for index in range(400):
        action = np.full((1, 1), rng.choice([-1.0, 1.0]), np.float32)
        reward = np.array([float(index % 2), 0.0], np.float32)
        made.append(Episode({"state": states}, action, True, labels={REWARD: reward}, index=index))
    _, critic = trained(tc.data.from_episodes(made, SPEC), tau=tau)
    assert values(critic)[0] == pytest.approx(tau, abs=0.06)


def test_training_is_a_function_of_its_seed() -> None:
    one, other = (trained(chain(), steps=5)[1].state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_does_not_fit_is_refused() -> None:
    episodes, model = chain(), identity(SPEC)
    critic = ReturnCritic(ReturnCriticConfig(6, 1))
    plain = tc.data.from_episodes([Episode(dict(one.observation), one.action) for one in episodes], SPEC)
    with pytest.raises(DataError, match=r"no label 'next\.reward'"):
        train_critic(model, critic, plain.clips(2), steps=1, seed=0)
    with pytest.raises(ConfigError, match="for blocks of 2 numbers; the model has 1"):
        train_critic(model, ReturnCritic(ReturnCriticConfig(6, 2)), episodes.clips(2), steps=1, seed=0)
    with pytest.raises(ConfigError, match="steps >= 1; got 1 and 0"):
        train_critic(model, critic, episodes.clips(2), steps=0, seed=0)
    with pytest.raises(ConfigError, match="tau is between 0 and 1; got 2"):
        train_critic(model, critic, episodes.clips(2), steps=1, seed=0, tau=2.0)
    model, critic = identity(SPEC, 9), ReturnCritic(ReturnCriticConfig(6, 9))
    with pytest.raises(DataError, match="longer than a block of 9 steps"):
        train_critic(model, critic, episodes.clips(1, 9), steps=1, seed=0)

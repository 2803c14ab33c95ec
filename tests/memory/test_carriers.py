"""Carriers against closed forms and slow references, and their training on a cue that is known."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import tacit as tc
from tacit.errors import ConfigError, DataError, SpecError
from tacit.memory import carriers
from tacit.memory.carriers import (
    GRU,
    EMABank,
    EMABankConfig,
    GRUConfig,
    SlotsConfig,
)
from tacit.testing.carriers import check_carrier
from tacit.training.carrier import train_carrier
from tacit.types import Box, Carrier, Episode, Modality, Spec
from training.test_critic import identity

D, A, T = 6, 4, 9


def built(name, latent=D, block=A, seed=0):
    torch.manual_seed(seed)
    options = {"gru": {"width": 24}, "slots": {"slots": 4, "width": 16, "chunk": 3}, "ema_bank": {"times": (2.0, 9.0)}}
    kind = carriers.load(name)
    return kind(kind.configuration(latent, block, **options[name]))


def sequences(batch=3, length=T, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(batch, length, D, generator=draw), torch.randn(batch, length - 1, A, generator=draw)


@pytest.mark.parametrize("name", carriers.names())
def test_carriers_conform(name):
    carrier = built(name)
    assert isinstance(carrier, Carrier)
    check_carrier(carrier)


class Watches(EMABank):
    """Averages over the worlds of a batch."""

    def write(self, carry, latents, blocks):
        return super().write(carry, latents - latents.mean(dim=0), blocks)


class Overwrites(EMABank):
    """Writes to the state that it is given."""

    def write(self, carry, latents, blocks):
        carry["averages"] += 1.0
        return super().write(carry, latents, blocks)


class Forgets(EMABank):
    """Has a state that no agent can save."""

    def start(self, batch):
        return {**super().start(batch), "steps": torch.zeros(())}


@pytest.mark.parametrize(
    ("broken", "promise"), [(Watches, "neither on the others"), (Overwrites, "must not write"), (Forgets, "tensors")]
)
def test_the_suite_notices_broken_promises(broken, promise):
    with pytest.raises((AssertionError, SpecError), match=promise):
        check_carrier(broken(EMABankConfig(D, A)))


def test_the_bank_is_its_closed_form():
    bank = EMABank(EMABankConfig(D, A, (1.0, 4.0, 30.0)))
    bank.mean.copy_(torch.randn(D))
    bank.whitening.copy_(torch.randn(D, D))
    latents, blocks = sequences()
    read = bank.read_along(latents, blocks)
    standard = (latents.double() - bank.mean) @ bank.whitening.double()
    for index, time in enumerate((1.0, 4.0, 30.0)):
        share = 1 - math.exp(-1 / time)
        for step in range(T + 1):
            weights = torch.tensor([share * (1 - share) ** (step - 1 - past) for past in range(step)])
            expected = (weights[None, :, None] * standard[:, :step]).sum(dim=1)
            found = read[:, step, index * D : (index + 1) * D]
            assert torch.allclose(found.double(), expected, atol=1e-5)


def test_the_unit_is_that_of_torch_stepped_naively():
    carrier, (latents, blocks) = built("gru"), sequences()
    cell = nn.GRUCell(24, 24)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in carrier.gru.state_dict().items()})
    hidden, expected = torch.zeros(3, 24), [torch.zeros(3, 24)]
    for step in range(T):
        before = blocks[:, step - 1] if step else torch.zeros(3, A)
        hidden = cell(carrier.features(torch.cat([latents[:, step], before], dim=1)), hidden)
        expected.append(hidden)
    assert torch.allclose(carrier.read_along(latents, blocks), torch.stack(expected, dim=1), atol=1e-5)


def test_new_units_forget_over_one_to_the_longest_number_of_blocks():
    gates = slice(500, 1000)
    keeps = GRU(GRUConfig(D, A, 500, 50)).gru.bias_ih_l0[gates].sigmoid()
    times = -1 / keeps.log()
    assert 0.5 < times.min() < 5
    assert 40 < times.max() < 51


@pytest.mark.parametrize("name", carriers.names())
@pytest.mark.parametrize("length", [1, 2, 3, 6, 7])
def test_streamed_is_one_pass(name, length):
    carrier, (latents, blocks) = built(name), sequences(length=length)
    carry = carrier.start(3)
    reads = [carrier.read(carry)]
    for step in range(length):
        carry = carrier.step(carry, latents[:, step], blocks[:, step - 1] if step else None)
        reads.append(carrier.read(carry))
    assert torch.allclose(torch.stack(reads, dim=1), carrier.read_along(latents, blocks), atol=1e-5)


@pytest.mark.parametrize("name", carriers.names())
def test_what_is_read_before_a_latent_does_not_know_it(name):
    carrier, (latents, blocks) = built(name), sequences()
    read = carrier.read_along(latents, blocks)
    latents[:, 5] += 3.0
    other = carrier.read_along(latents, blocks)
    assert torch.equal(read[:, :6], other[:, :6])
    assert (read[:, 6] - other[:, 6]).abs().amax(dim=1).min() > 1e-3


@pytest.mark.parametrize("name", carriers.names())
def test_bad_input_is_refused(name):
    carrier, (latents, blocks) = built(name), sequences()
    carry = carrier.start(3)
    with pytest.raises(SpecError, match=r"latents of shape \[3, 6\]; got \[3, 5\]"):
        carrier.step(carry, latents[:, 0, :5])
    with pytest.raises(SpecError, match=r"latents of shape \[3, 6\]; got \[2, 6\]"):
        carrier.step(carry, latents[:2, 0])
    with pytest.raises(SpecError, match="blocks of shape"):
        carrier.step(carry, latents[:, 0], blocks[:, 0, :2])
    with pytest.raises(SpecError, match="1 world or more"):
        carrier.start(0)
    with pytest.raises(SpecError, match="blocks"):
        carrier.read_along(latents, blocks[:, :3])
    other = built(next(one for one in carriers.names() if one != name)).start(3)
    for strange in (other, {}, {**carry, "more": torch.zeros(3)}, {"hidden": torch.zeros(3, 7)}, None):
        with pytest.raises(SpecError, match="start again"):
            carrier.step(strange, latents[:, 0])
        with pytest.raises(SpecError, match="start again"):
            carrier.read(strange)


@pytest.mark.parametrize(
    "build",
    [
        lambda: GRUConfig(0, 2),
        lambda: GRUConfig(2, 2, width=0),
        lambda: SlotsConfig(2, 2, width=10, heads=4),
        lambda: SlotsConfig(2, 2, chunk=0),
        lambda: EMABankConfig(2, 2, ()),
        lambda: EMABankConfig(2, 2, (3.0, -1.0)),
    ],
)
def test_configurations_are_checked(build):
    with pytest.raises(ConfigError):
        build()


CUED = Spec({"state": Modality("vector", (D,))}, Box((-1.0, -1.0), (1.0, 1.0)))
LENGTH = 16


def cued(count, seed, onset=None):
    """Noise in two components; one of four others is high at a single step, and names the class."""
    rng, made = np.random.default_rng(seed), []
    for index in range(count):
        state = np.zeros((LENGTH, D), np.float32)
        state[:, 4:] = rng.normal(size=(LENGTH, 2))
        which, at = rng.integers(4), rng.integers(1, 5) if onset is None else onset
        state[at, which] = 1.0
        action = rng.uniform(-1, 1, (LENGTH - 1, 2)).astype(np.float32)
        made.append(Episode({"state": state}, action, labels={"cue": np.full(LENGTH, which)}, index=index))
    return tc.data.from_episodes(made, CUED)


def last_reads(model, carrier, episodes):
    """Return the memory at the end of each episode, and the cue."""
    whole = list(episodes)
    latents = torch.stack([model.encode({"state": one.observation["state"]}) for one in whole])
    blocks = torch.stack([torch.from_numpy(one.action) for one in whole])[:, : LENGTH - 1]
    return carrier.read_along(latents, blocks)[:, -1], torch.tensor([int(one.labels["cue"][0]) for one in whole])


def classified(fitted, test, zeroed=False):
    """Return the share of test episodes whose cue a linear map of the memory names."""
    (x, y), (u, v) = fitted, test
    if zeroed:
        x, u = torch.zeros_like(x), torch.zeros_like(u)
    x, u = (torch.cat([part, torch.ones(len(part), 1)], dim=1).double() for part in (x, u))
    weight = torch.linalg.solve(x.T @ x + 0.1 * torch.eye(x.shape[1]), x.T @ torch.eye(4)[y].double())
    return ((u @ weight).argmax(dim=1) == v).double().mean().item()


@pytest.mark.parametrize("name", carriers.names())
def test_carriers_learn_to_hold_a_cue(name):
    torch.manual_seed(0)
    model, episodes = identity(CUED).eval(), cued(240, 0)
    carrier = built(name, D, 2)
    options = {
        "batch_size": 32,
        "length": LENGTH - 1,
        "width": 64,
        "lr": 5e-3,
        "ahead": 0.0,
        "window": 2,
        "bins": 1,
        "spread": 0.0,
    }
    report = train_carrier(model, carrier, episodes.clips(2), steps=100, seed=0, progress=False, **options)
    assert len(report.losses) == report.steps == (0 if name == "ema_bank" else 100)
    assert not carrier.training
    with torch.no_grad():
        fitted, test = last_reads(model, carrier, episodes), last_reads(model, carrier, cued(200, 1))
    assert classified(fitted, test) >= 0.9
    assert classified(fitted, test, zeroed=True) <= 0.35


def test_a_training_is_a_function_of_its_seed():
    model, episodes = identity(CUED).eval(), cued(20, 0)
    weights = []
    for seed in (1, 1, 2):
        carrier = built("gru", D, 2)
        before = torch.random.get_rng_state()
        train_carrier(model, carrier, episodes.clips(2), steps=3, seed=seed, progress=False, batch_size=4)
        assert torch.equal(before, torch.random.get_rng_state())
        weights.append(torch.cat([one.flatten() for one in carrier.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_trainings_that_do_not_fit_are_refused():
    model, episodes = identity(CUED).eval(), cued(4, 0)
    with pytest.raises(ConfigError, match="blocks of 4 numbers; the model has 6 and 2"):
        train_carrier(model, built("gru"), episodes.clips(2), steps=1, seed=0)
    with pytest.raises(ConfigError, match="steps >= 1"):
        train_carrier(model, built("gru", D, 2), episodes.clips(2), steps=0, seed=0)
    with pytest.raises(ConfigError, match=r"no option 'lenght'.*length"):
        train_carrier(model, built("gru", D, 2), episodes.clips(2), steps=1, seed=0, lenght=3)
    with pytest.raises(ConfigError, match="temperature"):
        train_carrier(model, built("gru", D, 2), episodes.clips(2), steps=1, seed=0, temperature=0.0)
    with pytest.raises(DataError, match="Record longer episodes"):
        train_carrier(model, built("gru", D, 2), episodes.clips(2), steps=1, seed=0, window=30)

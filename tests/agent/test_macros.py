"""Macro-actions: the model, its training, the search, and plans toward its sub-goals."""

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.agent import MacroSearch
from tacit.errors import ConfigError, DataError, SpecError
from tacit.models.macro_model import MacroModel, MacroModelConfig
from tacit.planners import WorldNoise
from tacit.training.macros import train_macros
from tacit.types import Box, Episode, Modality, Spec

STRIDE, SKIP = 3, 2


def episodes(count=30, blocks=15, seed=0):
    """Return random walks of a point, whose latent and position are the same."""
    rng, found = np.random.default_rng(seed), []
    for index in range(count):
        held = rng.uniform(-1, 1, (blocks, 2)).repeat(SKIP, axis=0)
        position = np.concatenate([np.zeros((1, 2)), np.cumsum(held, axis=0)]) + rng.normal(0, 2, 2)
        found.append(Episode({"position": position.astype(np.float32)}, held.astype(np.float32), index=index))
    return tc.data.from_episodes(
        found, Spec({"position": Modality("vector", (2,))}, Box((-1.0,) * 2, (1.0,) * 2, "delta"))
    )


@pytest.fixture(scope="module")
def trained():
    """Return a world model, and macro-actions that were trained on it."""
    recorded = episodes()
    model = tc.models.WorldModel.for_spec(recorded.spec, latent=4, frameskip=SKIP)
    torch.manual_seed(0)
    macros = MacroModel(MacroModelConfig(4, 4, STRIDE, size=4, bank=200, width=64))
    report = train_macros(model, macros, recorded.clips(2, SKIP), steps=300, seed=0, ahead=2)
    return model, macros, recorded, report


class Adding(MacroModel):
    """Macro-actions that add themselves to the latent, so that the best sequence is known."""

    def __init__(self, bank):
        super().__init__(MacroModelConfig(2, 1, 1, size=2, bank=len(bank)))
        self.bank.copy_(torch.as_tensor(bank))
        self.known.fill_(len(bank))
        self.box.copy_(torch.stack([self.bank.amin(0), self.bank.amax(0)]))

    def rollout(self, start, macros):
        return start[..., None, :] + macros.cumsum(dim=-2)


def test_training_lowers_the_error_and_fills_the_bank(trained):
    model, macros, recorded, report = trained
    assert np.mean(report.losses[-20:]) < 0.5 * np.mean(report.losses[:20])
    assert not macros.training and macros.recorded.shape == (200, 4) and float(macros.reach) > 0
    inside = ((macros.recorded >= macros.box[0]) & (macros.recorded <= macros.box[1])).float().mean(dim=0)
    assert (inside > 0.9).all()  # the box holds 96 % of recorded macro-actions
    first = recorded[0]
    with torch.no_grad():
        latents = model.encode({"position": first.observation["position"][:: SKIP * STRIDE]})
        chunks = torch.from_numpy(first.action).reshape(-1, STRIDE, 2 * SKIP)
        predicted = macros.rollout(latents[:1], macros.encode(chunks)[None])[0]
    error, still = (predicted - latents[1:]).abs().mean(), (latents[:1] - latents[1:]).abs().mean()
    assert error < 0.5 * still


def test_it_is_the_same_with_the_same_seed(trained):
    model, macros, recorded, _ = trained
    torch.manual_seed(0)
    again = MacroModel(macros.config)
    train_macros(model, again, recorded.clips(2, SKIP), steps=300, seed=0, ahead=2)
    for name, value in macros.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)


def test_without_residuals_the_best_recorded_sequence_is_found():
    bank = np.random.default_rng(0).uniform(-1, 1, (6, 2)).astype(np.float32)
    search = MacroSearch(Adding(bank), tc.costs.Goal(), horizon=2, samples=512, iterations=1)
    start, goal = torch.zeros(3, 2), torch.tensor([[1.0, 0.4], [-0.7, 0.2], [0.1, -1.2]])
    found = search(start, goal, WorldNoise((1, 2, 3)))
    sums = bank[:, None] + bank[None]  # every sequence of two
    best = ((sums[None] - goal.numpy()[:, None, None]) ** 2).mean(axis=-1).reshape(3, -1).min(axis=1)
    np.testing.assert_allclose(found.energy.numpy(), best, rtol=1e-5)
    assert (found.residual == 0).all()
    np.testing.assert_allclose(found.latents[:, -1].numpy(), found.macros.sum(dim=1).numpy(), rtol=1e-5)


def test_residuals_improve_a_plan_and_stay_near_and_in_the_box():
    bank = np.random.default_rng(0).uniform(-1, 1, (6, 2)).astype(np.float32)
    goal = torch.tensor([[1.0, 0.4], [-0.7, 0.2]])
    plain, refined = (
        MacroSearch(Adding(bank), tc.costs.Goal(), horizon=2, iterations=rounds)(
            torch.zeros(2, 2), goal, WorldNoise((1, 2))
        )
        for rounds in (1, 8)
    )
    assert (refined.energy < 0.1 * plain.energy).all() and (refined.residual > 0).all()
    assert (refined.macros >= torch.as_tensor(bank.min(0))).all() and (
        refined.macros <= torch.as_tensor(bank.max(0))
    ).all()
    near = torch.cdist(refined.macros, torch.as_tensor(bank)).amin(dim=-1)
    assert (near < 0.6).all()
    exact = MacroSearch(Adding(bank), tc.costs.Goal(torch.as_tensor(bank[0] + bank[1])), horizon=2, iterations=6)
    kept = exact(torch.zeros(1, 2), goal[:1], WorldNoise((1,)))
    assert kept.residual == 0 and kept.energy < 1e-10  # a recorded sequence that is best stays as it is


def test_a_world_does_not_depend_on_its_batch(trained):
    _, macros, _, _ = trained
    search = MacroSearch(macros, tc.costs.Goal(), horizon=3, samples=64)
    start, goal = torch.randn(5, 4), torch.randn(5, 4)
    many = search(start, goal, WorldNoise((1, 2, 3, 4, 5)))
    alone = search(start[2:3], goal[2:3], WorldNoise((3,)))
    torch.testing.assert_close(alone.macros[0], many.macros[2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(alone.latents[0], many.latents[2], rtol=1e-4, atol=1e-5)


def test_a_world_without_a_finite_energy_fails_alone(trained):
    _, macros, _, _ = trained
    start = torch.randn(2, 4)
    start[0, 0] = torch.nan
    found = MacroSearch(macros, tc.costs.Goal())(start, torch.randn(2, 4), WorldNoise((1, 2)))
    assert not found.energy[0].isfinite() and found.energy[1].isfinite() and found.latents[1].isfinite().all()


def test_what_does_not_fit_is_refused(trained):
    model, macros, recorded, _ = trained
    with pytest.raises(ConfigError, match="at least 1"):
        MacroModelConfig(4, 4, stride=0)
    with pytest.raises(SpecError, match=r"\[K, A'\] = \[3, 4\]"):
        macros.encode(torch.zeros(2, 4))
    with pytest.raises(SpecError, match="macro-actions of size 4"):
        macros.rollout(torch.zeros(1, 4), torch.zeros(1, 2, 3))
    with pytest.raises(ConfigError, match="elites <= samples"):
        MacroSearch(macros, tc.costs.Goal(), elites=300)
    other = MacroModel(MacroModelConfig(5, 4))
    with pytest.raises(ConfigError, match="for 5 and 4"):
        train_macros(model, other, recorded.clips(2, SKIP), steps=1, seed=0)
    with pytest.raises(DataError, match="60 whole blocks"):
        train_macros(model, macros, recorded.clips(2, SKIP), steps=1, seed=0, ahead=20)
    with pytest.raises(ConfigError, match="ahed"):
        train_macros(model, macros, recorded.clips(2, SKIP), steps=1, seed=0, ahed=2)


def agent_of(model, macros, **options):
    planner = tc.planners.CEM(samples=16, iterations=2, elites=4)
    search = MacroSearch(macros, tc.costs.Goal(metric="l1"), horizon=2, samples=32, elites=4, **options)
    return tc.Agent(model, planner, tc.costs.Goal(), horizon=4, repeat_action=True, sub_goals=search)


def test_the_low_level_plans_toward_the_first_latent_of_the_high_level(trained):
    model, macros, _, _ = trained
    agent, asked = agent_of(model, macros), []

    class Spy:
        def __call__(self, situation):
            asked.append(situation.goal)
            return agent.decider.search(situation)

    spied = agent.replaced(model, tc.agent.SubGoalSearch(Spy(), agent.config.sub_goals))
    start = np.array([[0.0, 0.0], [1.0, 1.0]], np.float32)
    far = {"position": np.array([[9.0, -9.0], [1.0, 1.0]], np.float32)}
    state = spied.start(seed=[3, 4], batch=2, goal=far)
    spied.act(state, {"position": start})
    with torch.no_grad():
        latents, goals = model.encode({"position": start}), model.encode(far)
    plan = agent.config.sub_goals(latents, goals, WorldNoise((3, 4), (0, 0)).spawn(2))
    torch.testing.assert_close(asked[0][0], plan.latents[0, 0])
    torch.testing.assert_close(asked[0][1], goals[1])  # it is there already, so the goal itself


def test_an_agent_is_saved_with_its_macro_actions(trained, tmp_path):
    model, macros, _, _ = trained
    agent = agent_of(model, macros, std=0.4)
    agent.save(tmp_path / "agent")
    loaded = tc.Agent.load(tmp_path / "agent")
    assert loaded.digest() == agent.digest() != agent.replace(sub_goals=None).digest()
    assert loaded.config.sub_goals.std == 0.4 and "macro-actions" in str(loaded)
    goal, seen = {"position": np.full((2, 2), 5, np.float32)}, {"position": np.zeros((2, 2), np.float32)}
    (first, verdict, _), (second, _, _) = (
        one.act(one.start(seed=1, batch=2, goal=goal), seen) for one in (agent, loaded)
    )
    assert verdict.ok
    np.testing.assert_array_equal(first, second)
    with pytest.raises(ConfigError, match="blocks of 2 numbers"):
        tc.Agent(
            model,
            tc.planners.CEM(),
            tc.costs.Goal(),
            horizon=2,
            sub_goals=MacroSearch(MacroModel(MacroModelConfig(4, 2)), tc.costs.Goal()),
        )

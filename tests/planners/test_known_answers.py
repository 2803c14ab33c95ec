"""Each planner finds the answer where there is one, and each formula agrees with a naive one."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from planners.asking import ask
from tacit.planners import CEM, ICEM, MPPI, Gradient, RandomShooting, WorldNoise
from tacit.testing.planners import bandit, bowl, point_mass, two_valleys
from tacit.types import Box

LONG = [
    CEM(samples=300, iterations=40, elites=30, min_std=0.001),
    ICEM(samples=300, iterations=40, elites=30, beta=1.0, momentum=0.3, decay=1.02),
    MPPI(samples=300, iterations=40, temperature=0.1, decay=0.9),
    Gradient(starts=4, iterations=300, learning_rate=0.02),
]


@pytest.mark.parametrize("planner", LONG, ids=lambda planner: type(planner).__name__)
def test_linear_quadratic_optimum(planner):
    problem = point_mass(effort=0.3)
    plan = problem.solve(planner)
    assert 0.1 < problem.optimum.abs().max() < 1.9, "the bounds must not bind"
    assert (problem.regret(plan).abs() < 1e-3).all()
    # Near its minimum the energy is flat: 1e-3 of the regret is a few hundredths in the actions.
    assert (plan.actions - problem.optimum).abs().max() < 0.1


@pytest.mark.parametrize("planner", LONG, ids=lambda planner: type(planner).__name__)
def test_optimum_on_the_bounds(planner):
    problem = bowl(horizon=3)
    plan = problem.solve(planner)
    assert (problem.optimum == torch.tensor(problem.space.high)).any()
    assert (plan.actions - problem.optimum).abs().max() < 0.03


@pytest.mark.parametrize("planner", [*LONG, RandomShooting(samples=3000)], ids=lambda planner: type(planner).__name__)
def test_deeper_of_two_valleys(planner):
    problem = two_valleys()
    assert (problem.solve(planner).actions > 0).all()


@pytest.mark.parametrize("planner", [CEM(), RandomShooting(samples=4000)])
def test_bandit(planner):
    problem = bandit()
    assert torch.equal(problem.solve(planner).actions, problem.optimum)


def naive_cem(planner, problem, seed):
    """One world after the other, in float64."""
    batch, horizon, size = problem.optimum.shape
    low, high = np.array(problem.space.low), np.array(problem.space.high)
    streams = WorldNoise.of(seed, batch)
    noise = [streams.normal(number, (planner.samples, horizon, size)) for number in range(planner.iterations)]
    found, energy = np.zeros((batch, horizon, size)), np.full(batch, np.inf)
    for world in range(batch):
        mean, std = np.tile((low + high) / 2, (horizon, 1)), np.tile(planner.std * (high - low) / 2, (horizon, 1))
        for number, drawn in enumerate(noise):
            candidates = np.clip(mean + std * drawn[world], low, high)
            candidates[0] = np.clip(mean, low, high)
            if number == 0:
                candidates[1] = np.clip(0.0, low, high)
            tiled = torch.tensor(candidates).float().expand(batch, -1, -1, -1)
            energies = problem.score(tiled)[world].double().numpy()
            order = np.argsort(energies)
            if energies[order[0]] < energy[world]:
                energy[world], found[world] = energies[order[0]], candidates[order[0]]
            elites = candidates[order[: planner.elites]]
            mean = planner.mean_momentum * mean + (1 - planner.mean_momentum) * elites.mean(axis=0)
            fitted = planner.std_momentum * std + (1 - planner.std_momentum) * elites.std(axis=0, ddof=1)
            std = np.maximum(fitted, planner.min_std * (high - low) / 2)
    return found, energy


@pytest.mark.parametrize("momenta", [(0.0, 0.0), (0.2, 0.7)])
def test_cem_equals_a_naive_loop(momenta):
    planner = CEM(samples=64, iterations=6, elites=8, mean_momentum=momenta[0], std_momentum=momenta[1])
    problem = bowl(batch=4, horizon=3)
    found, energy = naive_cem(planner, problem, seed=5)
    plan = problem.solve(planner, seed=5)
    np.testing.assert_allclose(plan.actions.numpy(), found, atol=1e-6)
    np.testing.assert_allclose(plan.energy.numpy(), energy, atol=1e-6)


@pytest.mark.parametrize("kind", [CEM, MPPI])
def test_the_mean_is_one_candidate_more(kind):
    problem = point_mass()
    plan = problem.solve(kind(result="mean"))
    mean = plan.trace[-1].elite
    better = problem.score(mean[:, None])[:, 0] < plan.trace[-1].best
    assert better.any()
    assert torch.equal(plan.actions[better], mean[better]), "a mean that is the best is returned"
    assert torch.equal(plan.energy < plan.trace[-1].best, better)
    assert plan.evaluations == 3001
    best = problem.solve(kind(result="best"))
    assert torch.equal(best.energy, best.trace[-1].best)
    assert torch.equal(best.energy, plan.trace[-1].best)
    assert best.evaluations == 3000


@pytest.mark.parametrize("planner", [CEM(iterations=2, result="mean"), MPPI(iterations=2), MPPI(temperature=50.0)])
def test_a_mean_that_is_worse_than_a_candidate_is_not_returned(planner):
    problem = two_valleys(horizon=1, size=1)  # the mean lies on the ridge
    plan = problem.solve(planner)
    assert (problem.score(plan.trace[-1].elite[:, None])[:, 0] > plan.energy).any()
    assert (plan.energy <= plan.trace[-1].best).all()
    assert torch.equal(problem.score(plan.actions[:, None])[:, 0], plan.energy)


def test_spread_never_falls_below_its_floor():
    spread = bowl().solve(CEM(iterations=30, min_std=0.2)).trace[-1].spread
    half = torch.tensor([0.75, 1.75])
    assert torch.allclose(spread.amin(dim=(0, 1)), 0.2 * half)


def one_round(planner, score, space, batch=2, horizon=3, seed=0):
    """The plan and the candidates of the first round."""
    seen = []

    def watched(actions):
        seen.append(actions.clone())
        return score(actions)

    plan = ask(planner, watched, space, horizon=horizon, batch=batch, seed=seed)
    return plan, seen[0]


BOX = Box((-1.0, 0.0), (1.0, 4.0))


def energy(actions):
    return (actions - 0.4).square().sum(dim=(2, 3)) * 50 + 3


def test_mppi_follows_the_best_sample_when_cold():
    plan, candidates = one_round(MPPI(iterations=1, temperature=1e-9), energy, BOX)
    best = energy(candidates).argmin(dim=1)
    assert torch.allclose(plan.actions, candidates[torch.arange(2), best], atol=1e-6)


@pytest.mark.parametrize("normalize", [True, False])
def test_mppi_is_the_plain_mean_when_hot(normalize):
    plan, candidates = one_round(MPPI(iterations=1, temperature=1e9, normalize=normalize), energy, BOX)
    assert torch.allclose(plan.trace[0].elite, candidates.mean(dim=1), atol=1e-5)


def test_mppi_weights_between_the_limits():
    plan, candidates = one_round(MPPI(iterations=1, temperature=200.0, normalize=False), energy, BOX)
    energies = energy(candidates).double()
    weights = torch.exp(-energies / 200.0)
    expected = (weights[:, :, None, None] * candidates).sum(dim=1) / weights.sum(dim=1)[:, None, None]
    assert torch.allclose(plan.trace[0].elite.double(), expected, atol=1e-5)
    assert (weights.amax(dim=1) / weights.sum(dim=1)).max() < 0.2, "many samples must count"


@pytest.mark.parametrize("planner", [MPPI(iterations=1, temperature=1e9), CEM(elites=300, result="mean")])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_mean_without_energy_yields_to_the_best_candidate(planner, bad):
    def hole(actions):
        energies = energy(actions)
        return torch.where((actions - torch.tensor([0.0, 2.0])).abs().amax(dim=(2, 3)) < 0.7, bad, energies)

    plan, _ = one_round(planner, hole, BOX)
    assert hole(plan.trace[-1].elite[:, None]).isfinite().logical_not().all(), "the mean lies in the hole"
    assert torch.equal(plan.energy, plan.trace[-1].best)
    assert torch.equal(plan.energy, energy(plan.actions[:, None])[:, 0])


def test_normalized_mppi_does_not_depend_on_the_unit_of_the_energy():
    planner = MPPI(iterations=3)
    first = bowl().solve(planner)
    problem = bowl()
    second = problem.solve(planner, score=lambda actions: 1000 * problem.score(actions))
    assert torch.allclose(first.actions, second.actions, atol=1e-3)


@given(exponent=st.integers(-100, 120), normalize=st.booleans())
@settings(max_examples=40, deadline=None)
@example(exponent=120, normalize=True)
@example(exponent=-100, normalize=True)
def test_mppi_does_not_depend_on_the_scale_of_the_energy(exponent, normalize):
    def solve(scale):
        problem = bowl()
        relative = 0.1 if normalize else 0.1 * scale
        planner = MPPI(samples=60, iterations=3, normalize=normalize, temperature=relative)
        return problem.solve(planner, score=lambda actions: problem.score(actions) * scale)

    assert torch.equal(solve(1.0).actions, solve(2.0**exponent).actions)


@pytest.mark.parametrize("normalize", [True, False])
def test_mppi_lives_with_energies_at_the_end_of_the_range(normalize):
    def steep(actions):
        assert actions.isfinite().all()
        return (energy(actions) - 200).clamp(-300, 300) / 300 * 3.4e38

    plan, candidates = one_round(MPPI(iterations=4, normalize=normalize), steep, BOX)
    assert plan.actions.isfinite().all()
    assert (energy(plan.actions[:, None])[:, 0] < energy(candidates).median(dim=1).values).all()


def test_mppi_survives_equal_energies():
    plan, candidates = one_round(MPPI(iterations=2), lambda actions: torch.ones(actions.shape[:2]), BOX)
    assert torch.allclose(plan.trace[0].elite, candidates.mean(dim=1), atol=1e-5)


def drawn_in_round_one(beta, shape):
    """The candidates of iCEM in a box so wide that they are its noise."""
    batch, count, horizon, size = shape
    planner = ICEM(samples=count, iterations=1, std=1e-3, beta=beta)
    box = Box((-1e3,) * size, (1e3,) * size)
    return one_round(planner, lambda actions: actions.square().sum(dim=(2, 3)), box, batch, horizon)[1]


@pytest.mark.parametrize("beta", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("horizon", [64, 65])
def test_noise_has_the_spectrum_of_its_name(beta, horizon):
    noise = drawn_in_round_one(beta, (4, 500, horizon, 2))
    assert noise.shape == (4, 500, horizon, 2)
    power = torch.fft.rfft(noise, dim=2).abs().square().mean(dim=(0, 1, 3))[1:-1].numpy()
    slope = np.polyfit(np.log(np.arange(1, len(power) + 1)), np.log(power), 1)[0]
    assert slope == pytest.approx(-beta, abs=0.05)
    assert float(noise.var()) == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("horizon", [1, 2, 3])
def test_noise_of_short_horizons_has_unit_variance(horizon):
    noise = drawn_in_round_one(2.0, (2, 20000, horizon, 1))
    assert noise.var(dim=(0, 1)).flatten().tolist() == pytest.approx([1.0] * horizon, abs=0.05)


def test_icem_keeps_its_best_elites_and_draws_fewer_samples():
    counts, seen = [], []
    problem = bowl()

    def score(actions):
        counts.append(actions.shape[1])
        seen.append(actions.clone())
        return problem.score(actions)

    problem.solve(ICEM(samples=100, iterations=6, elites=10, keep=0.3, decay=2.0), score=score)
    assert counts == [100, 53, 28, 23, 23, 23]
    order = problem.score(seen[0]).argsort(dim=1)[:, :3]
    best = torch.take_along_dim(seen[0], order[:, :, None, None], dim=1)
    assert torch.equal(seen[1][:, -3:], best)


def test_random_shooting_is_uniform():
    _, candidates = one_round(RandomShooting(samples=20000), energy, BOX)
    low, high = torch.tensor([BOX.low, BOX.high])
    unit = ((candidates - low) / (high - low)).flatten()
    counts = torch.histc(unit, bins=10, min=0, max=1) / len(unit)
    assert torch.allclose(counts, torch.full((10,), 0.1), atol=0.003)


def test_warm_start_of_a_discrete_space_is_likelier_than_the_rest():
    problem = bandit(batch=1, horizon=1, arms=4)
    warm = torch.eye(4)[2].reshape(1, 1, 4)
    seen = []

    def score(actions):
        seen.append(actions.clone())
        return problem.score(actions)

    problem.solve(CEM(samples=4000, iterations=1), score=score, warm_start=warm)
    shares = seen[0].mean(dim=(0, 1, 2))
    assert shares.tolist() == pytest.approx([0.125, 0.125, 0.625, 0.125], abs=0.03)

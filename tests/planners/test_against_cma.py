"""Planners on problems with known answers, next to CMA-ES at equal numbers of evaluations."""

import warnings
from functools import cache

import cma
import numpy as np
import pytest
import torch

from tacit.planners import CEM, ICEM, MPPI, Gradient, RandomShooting
from tacit.testing.planners import corner, double_integrator, rastrigin, rosenbrock, sphere, walls

PLANNERS = [CEM(), CEM(result="mean"), ICEM(), MPPI(), MPPI(result="best"), Gradient(), RandomShooting()]
PROBLEMS = [sphere, rastrigin, rosenbrock, corner, double_integrator, walls]
CONTROL = double_integrator(batch=1)


@cache
def energy_of_cma(evaluations):
    """The median energy of CMA-ES over three seeds on the control problem."""
    horizon, found = CONTROL.optimum.shape[1], []

    def rate(rows):
        candidates = torch.tensor(np.array(rows), dtype=torch.float32)
        return CONTROL.score(candidates.reshape(1, len(rows), horizon, 1))[0].tolist()

    for seed in (1, 2, 3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            search = cma.CMAEvolutionStrategy(
                np.zeros(horizon), 0.5, {"bounds": [-1, 1], "seed": seed, "verbose": -9, "maxfevals": evaluations}
            )
            search.optimize(lambda row: rate([row])[0])
        found.append(search.result.fbest)
    return float(np.median(found))


@pytest.mark.parametrize("planner", PLANNERS, ids=repr)
def test_control_is_within_twice_the_energy_of_cma(planner):
    plans = [CONTROL.solve(planner, seed) for seed in range(5)]
    energies = torch.cat([plan.energy for plan in plans])
    assert (energies >= CONTROL.energy - 1e-4).all()
    assert float(energies.max()) <= 2 * energy_of_cma(plans[0].evaluations)
    assert float(energies.max()) < 0.3 * float(CONTROL.idle)


@pytest.mark.parametrize("planner", PLANNERS, ids=repr)
@pytest.mark.parametrize("make", PROBLEMS, ids=lambda make: make.__name__)
def test_no_plan_is_worse_than_doing_nothing(planner, make):
    problem = make()
    for seed in range(3):
        plan = problem.solve(planner, seed)
        assert (plan.energy <= problem.idle).all()
        assert (plan.energy >= problem.energy - 1e-4).all(), "the known answer is the best"


@pytest.mark.parametrize(
    "planner", [RandomShooting(samples=2), CEM(samples=2, elites=1, iterations=1), MPPI(samples=2)]
)
def test_doing_nothing_is_rated_also_with_a_warm_start(planner):
    problem = rosenbrock(horizon=20)
    plan = problem.solve(planner, warm_start=torch.full((3, 20, 1), -1.9))
    assert (plan.energy <= problem.idle).all()


@pytest.mark.parametrize("make", PROBLEMS, ids=lambda make: make.__name__)
def test_the_known_answer_cannot_be_improved(make):
    problem = make()
    near = problem.optimum[:, None] + 0.02 * torch.randn(3, 500, *problem.optimum.shape[1:])
    low, high = torch.tensor([problem.space.low, problem.space.high])
    assert (problem.score(near.clamp(low, high)) >= problem.energy[:, None] - 1e-5).all()


@pytest.mark.parametrize("iterations", [10, 30])
def test_correlated_noise_ends_as_near_to_a_minimum_as_white_noise(iterations):
    problem = sphere(horizon=12, size=1)

    def typical(beta):
        planner = ICEM(iterations=iterations, beta=beta)
        return float(torch.cat([problem.solve(planner, seed).energy for seed in range(5)]).median())

    white = typical(0.0)
    assert typical(ICEM().beta) <= 5 * white
    assert typical(2.0) <= 20 * white

"""Many worlds planned together and alone, with arrays of torch and of NumPy."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from planners.asking import ask
from tacit import planners
from tacit.errors import ConfigError
from tacit.planners import CEM, ICEM, MPPI, Gradient, RandomShooting, WorldNoise, world_seeds
from tacit.types import Box, Problem

SMALL = [
    CEM(samples=40, iterations=4, elites=6),
    ICEM(samples=40, iterations=4, elites=6),
    MPPI(samples=40, iterations=4),
    Gradient(starts=4, iterations=6),
    RandomShooting(samples=40),
]
SPACE = Box((-1.0, -2.0, 0.0), (1.0, 0.5, 3.0))
SEEDS = tuple(world_seeds(3, 64))
TARGETS = torch.rand(64, 1, 5, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1


def plans(planner, worlds):
    """Return the plans of some of 64 worlds, planned in one batch."""
    targets = TARGETS[worlds]
    noise = WorldNoise(tuple(SEEDS[world] for world in worlds), tuple(world % 7 for world in worlds))

    def score(actions):
        return (actions - targets).square().sum(dim=(2, 3)) + torch.sin(9 * actions).sum(dim=(2, 3))

    return planner(Problem(score, SPACE, 5, noise, device="cpu")).actions


@pytest.mark.parametrize("planner", SMALL, ids=lambda planner: type(planner).__name__)
def test_64_worlds_alone_and_in_shuffled_batches_have_the_same_plans(planner):
    together = plans(planner, list(range(64)))
    for world in (0, 1, 17, 63):
        assert torch.equal(plans(planner, [world])[0], together[world])
    order = np.random.default_rng(0).permutation(64).tolist()
    for rows in (order, order[:5], order[5:36]):
        assert torch.equal(plans(planner, rows), together[rows])


def test_noise_is_a_function_of_seed_step_round_and_stream():
    noise = WorldNoise(SEEDS, tuple(range(64)))
    for draw in ("normal", "uniform", "exponential"):
        whole = getattr(noise, draw)(2, (7, 3))
        assert whole.shape == (64, 7, 3) and whole.dtype == np.float32
        alone = getattr(WorldNoise((SEEDS[9],), (9,)), draw)(2, (7, 3))
        np.testing.assert_array_equal(alone[0], whole[9])
        others = [
            getattr(noise, draw)(3, (7, 3)),
            getattr(WorldNoise(SEEDS, tuple(range(1, 65))), draw)(2, (7, 3)),
            getattr(WorldNoise(SEEDS, tuple(range(64)), 1), draw)(2, (7, 3)),
            np.roll(whole, 1, axis=0),
        ]
        assert all(np.abs(other - whole).min(axis=(1, 2)).max() > 0 for other in others)
        assert all((other != whole).mean() > 0.99 for other in others)


def test_noise_has_the_distribution_of_its_name():
    noise = WorldNoise(SEEDS)
    normal, uniform, exponential = (getattr(noise, draw)(0, (2000,)) for draw in ("normal", "uniform", "exponential"))
    assert abs(float(normal.mean())) < 0.02 and abs(float(normal.std()) - 1) < 0.02
    assert abs(float(uniform.mean()) - 0.5) < 0.01 and uniform.min() >= 0 and uniform.max() < 1
    assert abs(float(exponential.mean()) - 1) < 0.02 and exponential.min() >= 0
    worlds = np.corrcoef(normal)
    assert np.abs(worlds - np.eye(64)).max() < 0.12


@pytest.mark.parametrize(
    ("seeds", "steps"), [((), None), ((1, 2), (0,)), ((-1,), None), ((2**64,), None), ((1,), (-1,))]
)
def test_seeds_out_of_range_are_refused(seeds, steps):
    with pytest.raises(ConfigError, match="a seed and a step for each world"):
        WorldNoise(seeds, steps)


@pytest.mark.parametrize("name", planners.names())
def test_arrays_and_tensors_give_the_same_plan(name):
    def score(actions):
        return ((actions - 0.3) ** 2).sum((2, 3))

    planner = planners.load(name)()
    if name == "gradient":
        with pytest.raises(ConfigError, match="give the problem a device"):
            ask(planner, score, SPACE, horizon=4, batch=3, device=None)
        return
    plain = ask(planner, score, SPACE, horizon=4, batch=3, device=None)
    same = ask(planner, score, SPACE, horizon=4, batch=3)
    assert isinstance(plain.actions, np.ndarray) and plain.actions.dtype == np.float32
    np.testing.assert_allclose(plain.actions, same.actions.numpy(), atol=1e-4)


WITHOUT_TORCH = """
import sys
class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ImportError("torch is not installed")
sys.meta_path.insert(0, Without())
import numpy as np
from tacit.constraints import Limits, MaxChange
from tacit.planners import CEM, ICEM, MPPI, RandomShooting, WorldNoise
from tacit.types import Box, Problem, Scored
space = Limits(-0.5, 0.5).limited(Box((-1.0, -1.0), (1.0, 1.0)))
low, high = MaxChange(0.25).after(np.zeros((2, 2), np.float32))
assert (low == -0.25).all() and (high == 0.25).all()
for planner in (CEM(), ICEM(), MPPI(), RandomShooting()):
    score = lambda actions: Scored(((actions - 0.3) ** 2).sum((2, 3)), actions[..., 0].max(2) - 0.2)
    plan = planner(Problem(score, space, 2, WorldNoise((1, 2, 3))))
    assert (plan.energy < 0.3).all() and (plan.violation <= 0).all(), plan
"""


def test_searches_run_without_torch():
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH], check=True)

"""Energies and boxes of any scale, offset, type and with any penalty."""

import numpy as np
import pytest
import torch

from planners.asking import ask
from tacit.errors import SpecError
from tacit.planners import CEM, ICEM, MPPI, Gradient, RandomShooting
from tacit.testing.planners import bowl, sphere, walls
from tacit.types import Box

SEARCHES = [CEM(), ICEM(), MPPI(), MPPI(result="best"), RandomShooting()]
EVERY = [*SEARCHES, Gradient()]
FITTING = [CEM(), ICEM(), MPPI(), Gradient()]


def solve(planner, score, space, seed=0, horizon=3, batch=2, warm_start=None):
    return ask(planner, score, space, horizon=horizon, batch=batch, seed=seed, warm_start=warm_start)


@pytest.mark.parametrize("seed", range(3))
def test_penalties_of_any_size_leave_mppi_as_an_infinite_one_does(seed):
    plans = [walls(horizon=2, penalty=size).solve(MPPI(), seed) for size in (1e3, 1e6, 1e30, torch.inf)]
    for plan in plans[:-1]:
        assert torch.equal(plan.actions, plans[-1].actions)
        assert all(torch.equal(a.elite, b.elite) for a, b in zip(plan.trace, plans[-1].trace, strict=True))


@pytest.mark.parametrize("planner", SEARCHES, ids=repr)
@pytest.mark.parametrize("share", [0.5, 0.9, 0.97])
def test_penalties_that_grow_smoothly_do_not_hide_the_goal(planner, share):
    """A share of the box pays 1e6 times the squared depth: there is no gap between good and bad energies."""
    problem = walls(penalty=0.0)
    edge = 1 - 2 * share

    def steep(actions):
        depth = (actions[..., :1] - edge).clamp(min=0).square().sum(dim=(2, 3))
        return (actions - torch.tensor([edge - 0.02, 0.0])).square().sum(dim=(2, 3)) + 1e6 * depth

    plan = solve(planner, steep, problem.space, horizon=1)
    typical = steep(torch.rand(2, 3000, 1, 2) * 2 - 1).sort(dim=1).values[:, 30]
    assert (plan.energy <= typical).all(), "at least the best hundredth of random plans"


@pytest.mark.parametrize("planner", EVERY, ids=repr)
def test_a_constant_changes_nothing(planner):
    problem = sphere(batch=2, horizon=3)
    plain = solve(planner, lambda a: problem.score(a.double()), problem.space)
    shifted = solve(planner, lambda a: problem.score(a.double()) + 1e6, problem.space)
    assert plain.energy.dtype == torch.float64
    torch.testing.assert_close(plain.actions, shifted.actions, atol=1e-4, rtol=0)


@pytest.mark.parametrize("planner", EVERY, ids=repr)
def test_equal_energies_keep_the_first_candidate(planner):
    warm = torch.full((2, 3, 2), 0.3)
    plan = solve(planner, lambda a: 0 * a.sum(dim=(2, 3)) + 5, Box((-1, -1), (1, 1)), warm_start=warm)
    assert torch.equal(plan.actions, warm)
    assert all(entry.spread.isfinite().all() and entry.elite.isfinite().all() for entry in plan.trace)


@pytest.mark.parametrize("planner", [CEM(), ICEM(), CEM(min_std=0.0)], ids=repr)
def test_one_finite_elite_does_not_end_the_search(planner):
    problem, rounds = sphere(batch=1, horizon=3), []

    def rare(actions):
        rounds.append(1)
        energies = problem.score(actions)
        return torch.where(energies == energies.amin(), energies, torch.inf) if len(rounds) == 1 else energies

    plan = solve(planner, rare, problem.space, batch=1)
    assert (plan.trace[0].spread > 0.3).all()
    assert float(plan.energy) < 0.01


@pytest.mark.parametrize("planner", FITTING, ids=repr)
@pytest.mark.parametrize("scale", [1e-24, 1e-10, 1e10, 1e18])
def test_boxes_of_any_size(planner, scale):
    problem = bowl()
    small = torch.tensor([problem.space.low, problem.space.high])
    plan = solve(
        planner,
        lambda a: problem.score(a / scale),
        Box(*(tuple((row * scale).tolist()) for row in small)),
        horizon=2,
        batch=3,
    )
    assert (problem.regret(plan) < 0.05).all()
    assert (plan.trace[-1].spread > 0).all() or isinstance(planner, Gradient)


@pytest.mark.parametrize("planner", FITTING, ids=repr)
@pytest.mark.parametrize("offset", [1e5, -3e6])
def test_boxes_far_from_zero(planner, offset):
    """Next to -3e6 the numbers of float32 are 0.25 apart."""
    target = torch.tensor(offset, dtype=torch.float64) + torch.tensor([3.0, -5.0])

    def score(actions):
        return (actions.double() - target).square().sum(dim=(2, 3))

    plan = solve(planner, score, Box((offset - 10, offset - 10), (offset + 10, offset + 10)))
    assert (plan.actions.double() - target).abs().max() <= 0.75


@pytest.mark.parametrize("planner", [MPPI(iterations=1, samples=3000), CEM(iterations=1, samples=3000, elites=3000)])
def test_the_mean_is_exact_in_a_box_far_from_zero(planner):
    seen = []

    def score(actions):
        seen.append(actions.clone())
        return actions.new_zeros(actions.shape[:2])

    plan = solve(planner, score, Box((1e6 - 10,), (1e6 + 10,)))
    exact = seen[0].double().mean(dim=1)
    assert (plan.trace[0].elite.double() - exact).abs().max() <= 0.032, "half the distance of two float32"


FORMS = {
    "float32": lambda e: e.numpy(),
    "float64": lambda e: e.numpy().astype(np.float64),
    "float16": lambda e: e.numpy().astype(np.float16),
    "big endian": lambda e: e.numpy().astype(">f8"),
    "reversed": lambda e: np.ascontiguousarray(e.numpy()[:, ::-1])[:, ::-1],
    "integers": lambda e: (e.numpy() * 1e6).astype(np.int64),
    "torch float64": lambda e: e.double(),
    "torch bfloat16": lambda e: e.bfloat16(),
    "torch integers": lambda e: (e * 1e6).long(),
}


def frozen(energies):
    array = energies.numpy().copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("planner", SEARCHES, ids=repr)
@pytest.mark.parametrize("form", [*FORMS.values(), frozen], ids=[*FORMS, "read only"])
def test_energies_of_any_real_type_are_taken(planner, form):
    problem = sphere(batch=2, horizon=2)
    plan = solve(planner, lambda a: form(problem.score(a)), problem.space, horizon=2)
    assert (problem.score(plan.actions[:, None])[:, 0] < 0.5 * problem.idle).all()
    assert isinstance(plan.energy, torch.Tensor)


@pytest.mark.parametrize("planner", EVERY, ids=repr)
@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (lambda e: e.tolist(), "list"),
        (lambda e: None, "NoneType"),
        (lambda e: float(e.sum()), "float"),
        (lambda e: np.ma.masked_less(e.numpy(), 0), "MaskedArray"),
        (lambda e: e.numpy().astype(object), "object|ndarray"),
        (lambda e: e.numpy().astype(complex), "complex128|ndarray"),
        (lambda e: e.to(torch.complex64), "complex64"),
        (lambda e: e.to_sparse(), "sparse"),
        (lambda e: e.to("meta"), "meta"),
        (lambda e: e[..., None], r"\[2, \d+, 1\]"),
        (lambda e: e.numpy()[0], r"\[\d+\]|ndarray"),
    ],
)
def test_other_answers_are_refused_by_name(planner, answer, came):
    problem = sphere(batch=2, horizon=2)
    with pytest.raises(SpecError, match=came):
        solve(planner, lambda a: answer(problem.score(a.detach())), problem.space, horizon=2)


@pytest.mark.parametrize("planner", SEARCHES, ids=repr)
def test_a_score_that_writes_to_its_argument_does_not_change_the_plan(planner):
    problem = sphere(batch=2, horizon=2)

    def careless(actions):
        energies = problem.score(actions)
        actions.mul_(100)
        return energies

    plan, careful = (
        solve(planner, careless, problem.space, horizon=2),
        solve(planner, problem.score, problem.space, horizon=2),
    )
    assert torch.equal(plan.actions, careful.actions)


@pytest.mark.parametrize("planner", SEARCHES, ids=repr)
def test_a_score_may_reuse_its_array(planner):
    problem, kept = sphere(batch=2, horizon=2), {}

    def thrifty(actions):
        buffer = kept.setdefault(actions.shape[1], np.empty(actions.shape[:2], np.float32))
        buffer[:] = problem.score(actions).numpy()
        return buffer

    plan, careful = (
        solve(planner, thrifty, problem.space, horizon=2),
        solve(planner, problem.score, problem.space, horizon=2),
    )
    assert torch.equal(plan.actions, careful.actions)
    assert torch.equal(plan.energy, careful.energy)

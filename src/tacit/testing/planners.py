"""Conformance suite for planners, and the planning problems of :mod:`tacit.testing.problems`.

In the tests of an extension::

    from tacit.testing.planners import check_planner

    def test_mine_is_a_planner():
        check_planner(MyPlanner())
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature

import torch
from torch import Generator, Tensor

from tacit.errors import ConfigError, PlanningError
from tacit.testing.problems import (
    Problem,
    bandit,
    bowl,
    corner,
    double_integrator,
    point_mass,
    rastrigin,
    rosenbrock,
    sphere,
    two_valleys,
    walls,
)
from tacit.types import ActionSpace, Box, Discrete, Plan, Planner

__all__ = [
    "Problem",
    "bandit",
    "bowl",
    "check_planner",
    "corner",
    "double_integrator",
    "point_mass",
    "rastrigin",
    "rosenbrock",
    "sphere",
    "two_valleys",
    "walls",
]


def check_planner(planner: Planner, tolerance: float = 0.15) -> None:
    """Check that ``planner`` keeps the promises of :class:`tacit.types.Planner`.

    It is run on small problems, once in a box and, unless it refuses that with a ``ConfigError``, once in a
    discrete space.

    Args:
        planner: With a configuration that suits small problems.
        tolerance: Largest regret on the two problems of four numbers, see :meth:`Problem.regret`.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    problems = [bowl(), bowl(horizon=1, space=Box((-1.0, 0.1), (3.0, 0.1)))]
    try:
        bandit().solve(planner)
        problems.append(bandit(horizon=2))
    except ConfigError:
        pass
    for problem in problems:
        _check_plan(planner, problem, tolerance)
        _check_randomness(planner, problem)
        _check_neighbours(planner, problem)
        _check_hints(planner, problem)
        _check_bad_numbers(planner, problem)
        _check_best(planner, problem)
        if isinstance(problem.space, Box):
            _check_project(planner, problem)
    _check_penalties(planner)


def _expect(holds: bool | Tensor, promise: str) -> None:
    if not bool(torch.as_tensor(holds).all()):
        raise AssertionError(promise)


def _legal(space: ActionSpace, actions: Tensor) -> Tensor:
    """Which of the actions ``[..., A]`` lie in the space."""
    if isinstance(space, Discrete):
        return ((actions == 0) | (actions == 1)).all(dim=-1) & (actions.sum(dim=-1) == 1)
    low, high = torch.tensor([space.low, space.high], dtype=torch.float64)
    fixed = low == high
    inside = (actions.double() >= low) & (actions.double() <= high)
    return torch.where(fixed, actions == low.float(), inside).all(dim=-1)


def _check_plan(planner: Planner, problem: Problem, tolerance: float) -> None:
    rated = 0

    def watched(actions: Tensor) -> Tensor:
        nonlocal rated
        rated += actions.shape[1]
        _expect(_legal(problem.space, actions.detach()), f"every candidate must lie in {problem.space}")
        return problem.score(actions)

    plan = Problem(problem.space, watched, problem.optimum).solve(planner)
    shape = problem.optimum.shape
    _expect(plan.actions.shape == shape and plan.energy.shape == shape[:1], "a plan is [B, H, A] with energies [B]")
    _expect(not plan.actions.requires_grad and not plan.energy.requires_grad, "a plan carries no gradient")
    _expect(_legal(problem.space, plan.actions), f"the plan must lie in {problem.space}")
    again = problem.score(plan.actions[:, None])[:, 0]
    _expect(torch.allclose(again, plan.energy, atol=1e-5), "Plan.energy must be the energy of Plan.actions")
    _expect(plan.evaluations == rated, f"Plan.evaluations must count the candidates: {rated}; got {plan.evaluations}")
    _expect(len(plan.trace) >= 1, "the trace needs an entry for each iteration")
    for before, after in zip(plan.trace, plan.trace[1:], strict=False):
        _expect(after.best <= before.best, "Iteration.best is the lowest energy so far")
    for entry in plan.trace:
        _expect(entry.elite.shape == shape and entry.spread.shape == shape, "elite and spread are [B, H, A]")
        _expect(entry.rejected == 0, "nothing was to be rejected")
    _expect(problem.regret(plan) <= tolerance, f"regret {problem.regret(plan).tolist()} exceeds {tolerance}")


def _check_randomness(planner: Planner, problem: Problem) -> None:
    torch.manual_seed(0)
    first = problem.solve(planner, seed=3)
    torch.manual_seed(1)
    second = problem.solve(planner, seed=3)
    _expect(torch.equal(first.actions, second.actions), "the generator must be the only source of randomness")


def _check_neighbours(planner: Planner, problem: Problem) -> None:
    def disturbed(actions: Tensor) -> Tensor:
        energies = problem.score(actions)
        return torch.cat([energies[:1], -3.0 * energies[1:]])

    alone = problem.solve(planner).actions[0]
    beside = Problem(problem.space, disturbed, problem.optimum).solve(planner).actions[0]
    _expect(
        torch.allclose(alone, beside, atol=1e-6), "a world's plan must not depend on the energies of its neighbours"
    )


def _check_hints(planner: Planner, problem: Problem) -> None:
    batch, horizon, _ = problem.optimum.shape

    def ask(warm_start: Tensor | None, proposals: Tensor | None) -> Plan:
        return planner(
            problem.score,
            problem.space,
            horizon=horizon,
            batch=batch,
            generator=Generator().manual_seed(0),
            warm_start=warm_start,
            proposals=proposals,
        )

    proposed = ask(None, problem.optimum[:, None])
    _expect(proposed.trace[0].best <= problem.energy + 1e-5, "proposals must be rated in the first round")
    warm = ask(problem.optimum, None)
    _expect(warm.trace[0].best <= problem.energy + 1e-5, "the warm start must be rated in the first round")
    if isinstance(problem.space, Box):
        _expect(_legal(problem.space, ask(100 * problem.optimum, None).actions), "hints are brought into the space")


def _check_bad_numbers(planner: Planner, problem: Problem) -> None:
    rejected = []

    def spoilt(bad: float) -> Callable[[Tensor], Tensor]:
        def score(actions: Tensor) -> Tensor:
            energies = problem.score(actions)
            energies = torch.where(torch.arange(energies.shape[1]) % 3 == 1, bad, energies)
            rejected.append((~energies.isfinite()).sum(dim=1))
            return energies

        return score

    for bad in (float("nan"), float("inf"), -float("inf")):
        rejected.clear()
        plan = Problem(problem.space, spoilt(bad), problem.optimum).solve(planner)
        _expect(plan.energy.isfinite(), f"an energy of {bad} must never win")
        _expect(plan.actions.isfinite(), f"an energy of {bad} must not spoil the plan")
        for entry, count in zip(plan.trace, rejected, strict=False):
            _expect(entry.rejected == count, "Iteration.rejected counts the energies that are not finite")

    def hopeless(actions: Tensor) -> Tensor:
        energies = problem.score(actions)
        return torch.cat([energies[:1], energies[1:] * float("nan")])

    try:
        Problem(problem.space, hopeless, problem.optimum).solve(planner)
    except PlanningError as error:
        _expect("world 1" in str(error), f"PlanningError must name the world, 'world 1'; got {str(error)!r}")
    else:
        raise AssertionError("a world without a finite energy must raise PlanningError")

    rounds = []

    def fading(actions: Tensor) -> Tensor:
        rounds.append(actions)
        return problem.score(actions) if len(rounds) == 1 else hopeless(actions)

    try:
        plan = Problem(problem.space, fading, problem.optimum).solve(planner)
    except PlanningError as error:
        raise AssertionError("a world whose first candidates had finite energies must not fail later") from error
    _expect(plan.energy.isfinite(), "a later round without a finite energy must not spoil the plan")
    alone = problem.solve(planner).actions[0]
    _expect(torch.allclose(plan.actions[0], alone, atol=1e-6), "a later round of one world must not change another's")


def _check_best(planner: Planner, problem: Problem) -> None:
    """Check the plan on a bowl with ripples so fine that an average of good plans is as good as a random one."""
    rated: list[Tensor] = []
    first: list[Tensor] = []

    def rippled(actions: Tensor) -> Tensor:
        flat = actions.flatten(2)
        wave = torch.arange(1, flat.shape[-1] + 1) * 997.0
        return problem.score(actions) + torch.sin(flat * wave).sum(dim=-1).abs()

    def watched(actions: Tensor) -> Tensor:
        energies = rippled(actions)
        if not rated:
            first.append(energies.detach()[:, 0])
        rated.append(energies.detach().amin(dim=1))
        return energies

    rough = Problem(problem.space, watched, problem.optimum)
    plan = rough.solve(planner)
    lowest = torch.stack(rated).amin(dim=0)
    _expect(plan.energy <= lowest + 1e-5, "a plan is never worse than the best candidate that was rated")
    _expect(plan.energy <= first[0] + 1e-5, "a plan is never worse than the first candidate")
    _expect(plan.energy <= Problem(problem.space, rippled, problem.optimum).idle + 1e-5, "nor than doing nothing")


def _check_project(planner: Planner, problem: Problem) -> None:
    """Check that candidates and plan keep to a restriction of how much an action differs from the one before."""
    known = signature(planner).parameters.values()
    _expect(any(one.name == "project" or one.kind is one.VAR_KEYWORD for one in known), "a planner takes project=...")
    batch, horizon, size = problem.optimum.shape
    change = 0.25
    start = torch.linspace(-2.0, 2.0, batch)[:, None].expand(-1, size)  # in some worlds outside the box

    def project(actions: Tensor) -> Tensor:
        before, rows = start.view(batch, *(1,) * (actions.ndim - 3), size), []
        for row in actions.unbind(dim=-2):
            before = torch.clamp(row, before - change, before + change)
            rows.append(before)
        return torch.stack(rows, dim=-2)

    def watched(actions: Tensor) -> Tensor:
        given = actions.detach()
        _expect(torch.equal(project(given), given), "every candidate must be a result of project")
        return problem.score(actions)

    def ask(wild: Tensor | None) -> Plan:
        return planner(
            watched,
            problem.space,
            horizon=horizon,
            batch=batch,
            generator=Generator().manual_seed(0),
            warm_start=wild,
            proposals=None if wild is None else wild[:, None],
            project=project,
        )

    for wild in (None, 100 * problem.optimum):
        plan = ask(wild)
        _expect(torch.equal(project(plan.actions), plan.actions), "the plan must be a result of project")
        again = problem.score(plan.actions[:, None])[:, 0]
        _expect(torch.allclose(again, plan.energy, atol=1e-4), "Plan.energy must be the energy of the projected plan")


def _check_penalties(planner: Planner) -> None:
    """Check that a finite penalty of a million hides the goal no more than an infinite one does."""
    finite, infinite = walls(penalty=1e6), walls(penalty=torch.inf)
    found, refused = finite.solve(planner).energy, infinite.solve(planner).energy
    _expect(found <= refused + 0.1 * finite.idle, "a huge penalty on other candidates must not hide the goal")

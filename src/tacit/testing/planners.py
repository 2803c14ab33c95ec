"""Conformance suite for planners, and the planning problems of :mod:`tacit.testing.problems`.

In the tests of an extension::

    from tacit.testing.planners import check_planner

    def test_mine_is_a_planner():
        check_planner(MyPlanner())
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tacit.errors import ConfigError, PlanningError
from tacit.planners import WorldNoise, world_seeds
from tacit.testing._planner_constraints import check_project, check_violations
from tacit.testing._promises import expect, legal
from tacit.testing.problems import (
    KnownProblem,
    bandit,
    bandit_and_bowl,
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
from tacit.types import Box, Plan, Planner

__all__ = [
    "KnownProblem",
    "bandit",
    "bandit_and_bowl",
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

    It runs on small problems, once in a box and, unless it refuses that with a ``ConfigError``, once in a
    discrete and once in a mixed space.

    Args:
        planner: A planner with a configuration that suits small problems.
        tolerance: Largest regret on the two problems of four numbers, see :meth:`KnownProblem.regret`.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    problems = [bowl(), bowl(horizon=1, space=Box((-1.0, 0.1), (3.0, 0.1)))]
    try:
        bandit().solve(planner)
        problems += [bandit(horizon=2), bandit_and_bowl()]
    except ConfigError:
        pass
    for problem in problems:
        _check_plan(planner, problem, tolerance)
        _check_randomness(planner, problem)
        _check_neighbours(planner, problem)
        _check_hints(planner, problem)
        _check_bad_numbers(planner, problem)
        _check_best(planner, problem)
        _check_place(planner, problem)
        _check_stop(planner, problem)
        _check_exact(planner, problem)
        _check_arrays(planner, problem)
        if isinstance(problem.space, Box):
            check_project(planner, problem)
            check_violations(planner, problem)
    _check_penalties(planner)


def _check_plan(planner: Planner, problem: KnownProblem, tolerance: float) -> None:
    rated = 0

    def watched(actions: Tensor) -> Tensor:
        nonlocal rated
        rated += actions.shape[1]
        expect(legal(problem.space, actions.detach()), f"every candidate must lie in {problem.space}")
        return problem.score(actions)

    plan = KnownProblem(problem.space, watched, problem.optimum).solve(planner)
    shape = problem.optimum.shape
    expect(plan.actions.shape == shape and plan.energy.shape == shape[:1], "a plan is [B, H, A] with energies [B]")
    expect(not plan.actions.requires_grad and not plan.energy.requires_grad, "a plan carries no gradient")
    expect(legal(problem.space, plan.actions), f"the plan must lie in {problem.space}")
    again = problem.score(plan.actions[:, None])[:, 0]
    expect(torch.allclose(again, plan.energy, atol=1e-5), "Plan.energy must be the energy of Plan.actions")
    expect(plan.evaluations == rated, f"Plan.evaluations must count the candidates: {rated}; got {plan.evaluations}")
    expect(len(plan.trace) >= 1, "the trace needs an entry for each iteration")
    for before, after in zip(plan.trace, plan.trace[1:], strict=False):
        expect(after.best <= before.best, "Iteration.best is the lowest energy so far")
    for entry in plan.trace:
        expect(entry.elite.shape == shape and entry.spread.shape == shape, "elite and spread are [B, H, A]")
        expect(entry.rejected == 0, "nothing was to be rejected")
    expect(problem.regret(plan) <= tolerance, f"regret {problem.regret(plan).tolist()} exceeds {tolerance}")


def _check_randomness(planner: Planner, problem: KnownProblem) -> None:
    torch.manual_seed(0)
    first = problem.solve(planner, seed=3)
    torch.manual_seed(1)
    second = problem.solve(planner, seed=3)
    expect(torch.equal(first.actions, second.actions), "the noise must be the only source of randomness")


def _check_place(planner: Planner, problem: KnownProblem) -> None:
    """Check that a world's plan is independent of the batch size and of its position."""
    seeds = world_seeds(5, len(problem.optimum))
    together = problem.solve(planner, noise=WorldNoise(tuple(seeds))).actions
    for order in ([len(seeds) - 1, 0], [1]):
        rows = torch.tensor(order)

        def some(actions: Tensor, rows: Tensor = rows) -> Tensor:
            whole = torch.zeros(len(seeds), *actions.shape[1:]).index_copy(0, rows, actions)
            return problem.score(whole)[rows]

        noise = WorldNoise(tuple(seeds[index] for index in order))
        found = KnownProblem(problem.space, some, problem.optimum[rows]).solve(planner, noise=noise).actions
        expect(torch.equal(found, together[rows]), "a world's plan must not depend on its batch or its place in it")


def _check_stop(planner: Planner, problem: KnownProblem) -> None:
    """Check that a stopped search returns the best plan so far."""
    whole = problem.solve(planner)
    stopped = problem.solve(planner, stop=lambda: True)
    expect(len(stopped.trace) == 1, "stop is asked after each round and ends the search")
    expect(stopped.ended == "stopped" and whole.ended == "complete", "Plan.ended says why the search ended")
    expect(stopped.energy <= stopped.trace[0].best + 1e-5, "a search that is stopped returns the best plan so far")
    expect(torch.equal(stopped.trace[0].best, whole.trace[0].best), "stop must not change the rounds before it")
    chunked = problem.solve(planner, chunk=3)
    expect(torch.equal(chunked.actions, whole.actions), "the plan must not depend on the chunks that are rated")
    rated: list[Tensor] = []

    def watched(actions: Tensor) -> Tensor:
        rated.append(problem.score(actions))
        return rated[-1]

    early = problem.solve(planner, score=watched, stop=lambda: True, chunk=3)
    energies = torch.cat(rated, dim=1).detach()
    expect(energies.shape[1] == early.evaluations, "a search that is stopped rates no further candidate")
    expect(
        torch.allclose(early.energy, energies.amin(dim=1), atol=1e-5),
        "a search that is stopped inside of a round returns the best of what it rated",
    )


def _check_exact(planner: Planner, problem: KnownProblem) -> None:
    """Check that an approximate score is replaced by the exact one at the end."""

    def rough(actions: Tensor) -> Tensor:
        energy = problem.score(actions)
        return energy + 0.01 * torch.sin(1e4 * energy)

    found = problem.solve(planner, score=rough, exact=problem.score)
    again = problem.score(found.actions[:, None])[:, 0]
    expect(torch.allclose(again, found.energy, atol=1e-5), "Plan.energy must be the exact energy of the plan")
    plain = problem.solve(planner, score=rough)
    unsure = problem.score(plain.actions[:, None])[:, 0]
    expect(unsure >= found.energy - 1e-5, "of the best candidates the one that is best by the exact score wins")
    expect(found.evaluations == plain.evaluations, "Plan.evaluations counts those of the search")


def _check_arrays(planner: Planner, problem: KnownProblem) -> None:
    """Check that the search of NumPy arrays, if there is one, equals the search of tensors."""

    def score(actions: np.ndarray) -> np.ndarray:
        expect(isinstance(actions, np.ndarray), "without a device the candidates are NumPy arrays")
        return np.asarray(problem.score(torch.from_numpy(actions)))

    try:
        plain = problem.solve(planner, score=score, device=None)
    except ConfigError:
        return
    same = problem.solve(planner)
    expect(isinstance(plain.actions, np.ndarray), "without a device the plan is a NumPy array")
    expect(
        torch.allclose(torch.from_numpy(plain.energy), same.energy, rtol=1e-3, atol=1e-4),
        "the search of NumPy arrays must be that of tensors",
    )


def _check_neighbours(planner: Planner, problem: KnownProblem) -> None:
    def disturbed(actions: Tensor) -> Tensor:
        energies = problem.score(actions)
        return torch.cat([energies[:1], -3.0 * energies[1:]])

    alone = problem.solve(planner).actions[0]
    beside = KnownProblem(problem.space, disturbed, problem.optimum).solve(planner).actions[0]
    expect(torch.allclose(alone, beside, atol=1e-6), "a world's plan must not depend on the energies of its neighbours")


def _check_hints(planner: Planner, problem: KnownProblem) -> None:
    def ask(warm_start: Tensor | None, proposals: Tensor | None) -> Plan:
        return problem.solve(planner, warm_start=warm_start, proposals=proposals)

    proposed = ask(None, problem.optimum[:, None])
    expect(proposed.trace[0].best <= problem.energy + 1e-5, "proposals must be rated in the first round")
    warm = ask(problem.optimum, None)
    expect(warm.trace[0].best <= problem.energy + 1e-5, "the warm start must be rated in the first round")
    if isinstance(problem.space, Box):
        expect(legal(problem.space, ask(100 * problem.optimum, None).actions), "hints are brought into the space")


def _check_bad_numbers(planner: Planner, problem: KnownProblem) -> None:
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
        plan = KnownProblem(problem.space, spoilt(bad), problem.optimum).solve(planner)
        expect(plan.energy.isfinite(), f"an energy of {bad} must never win")
        expect(plan.actions.isfinite(), f"an energy of {bad} must not spoil the plan")
        for entry, count in zip(plan.trace, rejected, strict=False):
            expect(entry.rejected == count, "Iteration.rejected counts the energies that are not finite")

    def hopeless(actions: Tensor) -> Tensor:
        energies = problem.score(actions)
        return torch.cat([energies[:1], energies[1:] * float("nan")])

    alone = problem.solve(planner).actions[0]
    try:
        plan = problem.solve(planner, score=hopeless)
    except PlanningError as error:
        raise AssertionError("a world without a finite energy is marked as failed, and raises nothing") from error
    expect(
        plan.failed.tolist() == [False, *[True] * (len(plan.failed) - 1)], "worlds without a finite energy have failed"
    )
    expect(plan.actions.isfinite(), "the actions of a world that failed are finite")
    expect(torch.allclose(plan.actions[0], alone, atol=1e-6), "a world that fails must not change another's plan")
    rounds = []

    def fading(actions: Tensor) -> Tensor:
        rounds.append(actions)
        return problem.score(actions) if len(rounds) == 1 else hopeless(actions)

    plan = KnownProblem(problem.space, fading, problem.optimum).solve(planner)
    expect(~plan.failed, "a world whose first candidates had finite energies must not fail later")
    expect(plan.energy.isfinite(), "a later round without a finite energy must not spoil the plan")
    expect(torch.allclose(plan.actions[0], alone, atol=1e-6), "a later round of one world must not change another's")


def _check_best(planner: Planner, problem: KnownProblem) -> None:
    """Check the plan on a finely rippled bowl, where an average of good plans equals a random one."""
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

    rough = KnownProblem(problem.space, watched, problem.optimum)
    plan = rough.solve(planner)
    lowest = torch.stack(rated).amin(dim=0)
    expect(plan.energy <= lowest + 1e-5, "a plan is never worse than the best candidate that was rated")
    expect(plan.energy <= first[0] + 1e-5, "a plan is never worse than the first candidate")
    expect(plan.energy <= KnownProblem(problem.space, rippled, problem.optimum).idle + 1e-5, "nor than doing nothing")


def _check_penalties(planner: Planner) -> None:
    """Check that a penalty of a million hides the goal no more than an infinite one."""
    finite, infinite = walls(penalty=1e6), walls(penalty=torch.inf)
    found, refused = finite.solve(planner).energy, infinite.solve(planner).energy
    expect(found <= refused + 0.1 * finite.idle, "a huge penalty on other candidates must not hide the goal")

"""Checks of planners under constraints."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.testing._promises import expect
from tacit.testing.problems import KnownProblem
from tacit.types import Plan, Planner, Scored

__all__ = ["check_project", "check_violations"]


def check_violations(planner: Planner, problem: KnownProblem) -> None:
    """Check that a candidate that breaks a constraint never beats one that breaks none."""
    low, high = torch.tensor([problem.space.low, problem.space.high])  # type: ignore[union-attr]
    middle = (low + high) / 2
    direction = torch.sign(problem.optimum[:, 0, 0] - middle[0])
    rated: list[tuple[Tensor, Tensor]] = []

    def constrained(actions: Tensor) -> Scored:
        """Allow only the half of the box without the best plan."""
        violation = ((actions[..., 0] - middle[0]) * direction[:, None, None]).amax(dim=2)
        energy = problem.score(actions)
        rated.append((energy.detach(), violation.detach()))
        return Scored(energy, violation)

    plan = problem.solve(planner, score=constrained)
    again = constrained(plan.actions[:, None])
    energies, violations = (torch.cat(parts, dim=1) for parts in zip(*rated, strict=True))
    feasible = violations <= 0
    lowest = torch.where(feasible, energies, torch.inf).amin(dim=1)
    some = feasible.any(dim=1)
    expect(plan.violation is not None, "Plan.violation says by how much the plan breaks the constraints")
    broken = torch.as_tensor(again.violation)[:, 0].clamp(min=0)
    expect(
        torch.allclose(broken, torch.as_tensor(plan.violation), atol=1e-5),
        "Plan.violation must be the violation of Plan.actions",
    )
    expect(~some | (broken <= 0), "a violating candidate must never beat a feasible one")
    expect(~some | (plan.energy <= lowest + 1e-5), "of the feasible candidates the one of lowest energy wins")

    def impossible(actions: Tensor) -> Scored:
        return Scored(problem.score(actions), 1 + problem.score(actions) - problem.energy[:, None])

    plan = problem.solve(planner, score=impossible)
    expect(~plan.failed, "a world without a feasible candidate has not failed")
    expect(
        torch.as_tensor(plan.violation) <= 1.5 + 0.5 * (problem.idle - problem.energy),
        "without a feasible one, violation falls",
    )


def check_project(planner: Planner, problem: KnownProblem) -> None:
    """Check that candidates and plan respect a limit on the difference of successive actions."""
    batch, _, size = problem.optimum.shape
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
        expect(torch.equal(project(given), given), "every candidate must be a result of project")
        return problem.score(actions)

    def ask(wild: Tensor | None) -> Plan:
        proposals = None if wild is None else wild[:, None]
        return problem.solve(planner, score=watched, warm_start=wild, proposals=proposals, project=project)

    for wild in (None, 100 * problem.optimum):
        plan = ask(wild)
        expect(torch.equal(project(plan.actions), plan.actions), "the plan must be a result of project")
        again = problem.score(plan.actions[:, None])[:, 0]
        expect(torch.allclose(again, plan.energy, atol=1e-4), "Plan.energy must be the energy of the projected plan")

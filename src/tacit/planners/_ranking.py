"""The ranking of candidates, and the log of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from tacit._arrays import array_namespace, like
from tacit.errors import SpecError
from tacit.planners._distributions import Search
from tacit.planners._scored import as_scored
from tacit.planners._search import finite
from tacit.types import Iteration, Numbers, Plan, Problem, Score, Scored

__all__ = ["Ranking", "Rated"]

AGAIN = 16
"""The best candidates of the last round that are rated again where the score is approximate."""


@dataclass(frozen=True)
class Rated:
    """The candidates of one round with their ranks.

    Attributes:
        candidates: ``[B, S, H, A]``, legal.
        energy: ``[B, S]``, infinite where the score is not finite.
        violation: ``[B, S]`` at least 0, infinite where the score is not finite; None where there are no constraints.
    """

    candidates: Numbers
    energy: Numbers
    violation: Numbers | None = None

    @property
    def merit(self) -> Numbers:
        """Return ``[B, S]`` to minimise: the energy of feasible candidates, infinity for the others.

        In a world without a feasible candidate it is the violation.
        """
        if self.violation is None:
            return self.energy
        xp = array_namespace(self.energy)
        feasible = self.violation == 0
        energy = xp.where(feasible, self.energy, xp.inf)
        return xp.where(xp.any(feasible, axis=1)[:, None], energy, self.violation)

    @cached_property
    def order(self) -> Numbers:
        """Return the indices ``[B, S]`` of the candidates, the best first.

        Feasible ones are sorted by energy, then infeasible ones by violation, then those whose score is not finite.
        """
        xp = array_namespace(self.energy)
        order = xp.argsort(self.energy, axis=1, stable=True)
        if self.violation is None:
            return order
        return _taken(order, xp.argsort(_taken(self.violation, order), axis=1, stable=True))

    def elites(self, count: int) -> tuple[Numbers, Numbers]:
        """Return the best candidates ``[B, count, H, A]`` in order, and flags of finite scores ``[B, count]``."""
        xp, index = array_namespace(self.energy), self.order[:, :count]
        return _taken(self.candidates, index), xp.isfinite(_taken(self.energy, index))


class Ranking:
    """The ranking and log of one search: the best candidates, the rounds and the number of evaluations.

    Every candidate passes through ``legal`` right before it is rated, and :meth:`plan` returns rated actions only. A
    score that is not finite never wins. A world in which no score was finite has failed.

    Args:
        problem: The problem to solve.
        legal: Projects actions ``[..., A]`` onto the allowed ones, and returns a new array.
    """

    def __init__(self, problem: Problem, legal: Callable[[Numbers], Numbers]) -> None:
        self._problem, self._legal = problem, legal
        self._trace: list[Iteration] = []
        self._evaluations = 0
        self._best: Rated | None = None
        self._last: Rated | None = None
        self._stopped = False

    def rate(self, candidates: Numbers) -> Rated:
        """Rate candidates ``[B, S, H, A]``, which are overwritten; only the first ones if the search is stopped.

        Raises:
            SpecError: if the score does not fit :class:`tacit.types.Score`.
        """
        legal = self._legal(candidates)
        candidates[...] = legal  # a score that writes to its argument changes its own copy
        count, parts, rated = candidates.shape[1], [], 0
        with _without_gradient(legal):
            while rated < count and not (rated and self._ends()):
                last = min(rated + (self._problem.chunk or count), count)
                parts.append(as_scored(self._problem.score(candidates[:, rated:last]), legal[:, rated:last]))
                rated = last
            return self.take(legal[:, :rated], _joined(parts))

    def take(self, legal: Numbers, scored: Scored) -> Rated:
        """Rate legal candidates that were scored already; see :meth:`rate`."""
        xp = array_namespace(legal)
        self._evaluations += legal.shape[1]
        energy, violation = scored.energy, scored.violation
        self._finite = xp.isfinite(energy)
        count = xp.sum(xp.astype(self._finite, energy.dtype), axis=1)
        count = xp.where(count > 0, count, xp.nan)
        self._mean = xp.sum(xp.where(self._finite, energy, 0.0) / count[:, None], axis=1)  # a sum could overflow
        if violation is not None:
            self._finite = self._finite & xp.isfinite(violation)
            violation = xp.where(self._finite, xp.where(violation > 0, violation, 0.0), xp.inf)
        rated = Rated(legal, xp.where(self._finite, energy, xp.inf), violation)
        self._keep(rated)
        self._last = rated
        return rated

    def _keep(self, rated: Rated) -> None:
        """Keep the best of the candidates and the best so far, which wins a tie."""
        xp, index = array_namespace(rated.energy), rated.order[:, :1]
        best = Rated(
            _taken(rated.candidates, index),
            _taken(rated.energy, index),
            None if rated.violation is None else _taken(rated.violation, index),
        )
        if self._best is not None:
            before = self._best
            better = best.energy < before.energy
            if best.violation is not None and before.violation is not None:
                better = (best.violation < before.violation) | ((best.violation == before.violation) & better)
                violation = xp.where(better, best.violation, before.violation)
            else:
                violation = None
            best = Rated(
                xp.where(better[:, :, None, None], best.candidates, before.candidates),
                xp.where(better, best.energy, before.energy),
                violation,
            )
        self._best = best

    def note(self, search: Search) -> None:
        """End a round with its resulting distribution."""
        xp = array_namespace(self._mean)
        rejected = xp.sum(xp.astype(~self._finite, xp.int64), axis=1)
        self._trace.append(Iteration(self.best.energy[:, 0], self._mean, search.mean, search.spread, rejected))
        self._ends()

    def _ends(self) -> bool:
        """Return whether the search ends now; once it does, it has ended."""
        if not self._stopped and self._problem.stop is not None:
            self._stopped = bool(self._problem.stop())
        return self._stopped

    @property
    def stopped(self) -> bool:
        """Return whether the search should end."""
        return self._stopped

    @property
    def best(self) -> Rated:
        """Return the best candidate so far, ``[B, 1, H, A]``."""
        if self._best is None:
            raise RuntimeError("nothing has been rated yet.")
        return self._best

    def plan(self, mode: Numbers | None = None) -> Plan:
        """Return the best candidates; ``mode [B, H, A]``, if given, is rated as the last of them.

        It is not in a search that was stopped, which has no time left.
        """
        if mode is not None and not self._stopped:
            self.rate(array_namespace(mode).asarray(mode[:, None], copy=True))
        best = self.best if self._problem.exact is None else self._exactly(self._problem.exact)
        energy = best.energy[:, 0]
        return Plan(
            best.candidates[:, 0],
            energy,
            tuple(self._trace),
            self._evaluations,
            violation=None if best.violation is None else best.violation[:, 0],
            ended="stopped" if self._stopped else "complete",
        )

    def _exactly(self, exact: Score) -> Rated:
        """Return the best by an exact score of the best candidate so far and the best of the last round.

        In a search that was stopped only the former is rated again.
        """
        candidates = self.best.candidates
        if self._last is not None and not self._stopped:
            elites, _ = self._last.elites(AGAIN)
            candidates = array_namespace(candidates).concat([candidates, elites], axis=1)
        with _without_gradient(candidates):
            scored = as_scored(exact(array_namespace(candidates).asarray(candidates, copy=True)), candidates)
        self._best, count = None, self._evaluations
        self.take(candidates, scored)
        self._evaluations = count
        return self.best


def with_hints(candidates: Numbers, search: Search, problem: Problem) -> Numbers:
    """Insert known sequences into the candidates ``[B, S, H, A]`` of the first round.

    Candidate 0 becomes the mode of the search, which is the warm start or the middle of the space. Candidate 1 becomes
    doing nothing, in worlds where that is not the same. The proposals ``[B, P, H, A]`` are appended.

    Raises:
        SpecError: if the proposals do not fit.
        PlanningError: if they are not finite.
    """
    xp, mode = array_namespace(candidates), search.mode
    idle = search.legal(xp.zeros_like(mode))
    candidates[:, 0] = mode
    if candidates.shape[1] > 1:
        same = xp.all(xp.reshape(mode == idle, (len(mode), -1)), axis=1)[:, None, None]
        candidates[:, 1] = xp.where(same, candidates[:, 1], idle)
    if problem.proposals is None:
        return candidates
    batch, _, horizon, size = candidates.shape
    proposals = problem.proposals
    if proposals.ndim != 4 or (proposals.shape[0], *proposals.shape[2:]) != (batch, horizon, size):
        raise SpecError(
            f"proposals must be [B, P, H, A] = [{batch}, P, {horizon}, {size}]; got {list(proposals.shape)}."
        )
    return xp.concat([candidates, finite(proposals, "proposals", problem.device)], axis=1)


def _joined(parts: Sequence[Scored]) -> Scored:
    """Return the scores of successive chunks of candidates as one."""
    if len(parts) == 1:
        return parts[0]
    concat = array_namespace(parts[0].energy).concat
    violations = [part.violation for part in parts if part.violation is not None]
    return Scored(
        concat([part.energy for part in parts], axis=1),
        concat(violations, axis=1) if violations else None,
        {name: concat([part.terms[name] for part in parts], axis=1) for name in parts[0].terms},
    )


def _taken(values: Numbers, index: Numbers) -> Numbers:
    """Return the entries ``[B, K, ...]`` of values ``[B, S, ...]`` at an index ``[B, K]``."""
    rows = like(np.arange(len(index)), index)
    return values[rows[:, None], index]


def _without_gradient(array: Numbers) -> Any:
    """Return a context in which torch records no gradient."""
    if not is_torch_array(array):
        return nullcontext()
    import torch

    return torch.no_grad()

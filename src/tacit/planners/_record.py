"""The log of a search, and the candidates that rounds start from and end with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tacit.errors import PlanningError, SpecError
from tacit.planners._energies import as_energies
from tacit.planners._search import Categorical, Gaussian, finite
from tacit.types import Iteration, Plan, Score

__all__ = ["Record", "elites", "with_hints"]


class Record:
    """The log of one search: the best candidates so far, the rounds and the number of evaluations.

    Every candidate passes through ``legal`` right before it is rated, and what :meth:`plan` returns is what was rated.
    An energy that is not finite counts as +inf and as rejected, so it never wins. A world without a finite energy
    in the first round has failed; in a later one it keeps its best.

    Args:
        score: Energy of candidates.
        legal: Projects actions ``[..., H, A]`` onto those that are allowed, and returns a new tensor.
    """

    def __init__(self, score: Score, legal: Callable[[Tensor], Tensor]) -> None:
        self._score = score
        self._legal = legal
        self._trace: list[Iteration] = []
        self._evaluations = 0
        self._best: tuple[Tensor, Tensor] | None = None

    def rate(self, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Project candidates ``[B, S, H, A]``, which are overwritten, and rate them.

        Returns the legal candidates and their energies ``[B, S]``, bad ones +inf.

        Raises:
            PlanningError: if a world has no finite one, in this round or before.
            SpecError: if the score does not return energies ``[B, S]``.
        """
        legal = self._legal(candidates)
        with torch.no_grad():
            scored = self._score(candidates.copy_(legal))  # a score that writes to its argument changes its own copy
            return legal, self.take(legal, as_energies(scored, legal))

    def take(self, candidates: Tensor, scored: Tensor) -> Tensor:
        """Like :meth:`rate`, of legal candidates that were scored already."""
        batch, count = candidates.shape[:2]
        self._evaluations += count
        scored = scored.detach()
        self._finite = scored.isfinite()
        finite = self._finite.sum(dim=1)
        if self._best is None and not bool(finite.all()):
            raise PlanningError(
                f"world {int((finite == 0).nonzero()[0])}: none of the {count} first candidates has a finite energy. "
                "Look for NaN in the observation, and for overflow in the model or the cost."
            )
        energies = scored.masked_fill(~self._finite, torch.inf)
        self._mean = (scored.masked_fill(~self._finite, 0.0) / finite[:, None]).sum(dim=1)  # a sum could overflow
        lowest, index = energies.min(dim=1)
        actions = candidates[torch.arange(batch, device=index.device), index].detach()
        if self._best is not None:
            better = lowest < self._best[0]
            lowest = torch.where(better, lowest, self._best[0])
            actions = torch.where(better[:, None, None], actions, self._best[1])
        self._best = lowest, actions
        return energies

    def note(self, mean: Tensor, spread: Tensor) -> None:
        """End the round with the distribution ``[B, H, A]`` that came out of it."""
        self._trace.append(Iteration(self.best[0], self._mean, mean, spread, (~self._finite).sum(dim=1)))

    @property
    def best(self) -> tuple[Tensor, Tensor]:
        """Energies ``[B]`` and actions ``[B, H, A]`` of the best candidates so far."""
        if self._best is None:
            raise PlanningError("nothing has been rated yet.")
        return self._best

    def plan(self, mode: Tensor | None = None) -> Plan:
        """Return the best candidates; ``mode [B, H, A]``, where one is given, is the last of them."""
        if mode is not None:
            self.rate(mode[:, None].clone())
        energy, actions = self.best
        return Plan(actions, energy, tuple(self._trace), self._evaluations)


def elites(candidates: Tensor, energies: Tensor, count: int, ordered: bool = False) -> tuple[Tensor, Tensor]:
    """The ``count`` best candidates ``[B, K, H, A]``, and which of them are finite ``[B, K]``."""
    lowest, index = energies.topk(count, dim=1, largest=False, sorted=ordered)
    return torch.take_along_dim(candidates, index[:, :, None, None], dim=1), lowest.isfinite()


def with_hints(candidates: Tensor, search: Gaussian | Categorical, proposals: Tensor | None) -> Tensor:
    """Put what is known before the first round among its candidates ``[B, S, H, A]``.

    Candidate 0 becomes the mode of the search, which is the warm start or the middle of the space, and candidate 1
    doing nothing, unless that is the same. The proposals ``[B, P, H, A]`` are appended.

    Raises:
        SpecError: if the proposals do not fit.
        PlanningError: if they are not finite.
    """
    mode = search.mode
    idle = search.legal(torch.zeros_like(mode))
    candidates[:, 0] = mode
    if candidates.shape[1] > 1 and not torch.equal(mode, idle):
        candidates[:, 1] = idle
    if proposals is None:
        return candidates
    batch, _, horizon, size = candidates.shape
    if proposals.ndim != 4 or (proposals.shape[0], *proposals.shape[2:]) != (batch, horizon, size):
        raise SpecError(
            f"proposals must be [B, P, H, A] = [{batch}, P, {horizon}, {size}]; got {list(proposals.shape)}."
        )
    return torch.cat([candidates, finite(proposals, "proposals", candidates.device)], dim=1)

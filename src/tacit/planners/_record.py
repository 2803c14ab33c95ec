"""What a search has seen: it rates candidates, remembers the best of each world and writes the trace."""

from __future__ import annotations

import torch
from torch import Tensor

from tacit.errors import PlanningError, SpecError
from tacit.planners._search import Categorical, Gaussian, finite
from tacit.types import Iteration, Plan, Score

__all__ = ["Record", "elites", "join"]


class Record:
    """The account of one search.

    An energy that is not finite counts as +inf and as rejected, so it never wins. A world without a finite energy
    in the first round has failed; in a later one it keeps its best.
    """

    def __init__(self, score: Score) -> None:
        self._score = score
        self._trace: list[Iteration] = []
        self._evaluations = 0
        self._best: tuple[Tensor, Tensor] | None = None

    def rate(self, candidates: Tensor) -> Tensor:
        """Energies ``[B, S]`` of the candidates ``[B, S, H, A]``, bad ones +inf.

        Raises:
            PlanningError: if a world has no finite one, in this round or before.
            SpecError: if the score answers in another shape.
        """
        with torch.no_grad():
            return self.take(candidates, self._score(candidates))

    def take(self, candidates: Tensor, scored: Tensor) -> Tensor:
        """Like :meth:`rate`, of candidates that were scored already."""
        batch, count = candidates.shape[:2]
        if scored.shape != (batch, count):
            raise SpecError(f"score must answer with energies [B, S] = [{batch}, {count}]; got {list(scored.shape)}.")
        self._evaluations += count
        scored = scored.detach().float()
        self._finite = scored.isfinite()
        hopeless = (~self._finite.any(dim=1)).nonzero()
        if self._best is None and len(hopeless):
            raise PlanningError(
                f"world {int(hopeless[0])}: none of the {count} first candidates has a finite energy. "
                "Look for NaN in the observation, and for overflow in the model or the cost."
            )
        energies = scored.masked_fill(~self._finite, torch.inf)
        self._mean = scored.masked_fill(~self._finite, 0.0).sum(dim=1) / self._finite.sum(dim=1)
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
        """The best candidates, or ``mode [B, H, A]``, rated, in the worlds where its energy is finite."""
        energy, actions = self.best
        if mode is not None:
            with torch.no_grad():
                rated = self._score(mode[:, None])[:, 0].float()
            self._evaluations += 1
            good = rated.isfinite()
            energy = torch.where(good, rated, energy)
            actions = torch.where(good[:, None, None], mode, actions)
        return Plan(actions, energy, tuple(self._trace), self._evaluations)


def elites(candidates: Tensor, energies: Tensor, count: int, ordered: bool = False) -> tuple[Tensor, Tensor]:
    """The ``count`` best candidates ``[B, K, H, A]``, and which of them are finite ``[B, K]``."""
    lowest, index = energies.topk(count, dim=1, largest=False, sorted=ordered)
    return torch.take_along_dim(candidates, index[:, :, None, None], dim=1), lowest.isfinite()


def join(candidates: Tensor, proposals: Tensor | None, search: Gaussian | Categorical) -> Tensor:
    """The candidates ``[B, S, H, A]`` and, made legal, the proposals ``[B, P, H, A]``.

    Raises:
        SpecError: if the proposals do not fit.
        PlanningError: if they are not finite.
    """
    if proposals is None:
        return candidates
    batch, _, horizon, size = candidates.shape
    if proposals.ndim != 4 or (proposals.shape[0], *proposals.shape[2:]) != (batch, horizon, size):
        raise SpecError(
            f"proposals must be [B, P, H, A] = [{batch}, P, {horizon}, {size}]; got {list(proposals.shape)}."
        )
    return torch.cat([candidates, search.legal(finite(proposals, "proposals", candidates.device))], dim=1)

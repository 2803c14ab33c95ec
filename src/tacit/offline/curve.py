"""Score of a method as a function of the number of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tacit.errors import ConfigError
from tacit.offline.evaluate import OfflineScores, evaluate

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["CurvePoint", "Trains", "learning_curve"]


class Trains(Protocol):
    """A method that builds and trains a model: a recipe."""

    def build_model(self, spec: Any, seed: int) -> Any:
        """Build a new model."""

    def train(self, model: Any, episodes: Episodes, *, seed: int, to: str | Path, **options: Any) -> Any:
        """Train it in place."""


@dataclass(frozen=True)
class CurvePoint:
    """Scores of a model that was trained on some of the recordings.

    Attributes:
        episodes: Episodes that it was trained on.
        scores: Its scores on the held-out recordings.
    """

    episodes: int
    scores: OfflineScores


def learning_curve(
    recipe: Trains,
    fit_on: Episodes,
    held_out: Episodes,
    *,
    shares: Sequence[float] = (0.25, 0.5, 1.0),
    seed: int = 0,
    to: str | Path,
    training: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[CurvePoint, ...]:
    """Train on growing shares of the recordings, and score each model on the same held-out ones.

    A smaller share is a part of a larger one. The recipe takes as many updates for each. If the score still rises at
    the end, more recordings will help.

    Args:
        recipe: The method.
        fit_on: The recordings to draw the shares from.
        held_out: Recordings to score on.
        shares: Shares of the recordings, in ``(0, 1]``, ascending.
        seed: Seed of the weights, the batches and the draw of the shares.
        to: The folder of the runs; what an interrupted call left there is continued.
        training: Options of the training; see :func:`tacit.train`.
        options: Options of :func:`tacit.offline.evaluate`.

    Raises:
        ConfigError: if the shares are not ascending, or one leaves no episode.
    """
    if not shares or not all(0 < share <= 1 for share in shares) or sorted(set(shares)) != list(shares):
        raise ConfigError(f"shares of the recordings ascend in (0, 1], such as (0.25, 0.5, 1); got {tuple(shares)}.")
    found = []
    for share in shares:
        part = fit_on if share == 1 else fit_on.split(share, seed=seed)[0]
        model = recipe.build_model(part.spec, seed)
        recipe.train(model, part, seed=seed, to=Path(to) / f"{100 * share:g}", **(training or {}))
        found.append(CurvePoint(len(part), evaluate(model, fit_on=part, held_out=held_out, seed=seed, **options)))
    return tuple(found)

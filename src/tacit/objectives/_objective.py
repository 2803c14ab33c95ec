"""What every objective is: a weighted sum of named terms that read a forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError
from tacit.types import Forecast

__all__ = ["Loss", "Losses", "Objective", "Starts", "Term"]

Starts: TypeAlias = Literal["every", "first"]


class Loss(NamedTuple):
    """One term of an objective: its scalar before weighting, and its weight."""

    value: Tensor
    weight: float


@dataclass(frozen=True)
class Losses:
    """What an objective makes of a forecast.

    Attributes:
        total: Scalar to minimise: the sum of weight times value.
        terms: Each term by name.
    """

    total: Tensor
    terms: Mapping[str, Loss]


class Objective(nn.Module):
    """What training minimises: a weighted sum of named terms.

    Objectives add up with ``+`` and scale with a number: ``Prediction(steps=4) + 0.09 * SIGReg()``.
    A weight belongs to the term it multiplies, so a weight without a term cannot be written.
    """

    def terms(self) -> tuple[tuple[Term, float], ...]:
        """The terms and their weights."""
        raise NotImplementedError

    @property
    def steps(self) -> int:
        """How many steps ahead a model has to predict."""
        return max(term.horizon for term, _ in self.terms())

    @property
    def starts(self) -> Starts:
        """Predict from ``every`` observation of a clip, or from the ``first`` alone."""
        wanted: set[Starts] = {term.origin for term, _ in self.terms() if term.origin is not None}
        return wanted.pop() if wanted else "every"

    def prepare(self, latent_size: int, action_size: int) -> None:
        """Build the heads that terms own, with torch's global generator; terms that have theirs keep them."""
        for term, _ in self.terms():
            term.build(latent_size, action_size)

    def describe(self) -> list[dict[str, Any]]:
        """Each term's class, weight and options, as plain values."""
        return [{"term": type(term).__name__, "weight": weight, **term.options()} for term, weight in self.terms()]

    def forward(self, forecast: Forecast, seed: int = 0) -> Losses:
        """The loss of a forecast; terms that draw at random draw from ``seed`` alone, alike on every process.

        Raises:
            ConfigError: if no term has a weight above zero.
        """
        losses: dict[str, Loss] = {}
        for term, weight in self.terms():
            with torch.set_grad_enabled(torch.is_grad_enabled() and weight > 0):
                losses[term.name] = Loss(term.loss(forecast, seed), weight)
        weighted = [loss.value * loss.weight for loss in losses.values() if loss.weight > 0]
        if not weighted:
            raise ConfigError("every term of the objective has weight 0; give at least one of them a weight above 0.")
        return Losses(torch.stack(weighted).sum(), losses)

    def __add__(self, other: Objective) -> Objective:
        if not isinstance(other, Objective):
            return NotImplemented
        return Sum((*self.terms(), *other.terms()))

    def __mul__(self, weight: float) -> Objective:
        if isinstance(weight, bool) or not isinstance(weight, (int, float)):
            return NotImplemented
        return Sum(tuple((term, own * weight) for term, own in self.terms()))

    __rmul__ = __mul__


class Term(Objective):
    """One term, the class to inherit from for a new one; it has weight 1 until it is multiplied.

    Args:
        name: What logs call it; unique within an objective.
        horizon: How many steps ahead it needs predictions.
        origin: Where predictions have to start, if it reads them.
    """

    def __init__(self, name: str, horizon: int = 1, origin: Starts | None = None) -> None:
        super().__init__()
        if not name or "." in name or "/" in name:
            raise ConfigError(f"the name of a term is a word without '.' and '/'; got {name!r}.")
        if horizon < 1:
            raise ConfigError(f"term {name!r} needs steps >= 1; got {horizon}.")
        if origin not in (None, "every", "first"):
            raise ConfigError(f"term {name!r} needs starts to be 'every' or 'first'; got {origin!r}.")
        self.name, self.horizon, self.origin = name, horizon, origin

    def loss(self, forecast: Forecast, seed: int, /) -> Tensor:
        """The scalar to minimise, unweighted; any randomness comes from ``seed``."""
        raise NotImplementedError

    def build(self, latent_size: int, action_size: int) -> None:
        """Build the parameters that the term owns, unless it has them already."""

    def options(self) -> dict[str, Any]:
        """Its public attributes: what it was made with."""
        return {key: value for key, value in vars(self).items() if not key.startswith("_") and key != "training"}

    def terms(self) -> tuple[tuple[Term, float], ...]:
        """Itself, with weight 1."""
        return ((self, 1.0),)


class Sum(Objective):
    """Several weighted terms.

    Raises:
        ConfigError: on a name that occurs twice, a weight that is negative or not finite, or terms that want
            predictions to start at different places.
    """

    def __init__(self, terms: tuple[tuple[Term, float], ...]) -> None:
        super().__init__()
        for term, weight in terms:
            if not (math.isfinite(weight) and weight >= 0):
                raise ConfigError(f"term {term.name!r} needs a finite weight of at least 0; got {weight}.")
        names = [term.name for term, _ in terms]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two terms are called {name!r}; give one of them another name, name='...'.")
        origins = {term.name: term.origin for term, _ in terms if term.origin is not None}
        if len(set(origins.values())) > 1:
            raise ConfigError(f"terms of one objective start predictions at one place; got {origins}.")
        self.parts = nn.ModuleDict({term.name: term for term, _ in terms})
        self._terms = terms

    def terms(self) -> tuple[tuple[Term, float], ...]:
        """The terms and their weights, in the order in which they were added."""
        return self._terms

"""Base classes of objectives: weighted sums of named terms that read a forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError
from tacit.types import Forecast, ForecastRequest
from tacit.types.outcomes import Outcome

__all__ = ["Loss", "Losses", "Objective", "Spread", "Term"]

Spread: TypeAlias = Literal["", "unit", "gaussian"]


class Loss(NamedTuple):
    """Value of one term of an objective before weighting, and its weight."""

    value: Tensor
    weight: float


@dataclass(frozen=True)
class Losses:
    """Total loss of a forecast, and the value of each term.

    Attributes:
        total: Scalar to minimise: the sum of weight times value.
        terms: Each term by name.
    """

    total: Tensor
    terms: Mapping[str, Loss]


class Objective(nn.Module):
    """Weighted sum of named terms, which training minimises.

    Objectives add up with ``+`` and scale with a number: ``Prediction(steps=4) + 0.09 * SIGReg()``.
    A weight belongs to the term it multiplies, so a weight without a term cannot be written.
    """

    def terms(self) -> tuple[tuple[Term, float], ...]:
        """Return the terms and their weights."""
        raise NotImplementedError

    def request(self) -> ForecastRequest:
        """Return the request for all parts of a forecast that the terms read: ``model.forecast(clip, request)``.

        Raises:
            ConfigError: if terms start from different observations.
        """
        return reduce(ForecastRequest.merged, (term.requires() for term, _ in self.terms()), ForecastRequest())

    def check(self, forecast_type: type) -> None:
        """Check that every term reads the kind of forecast that a model returns.

        Raises:
            ConfigError: if one does not, with the name of the term and the kinds that it reads.
        """
        for term, _ in self.terms():
            if forecast_type not in term.reads:
                kinds = " or ".join(kind.__name__ for kind in term.reads)
                raise ConfigError(
                    f"term {term.name!r} reads a {kinds}; this model makes a "
                    f"{forecast_type.__name__}. Take a term made for it, or another model."
                )

    def prepare(self, latent_size: int, action_size: int) -> None:
        """Build the heads that terms own, with torch's global generator; keep heads that exist."""
        for term, _ in self.terms():
            term.build(latent_size, action_size)

    def describe(self) -> list[dict[str, Any]]:
        """Return each term's class, weight and options, as plain values."""
        return [{"term": type(term).__name__, "weight": weight, **term.options()} for term, weight in self.terms()]

    def forward(self, forecast: Outcome, seed: int = 0, done: float = 1.0) -> Losses:
        """Compute the loss of a forecast.

        Terms that draw at random draw from ``seed`` alone, identically on every process.

        Args:
            forecast: Output of a model's ``forecast``.
            seed: Seed of this step.
            done: Share of the training completed after this step, for terms with a warmup of the weight.

        Raises:
            ConfigError: if no term has a weight above zero.
        """
        losses: dict[str, Loss] = {}
        for term, last in self.terms():
            weight = last * min(done / term.warmup, 1.0) if term.warmup else last
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
    """Base class of terms; a term has weight 1 until it is multiplied.

    Args:
        name: Name in logs; unique within an objective.

    Attributes:
        reads: Kinds of forecast that the term accepts.
        prevents_collapse: True if the term prevents collapse of the latents.
        spread: Distribution of latents that the term asks for, used to monitor them: ``unit`` variance in each
            component, an isotropic ``gaussian``, or none.
        warmup: Share of the training over which the weight rises linearly from 0.
    """

    reads: ClassVar[tuple[type, ...]] = (Forecast,)
    prevents_collapse: ClassVar[bool] = False
    spread: ClassVar[Spread] = ""
    warmup: float = 0.0

    def __init__(self, name: str) -> None:
        super().__init__()
        if not name or "." in name or "/" in name:
            raise ConfigError(f"the name of a term is a word without '.' and '/'; got {name!r}.")
        self.name = name

    def loss(self, forecast: Any, seed: int, /) -> Tensor:
        """Return the scalar to minimise, unweighted; any randomness comes from ``seed``.

        Args:
            forecast: A forecast of one of the kinds in ``reads``.
            seed: Seed of this step.
        """
        raise NotImplementedError

    def requires(self) -> ForecastRequest:
        """Return the parts of a forecast that the term reads."""
        return ForecastRequest()

    def build(self, latent_size: int, action_size: int) -> None:
        """Build the parameters that the term owns, unless it has them already."""

    def options(self) -> dict[str, Any]:
        """Return its public attributes, which are its constructor arguments."""
        return {key: value for key, value in vars(self).items() if not key.startswith("_") and key != "training"}

    def terms(self) -> tuple[tuple[Term, float], ...]:
        """Return the term itself, with weight 1."""
        return ((self, 1.0),)


class Sum(Objective):
    """Several weighted terms.

    Raises:
        ConfigError: on a name that occurs twice, a weight that is negative or not finite, or terms that ask for
            different forecasts.
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
        self.parts = nn.ModuleDict({term.name: term for term, _ in terms})
        self._terms = terms
        self.request()

    def terms(self) -> tuple[tuple[Term, float], ...]:
        """Return the terms and their weights, in the order of addition."""
        return self._terms

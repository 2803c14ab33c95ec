"""Conformance suite for the terms of objectives.

In the tests of an extension::

    from tacit.testing.objectives import check_term

    def test_mine_is_a_term():
        check_term(MyTerm())
"""

from __future__ import annotations

import json

import torch
from torch import Tensor

from tacit._config import to_json
from tacit.objectives import Term
from tacit.testing._promises import expect
from tacit.types import FlowForecast, Forecast, ForecastRequest, MaskedForecast, ViewEmbeddings
from tacit.types.outcomes import Outcome

__all__ = ["check_term"]


def check_term(term: Term) -> None:
    """Check that ``term`` keeps the promises of :class:`tacit.objectives.Term`, on each forecast that it reads.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    expect(bool(term.reads), "reads must name at least one type of forecast")
    expect(isinstance(term.requires(), ForecastRequest), "requires must return a ForecastRequest")
    plain = to_json(term.options())
    expect(json.loads(json.dumps(plain)) == plain, "options must be plain values")
    term.build(4, 2)
    parameters = dict(term.named_parameters())
    term.build(4, 2)
    expect(
        all(parameters.get(name) is value for name, value in term.named_parameters()),
        "build must keep the parameters that are there",
    )
    checked = [kind for kind in term.reads if kind in _examples()[1]]
    expect(bool(checked), "reads must name a type of forecast of tacit.types")
    for kind in checked:
        _check_loss(term, kind)


def _check_loss(term: Term, kind: type) -> None:
    source, forecasts = _examples()
    state = torch.get_rng_state()
    loss = term.loss(forecasts[kind], 3)
    expect(torch.equal(state, torch.get_rng_state()), "loss must draw from its seed alone")
    expect(isinstance(loss, Tensor) and loss.ndim == 0, "loss must return a scalar")
    expect(bool(loss.isfinite()), "loss must be finite")
    expect(bool(term.loss(_examples()[1][kind], 3) == loss), "one seed must give one loss")
    expect(loss.requires_grad, "loss must depend on the forecast")
    (gradient,) = torch.autograd.grad(loss, source, allow_unused=True)
    expect(gradient is not None and bool(gradient.isfinite().all()), "the gradient must be finite")
    expect(bool(gradient.abs().sum() > 0), "the gradient must reach the latents")


def _examples() -> tuple[Tensor, dict[type, Outcome]]:
    """Return one forecast of each type, and the tensor that all of them are computed from."""
    draw = torch.Generator().manual_seed(0)
    source = torch.randn(6, 16, 4, generator=draw, requires_grad=True)
    targets, predicted = torch.randn(6, 16, 4, generator=draw), 0.9 * source
    features = source.view(6, 2, 2, 4, 4)
    flow, images = 0.1 * features, torch.rand(6, 2, 1, 8, 8, generator=draw)
    full = flow.repeat_interleave(2, 3).repeat_interleave(2, 4)
    ahead = tuple(predicted[:, : 16 - steps] for steps in range(1, 16))
    return source, {
        Forecast: Forecast(source, source, torch.zeros(6, 15, 2), ahead, predicted[:, :2], torch.tensor([0, 9])),
        MaskedForecast: MaskedForecast(
            source, (predicted,), (targets,), (predicted,), (targets,), (torch.ones(6, 16),)
        ),
        ViewEmbeddings: ViewEmbeddings(source, 2),
        FlowForecast: FlowForecast(source, 2, images, (features,), (flow,), full),
    }

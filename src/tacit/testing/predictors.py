"""Conformance suite for predictors of a world model.

In the tests of an extension::

    from tacit.testing.predictors import check_predictor

    def test_mine_is_a_predictor():
        check_predictor(MyPredictorConfig())
"""

from __future__ import annotations

from dataclasses import is_dataclass, replace

import torch
from torch import Generator, Tensor, nn

from tacit.models.predictors import PredictorConfig
from tacit.nn import Predictor
from tacit.testing._promises import expect

__all__ = ["check_predictor"]

LATENT, ACTION, STEPS = 6, 3, 7


def check_predictor(config: PredictorConfig) -> None:
    """Check that ``config`` and its predictor keep the promises of ``PredictorConfig`` and :class:`tacit.nn.Predictor`.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    expect(is_dataclass(config), "the configuration must be a frozen dataclass of its options")
    expect(config == replace(config), "equal options must make equal configurations")
    predictor, again = _built(config), _built(config)
    expect(isinstance(predictor, Predictor), "build must return a tacit.nn.Predictor")
    for name, value in predictor.state_dict().items():
        expect(torch.equal(value, again.state_dict()[name]), "weights must be a function of torch's seed")
    draw = Generator().manual_seed(1)
    for parameter in predictor.parameters():  # far from initial zeros, so that every input matters
        nn.init.normal_(parameter, std=0.3, generator=draw)
    latents, actions = torch.randn(4, STEPS, LATENT, generator=draw), torch.randn(4, STEPS, ACTION, generator=draw)
    _check_forward(predictor.eval(), latents, actions)
    _check_rollout(predictor, latents, actions)


def _check_forward(predictor: Predictor, latents: Tensor, actions: Tensor) -> None:
    with torch.no_grad():
        found = predictor(latents, actions)
        expect(found.shape == latents.shape, "forward must return [N, T, D]")
        expect(bool(found.isfinite().all()), "forecasts must be finite")
        expect(_close(predictor(latents[:1], actions[:1]), found[:1]), "a sequence must not depend on its batch")
        for index in range(2):
            changed = [latents.clone(), actions.clone()]
            changed[index][:, 4:] += 1.0
            later = predictor(*changed)
            expect(_close(later[:, :4], found[:, :4]), "a forecast must not depend on what comes after it")
            expect(not _close(later[:, 4], found[:, 4]), "a forecast must depend on its latent and its action")
        changed = [latents.clone(), actions.clone()]
        changed[0][:, 0] += 1.0
        kept = predictor(*changed)[:, predictor.history :]
        expect(_close(kept, found[:, predictor.history :]), "a forecast must depend on history latents alone")


def _check_rollout(predictor: Predictor, latents: Tensor, actions: Tensor) -> None:
    context, past = latents[:, :2], actions[:, :1]
    horizon = predictor.span + 3
    ahead = actions[:, torch.arange(1, horizon + 1) % STEPS].unsqueeze(1)
    ahead = ahead * torch.tensor([1.0, -1.0, 0.5])[:, None, None]
    rolled = predictor.rollout(context, past, ahead)
    expect(rolled.shape == (4, 3, horizon, LATENT), "rollout must return [B, S, H, D]")
    with torch.no_grad():
        for index in range(3):
            known, blocks = context, torch.cat([past, ahead[:, index]], dim=1)
            for step in range(horizon):
                found, began = rolled[:, index, step], 2 + step - step % predictor.span
                start = max(began - predictor.history, 0)
                seen, before = known[:, start:began], blocks[:, start : began - 1]
                if step % predictor.span == 0:
                    following = predictor(seen, blocks[:, start:began])[:, -1]
                    expect(_close(found, following), "a rollout must feed forecasts back")
                else:
                    following = predictor.rollout(seen, before, blocks[:, None, began - 1 : step + 2])[:, 0, -1]
                    expect(_close(found, following), "a forecast must depend on the actions before it alone")
                known = torch.cat([known, following[:, None]], dim=1)
        _check_unroll(predictor, latents, actions)
    moved = ahead.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(predictor.rollout(context, past, moved).square().sum(), moved)
    expect(bool((gradient.abs().sum(-1) > 0).all()), "a gradient must reach every action of a rollout")


def _check_unroll(predictor: Predictor, latents: Tensor, actions: Tensor) -> None:
    forecasts = predictor.unroll(latents, actions, 3)
    for steps, forecast in enumerate(forecasts, start=1):
        expect(forecast.shape == (4, STEPS + 1 - steps, LATENT), "unroll must return [N, T + 1 - k, D]")
    for start in range(STEPS - 2):
        rolled = predictor.rollout(latents[:, : start + 1], actions[:, :start], actions[:, None, start : start + 3])
        found = torch.stack([forecast[:, start] for forecast in forecasts], dim=1)
        expect(_close(rolled[:, 0], found), "unroll must forecast from a latent what rollout imagines from it")


def _built(config: PredictorConfig) -> Predictor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return config.build(LATENT, ACTION)


def _close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-3, atol=1e-4)

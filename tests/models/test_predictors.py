"""Every predictor: causal, and its rollout equal to feeding forecasts back through ``forward``."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tacit.models.predictors import GRU, MLP, Parallel, PredictorConfig, Transformer, transformer
from tacit.nn._tuning import tune_cpu
from tacit.nn.kernels import PLAIN, kernels_for
from tacit.nn.predictors import Predictor

D, E = 6, 3
SMALL = Transformer(width=8, depth=2, heads=2, head_width=4, mlp_width=12)
BUILD: dict[str, PredictorConfig] = {
    "mlp": MLP(16, 2),
    "gru": GRU(final_norm=True),
    "parallel-1": Parallel(span=1, width=16, final_norm=True),
    "transformer-1": replace(SMALL, width=D),
    "transformer-3": replace(SMALL, history=3, inner_norm=True, out_width=10),
    "transformer-6": replace(SMALL, history=6, depth=3),
}


def build(name: str) -> Predictor:
    """Weights far from their initial zeros, so that every path matters."""
    torch.manual_seed(0)
    predictor = BUILD[name].build(D, E)
    for parameter in predictor.parameters():
        nn.init.normal_(parameter, std=0.4)
    return predictor.eval()


def fed_back(predictor: Predictor, latents: Tensor, past: Tensor, actions: Tensor) -> Tensor:
    """The rollout by its definition: the whole window anew for each step of each candidate."""
    out = []
    for candidate in actions.unbind(1):
        seen, blocks = latents, torch.cat([past, candidate], dim=1)
        for _ in range(candidate.shape[1]):
            start = max(seen.shape[1] - predictor.history, 0)
            forecast = predictor(seen[:, start:], blocks[:, start : seen.shape[1]])[:, -1:]
            seen = torch.cat([seen, forecast], dim=1)
        out.append(seen[:, latents.shape[1] :])
    return torch.stack(out, dim=1)


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize("packed", [False, True])
@settings(max_examples=6, deadline=None)
@given(
    batch=st.integers(1, 3),
    samples=st.integers(1, 4),
    horizon=st.integers(1, 7),
    seen=st.integers(1, 7),
    few=st.booleans(),
)
def test_rollout_equals_feeding_back(
    name: str, packed: bool, batch: int, samples: int, horizon: int, seen: int, few: bool
) -> None:
    predictor = build(name)
    latents, past = torch.randn(batch, seen, D), torch.randn(batch, seen - 1, E)
    actions = torch.randn(batch, samples, horizon, E)
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(transformer, "_FEW", 4 if few else 0)
        tune_cpu()
        kernels = kernels_for(predictor) if packed else PLAIN
        assert (kernels is not PLAIN) == packed
        fast = predictor.rollout(latents, past, actions, kernels)
        slow = fed_back(predictor, latents, past, actions)
        assert (fast - slow).abs().max() <= 1e-5 * slow.abs().max().clamp(min=1.0)


@pytest.mark.parametrize("name", BUILD)
def test_unroll_equals_a_rollout_from_every_start(name: str) -> None:
    predictor, steps, count = build(name), 4, 8
    latents, actions = torch.randn(2, count, D), torch.randn(2, count, E)
    forecasts = predictor.unroll(latents, actions, steps)
    for k, forecast in enumerate(forecasts, start=1):
        assert forecast.shape == (2, count + 1 - k, D)
    for start in range(count + 1 - steps):
        first = max(start + 1 - predictor.history, 0)
        context, past = latents[:, first : start + 1], actions[:, first:start]
        rolled = predictor.rollout(context, past, actions[:, None, start : start + steps])[:, 0]
        for k in range(1, steps + 1):
            torch.testing.assert_close(forecasts[k - 1][:, start], rolled[:, k - 1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", BUILD)
def test_causal(name: str) -> None:
    predictor, cut = build(name), 4
    latents, actions = torch.randn(2, 8, D), torch.randn(2, 8, E)
    before = predictor(latents, actions)
    changed, moved = latents.clone(), actions.clone()
    changed[:, cut:] += 1.0
    moved[:, cut:] += 1.0
    after = predictor(changed, moved)
    torch.testing.assert_close(after[:, :cut], before[:, :cut], rtol=1e-5, atol=1e-6)
    assert not torch.allclose(after[:, cut:], before[:, cut:])
    # The present action matters at once; what lies before the window does not matter at all.
    moved = actions.clone()
    moved[:, cut] += 1.0
    assert not torch.allclose(predictor(latents, moved)[:, cut], before[:, cut])
    changed = latents.clone()
    changed[:, 0] += 1.0
    after = predictor(changed, actions)
    torch.testing.assert_close(after[:, predictor.history :], before[:, predictor.history :])


def test_gradients_reach_actions_through_a_rollout() -> None:
    for name in BUILD:
        predictor = build(name)
        actions = torch.randn(1, 2, 4, E, requires_grad=True)
        predictor.rollout(torch.randn(1, 1, D), torch.zeros(1, 0, E), actions).square().sum().backward()
        assert actions.grad is not None
        assert (actions.grad.abs().sum(-1) > 0).all()


def test_a_new_transformer_ignores_the_action() -> None:
    torch.manual_seed(0)
    predictor = BUILD["transformer-3"].build(D, E).eval()
    latents = torch.randn(2, 3, D)
    torch.testing.assert_close(
        predictor(latents, torch.zeros(2, 3, E)), predictor(latents, torch.ones(2, 3, E)), rtol=0, atol=0
    )


def test_gru_is_pytorchs() -> None:
    torch.manual_seed(0)
    ours, theirs = GRU().build(D, E), nn.GRUCell(E, D)
    theirs.load_state_dict(
        {
            "weight_ih": ours.from_action.weight,
            "bias_ih": ours.from_action.bias,
            "weight_hh": ours.from_latent.weight,
            "bias_hh": ours.from_latent.bias,
        }
    )
    latents, actions = torch.randn(5, D), torch.randn(5, E)
    torch.testing.assert_close(ours(latents[:, None], actions[:, None])[:, 0], theirs(actions, latents))

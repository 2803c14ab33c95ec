"""Packed layers compute what the plain ones do, are kept, and are made anew when a weight changes."""

import pytest
import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks as hooks

from tacit.models import WorldModel
from tacit.nn import kernels, linear
from tacit.nn._tuning import tune_cpu
from tacit.nn.kernels import PLAIN, Packed, kernels_for
from tacit.nn.linear import Linear
from tacit.nn.mlp import ACTIVATIONS, MLP
from tacit.types import Box, Context, Modality, Spec


@pytest.fixture(autouse=True)
def tuned() -> None:
    tune_cpu()


def trained_norms(module: nn.Module) -> nn.Module:
    """Give every BatchNorm statistics that are not those of a new one."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d):
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.2, 3.0)
            nn.init.normal_(part.weight)
            nn.init.normal_(part.bias)
    return module.eval()


@pytest.mark.parametrize("norm", ["none", "batch", "layer"])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_packed_mlp(norm: str, activation: str) -> None:
    torch.manual_seed(0)
    block = trained_norms(MLP(7, (30, 20), 5, norm=norm, activation=activation))
    x = torch.randn(2, 3, 4, 7)
    with torch.no_grad():
        torch.testing.assert_close(kernels_for(block).mlp(block, x), block(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_packed_linear(activation: str) -> None:
    torch.manual_seed(0)
    layer, x = Linear(6, 9), torch.randn(5, 6)
    with torch.no_grad():
        torch.testing.assert_close(Packed(layer).linear(layer, x, activation), PLAIN.linear(layer, x, activation))


def test_the_packed_copy_is_kept_until_a_weight_changes() -> None:
    torch.manual_seed(0)
    block, x = MLP(4, (8,), 4, norm="batch").eval(), torch.randn(3, 4)
    with torch.inference_mode():
        first = kernels_for(block)
        assert isinstance(first, Packed)
        assert kernels_for(block) is first
    optimizer = torch.optim.AdamW(block.parameters(), 0.1, fused=True)
    block(x).sum().backward()
    optimizer.step()
    with torch.inference_mode():
        second = kernels_for(block)
        assert second is not first
        torch.testing.assert_close(second.mlp(block, x), block(x), rtol=1e-5, atol=1e-5)
    block.train()(x)  # moves the running statistics
    with torch.inference_mode():
        block.eval()
        torch.testing.assert_close(kernels_for(block).mlp(block, x), block(x), rtol=1e-5, atol=1e-5)


def test_plain_where_packing_does_not_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    block = MLP(4, (8,), 4)
    assert kernels_for(block.eval()) is PLAIN  # gradients
    with torch.no_grad():
        assert kernels_for(block.train()) is PLAIN
        assert kernels_for(block.eval().double()) is PLAIN
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert kernels_for(block.float()) is PLAIN
        monkeypatch.setattr(linear, "available", lambda: False)
        assert kernels_for(block) is PLAIN


def test_a_model_alone_flips_no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    before, freed = len(hooks), list[bool]()
    steps = kernels._OptimizerSteps()
    monkeypatch.setattr(kernels, "_steps", steps)
    monkeypatch.setattr(linear, "keep_freed_memory", lambda: freed.append(True))
    spec = Spec({"state": Modality("vector", (2,))}, Box((-1.0,), (1.0,)))
    model = WorldModel.for_spec(spec, latent=4).eval()
    with torch.no_grad():
        latents = model.encode({"state": torch.zeros(1, 1, 2)})
        plain = model.rollout(Context(latents), torch.zeros(1, 3, 2, 1))
    assert len(hooks) == before and not steps.registered and not freed
    tune_cpu()
    tune_cpu()
    assert len(hooks) == before + 1 and freed
    with torch.no_grad():
        torch.testing.assert_close(model.rollout(Context(latents), torch.zeros(1, 3, 2, 1)), plain)
        assert isinstance(kernels_for(model.predictor), Packed)

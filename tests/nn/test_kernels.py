"""Packed layers compute what the plain ones do, are kept, and are made anew when a weight changes."""

import os

import pytest
import torch
from torch import nn
from torch.optim.optimizer import _global_optimizer_post_hooks as hooks

from tacit.models import WorldModel
from tacit.nn import kernels, linear
from tacit.nn._choice import KernelChoice, kernel_choice
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


needs_bfloat16 = pytest.mark.skipif(
    not linear.available() or not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
    reason="oneDNN has no products of bfloat16 for this CPU",
)


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch):
    """Return a function that sets the kernels that count as fastest."""

    def choose(packed: bool, low: bool) -> None:
        monkeypatch.setattr(kernels, "kernel_choice", lambda: KernelChoice(packed, low))

    return choose


@needs_bfloat16
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_products_of_low_precision_are_near_and_only_where_they_are_asked_for(chosen, activation: str) -> None:
    torch.manual_seed(0)
    block, x = trained_norms(MLP(64, (128,), 16, norm="batch", activation=activation)), torch.randn(50, 64)
    chosen(packed=True, low=True)
    with torch.no_grad():
        exact, plain = kernels_for(block).mlp(block, x), block(x)
        with kernels.low_precision():
            low = kernels_for(block).mlp(block, x)
        again = kernels_for(block).mlp(block, x)
    assert torch.equal(exact, again) and not torch.equal(low, exact) and low.dtype == torch.float32
    assert (low - plain).square().mean() < 1e-4 * plain.var() < 1.0
    chosen(packed=True, low=False)
    with torch.no_grad(), kernels.low_precision():
        assert torch.equal(kernels_for(block).mlp(block, x), exact)


def test_where_packed_weights_are_slow_the_plain_product_is_taken(chosen) -> None:
    block = MLP(4, (8,), 4).eval()
    chosen(packed=False, low=True)
    with torch.no_grad():
        assert kernels_for(block) is PLAIN


@needs_bfloat16
def test_low_precision_packs_even_where_packed_float32_is_slow(chosen) -> None:
    block = MLP(4, (8,), 4).eval()
    chosen(packed=False, low=True)
    with torch.no_grad(), kernels.low_precision():
        assert isinstance(kernels_for(block), Packed)


def test_the_choice_of_kernels_is_measured_once_and_kept(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("TACIT_CACHE", str(tmp_path / "cache"))
    measure = kernel_choice.__wrapped__
    first = measure()
    monkeypatch.setattr("tacit.nn._choice._measured", lambda: KernelChoice(not first.packed, False))
    assert measure() == first, "read from the file"
    (tmp_path / "cache/kernels.json").write_text("no JSON")
    assert measure().packed != first.packed, "a damaged file is measured again"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41" if os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2" else "AVX2")
    monkeypatch.setattr("tacit.nn._choice._measured", lambda: first)
    assert measure() == first, "other instructions have an entry of their own"
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TACIT_CACHE", str(tmp_path / "file"))
    assert measure().packed, "without a folder the instructions of the CPU decide"


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

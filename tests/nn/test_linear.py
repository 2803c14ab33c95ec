"""The oneDNN layer is torch.nn.Linear, to rounding, and steps aside where it cannot run."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from tacit.nn import linear
from tacit.nn.linear import Linear


@settings(max_examples=15, deadline=None)
@given(
    leading=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 40),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_results_and_gradients_equal_torch(
    leading: list[int], inputs: int, outputs: int, bias: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = Linear(inputs, outputs, bias=bias)
    x = torch.randn(*leading, inputs, requires_grad=True)
    weight = torch.randn(*leading, outputs)
    parameters = [x, *layer.parameters()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "_SMALL", 0)
        ours = layer(x)
        assert type(ours.grad_fn).__name__ == "_LinearBackward"
        change = torch.autograd.grad((ours * weight).sum(), parameters)
        with torch.no_grad():
            free = layer(x)
    theirs = F.linear(x, layer.weight, layer.bias)
    expected = torch.autograd.grad((theirs * weight).sum(), parameters)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(free, theirs.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(change, expected, rtol=1e-5, atol=1e-4)


def test_large_layers_take_the_fast_operator_and_small_or_foreign_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Linear(512, 512), torch.randn(64, 512)
    calls = []
    multiply = linear._multiply
    monkeypatch.setattr(linear, "_multiply", lambda *a: calls.append(1) or multiply(*a))
    layer(x)
    assert len(calls) == 1
    layer(x[:1])
    layer.double()(x.double())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer.float()(x)
    assert len(calls) == 1
    monkeypatch.setattr(linear, "available", lambda: False)
    torch.testing.assert_close(layer(x), nn.Linear.forward(layer, x))
    assert len(calls) == 1


def test_the_operator_is_never_given_a_weight_with_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    multiply = linear._multiply

    def dense(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        assert weight.is_contiguous() or weight.t().is_contiguous()
        return multiply(x, weight, bias)

    monkeypatch.setattr(linear, "_SMALL", 0)
    monkeypatch.setattr(linear, "_multiply", dense)
    sequences = torch.randn(4, 9, 8, requires_grad=True)
    layer = Linear(8, 6)
    layer(sequences[:, -1]).sum().backward()  # rows nine apart, as the first step of an unroll reads them
    assert sequences.grad is not None and layer.weight.grad is not None
    torch.testing.assert_close(layer.weight.grad, sequences.detach()[:, -1].sum(0).expand(6, 8))

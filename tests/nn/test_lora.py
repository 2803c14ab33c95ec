"""Low-rank additions: nothing at first, alone in learning, and seen by packed kernels."""

import pytest
import torch
from torch import nn

from tacit.errors import ConfigError
from tacit.nn._tuning import tune_cpu
from tacit.nn.kernels import PLAIN, kernels_for
from tacit.nn.lora import LoRALinear, add_lora, original_parameters
from tacit.nn.mlp import MLP
from tacit.nn.vit import VisionTransformer

STATISTICS = torch.zeros(3), torch.ones(3)


def small() -> tuple[VisionTransformer, torch.Tensor]:
    torch.manual_seed(0)
    return VisionTransformer(3, (16, 16), (8, 8), width=24, depth=2, heads=2, positions="rope"), torch.randn(
        2, 3, 16, 16
    )


def test_nothing_changes_at_first_and_only_the_additions_learn() -> None:
    vit, x = small()
    expected = vit(x, *STATISTICS)
    before = {name: value.detach().clone() for name, value in vit.named_parameters()}
    assert add_lora(vit, rank=2, alpha=4.0) is vit
    assert torch.equal(vit(x, *STATISTICS), expected)
    learning = [name for name, parameter in vit.named_parameters() if parameter.requires_grad]
    assert len(learning) == 2 * 4 * 2  # two for each of four layers in each of two blocks
    assert all(name.rpartition(".")[2] in ("a", "b") for name in learning)
    optimizer = torch.optim.SGD([p for p in vit.parameters() if p.requires_grad], 0.1)
    for _ in range(2):
        optimizer.zero_grad()
        vit(x, *STATISTICS)[..., 0].sum().backward()
        optimizer.step()
    assert (vit(x, *STATISTICS) - expected).abs().max() > 1e-3
    assert all(parameter.grad.abs().sum() > 0 for parameter in vit.parameters() if parameter.requires_grad)
    kept = original_parameters(vit)
    assert list(kept) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in kept.items())


def test_packed_kernels_see_the_additions() -> None:
    torch.manual_seed(0)
    block, x = nn.Sequential(MLP(6, (9,), 4)).eval(), torch.randn(5, 6)
    add_lora(block, rank=2, alpha=2.0)
    for layer in block[0].layers:
        nn.init.normal_(layer.b)
    tune_cpu()
    with torch.no_grad():
        kernels = kernels_for(block[0])
        assert kernels is not PLAIN
        torch.testing.assert_close(kernels.mlp(block[0], x), block(x), rtol=1e-4, atol=1e-5)


def test_alpha_scales_by_the_rank() -> None:
    layer = nn.Linear(3, 2)
    x = torch.randn(4, 3)
    added = LoRALinear(layer, rank=2, alpha=6.0)
    nn.init.normal_(added.b)
    torch.testing.assert_close(added(x), layer(x) + 3.0 * x @ added.a.T @ added.b.T)


def test_what_makes_no_sense_is_refused() -> None:
    vit, _ = small()
    with pytest.raises(ConfigError, match="at least 1; got 0"):
        add_lora(vit, rank=0, alpha=1.0)
    with pytest.raises(ConfigError, match="LayerNorm has no linear layer inside it"):
        add_lora(nn.LayerNorm(3), rank=1, alpha=1.0)
    add_lora(vit, rank=1, alpha=1.0)
    with pytest.raises(ConfigError, match="additions of low rank already"):
        add_lora(vit, rank=1, alpha=1.0)

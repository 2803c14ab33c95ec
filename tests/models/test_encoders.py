"""Encoders: any size, any rate."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.models.encoders import MLP, Conv, Identity, ViT
from tacit.nn.vit import VisionTransformer


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), channels=st.integers(1, 4), batch=st.integers(1, 3))
def test_pixels_of_any_size(height: int, width: int, channels: int, batch: int) -> None:
    encoder = Conv(8, 20).build((channels, height, width))
    x = torch.randint(0, 256, (batch, channels, height, width), dtype=torch.uint8)
    out = encoder(x, torch.zeros(channels), torch.full((channels,), 255.0))
    assert out.shape == (batch, 20)
    assert out.isfinite().all()


@settings(max_examples=12, deadline=None)
@given(samples=st.integers(1, 500), channels=st.integers(1, 12))
def test_series_of_any_rate(samples: int, channels: int) -> None:
    encoder = Conv(8, 20).build((channels, samples))
    assert encoder(torch.randn(2, channels, samples), torch.zeros(channels), torch.ones(channels)).shape == (2, 20)


def test_vector_passes_through_or_is_encoded() -> None:
    x, mean, std = torch.randn(4, 3), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 8.0])
    torch.testing.assert_close(Identity().build((3,))(x, mean, std), (x - mean) / std)
    assert MLP(10).build((3,))(x, mean, std).shape == (4, 10)


def test_the_vit_returns_its_class_token() -> None:
    torch.manual_seed(0)
    vit = ViT(8, 24, 2, 3).build((3, 20, 28))
    x = torch.randint(0, 256, (5, 3, 20, 28), dtype=torch.uint8)
    mean, std = torch.full((3,), 127.0), torch.full((3,), 60.0)
    out = vit(x, mean, std)
    assert out.shape == (5, 24)
    torch.testing.assert_close(out, VisionTransformer.forward(vit, x, mean, std)[:, 0])
    torch.testing.assert_close(vit(x[2:3], mean, std), out[2:3], rtol=1e-4, atol=1e-5)
    out.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in vit.parameters() if p is not vit.norm.bias)
    assert vit.position is not None and vit.position.grad is not None
    assert (vit.position.grad != 0).any(-1).all()

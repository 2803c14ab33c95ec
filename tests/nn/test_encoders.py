"""Encoders: normalisation carried in the weights, any size, any rate."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tacit.nn.encoders import ConvEncoder, Normalizer, VectorEncoder, patch_embed


def test_the_first_convolution_normalises() -> None:
    torch.manual_seed(0)
    mean, std = torch.tensor([90.0, 120.0, 40.0]), torch.tensor([30.0, 60.0, 80.0])
    conv, x = nn.Conv2d(3, 8, 4, 4), torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    expected = conv((x.float() - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    torch.testing.assert_close(patch_embed(conv, x, mean, std), expected, rtol=1e-4, atol=1e-5)
    conv1d, series = nn.Conv1d(3, 8, 2, 2), torch.randn(2, 3, 10) * 50 + 80
    expected = conv1d((series - mean.view(3, 1)) / std.view(3, 1))
    torch.testing.assert_close(patch_embed(conv1d, series, mean, std), expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), channels=st.integers(1, 4), batch=st.integers(1, 3))
def test_pixels_of_any_size(height: int, width: int, channels: int, batch: int) -> None:
    encoder = ConvEncoder(channels, (height, width), 8, 20)
    x = torch.randint(0, 256, (batch, channels, height, width), dtype=torch.uint8)
    out = encoder(x, torch.zeros(channels), torch.full((channels,), 255.0))
    assert out.shape == (batch, 20)
    assert out.isfinite().all()


@settings(max_examples=12, deadline=None)
@given(samples=st.integers(1, 500), channels=st.integers(1, 12))
def test_series_of_any_rate(samples: int, channels: int) -> None:
    encoder = ConvEncoder(channels, (samples,), 8, 20)
    assert encoder(torch.randn(2, channels, samples), torch.zeros(channels), torch.ones(channels)).shape == (2, 20)


def test_vector_passes_through_or_is_encoded() -> None:
    x, mean, std = torch.randn(4, 3), torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 4.0, 8.0])
    torch.testing.assert_close(VectorEncoder(3, 0, 3)(x, mean, std), (x - mean) / std)
    assert VectorEncoder(3, 16, 10)(x, mean, std).shape == (4, 10)


def test_normalizer_repeats_over_a_block() -> None:
    normalizer = Normalizer(2)
    normalizer.fit((1.0, -1.0), (2.0, 4.0))
    block = torch.tensor([[3.0, 3.0, 1.0, -1.0]])
    torch.testing.assert_close(normalizer(block), torch.tensor([[1.0, 1.0, 0.0, 0.0]]))

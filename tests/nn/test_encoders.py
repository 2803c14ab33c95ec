"""Encoders: normalisation carried in the weights, any size, any rate."""

import torch
from torch import nn

from tacit.nn.encoders import Normalizer, patch_embed


def test_the_first_convolution_normalises() -> None:
    torch.manual_seed(0)
    mean, std = torch.tensor([90.0, 120.0, 40.0]), torch.tensor([30.0, 60.0, 80.0])
    conv, x = nn.Conv2d(3, 8, 4, 4), torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    expected = conv((x.float() - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    torch.testing.assert_close(patch_embed(conv, x, mean, std), expected, rtol=1e-4, atol=1e-5)
    conv1d, series = nn.Conv1d(3, 8, 2, 2), torch.randn(2, 3, 10) * 50 + 80
    expected = conv1d((series - mean.view(3, 1)) / std.view(3, 1))
    torch.testing.assert_close(patch_embed(conv1d, series, mean, std), expected, rtol=1e-4, atol=1e-5)


def test_normalizer_repeats_over_a_block() -> None:
    normalizer = Normalizer(2)
    normalizer.set_statistics((1.0, -1.0), (2.0, 4.0))
    block = torch.tensor([[3.0, 3.0, 1.0, -1.0]])
    torch.testing.assert_close(normalizer(block), torch.tensor([[1.0, 1.0, 0.0, 0.0]]))

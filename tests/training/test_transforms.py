"""Transforms are functions of clip, seed and rank: the same again for the same, another for any other."""

import numpy as np
import pytest
import torch

from tacit.augmentation import MultiCrop, RandomResizedCrop
from tacit.masking import Blocks
from tacit.training import Augment, DrawMasks, MakeViews
from tacit.types import Clip, Transform

CROP = RandomResizedCrop((16, 16), (0.2, 0.5))
TRANSFORMS = [
    Augment(CROP),
    MakeViews(MultiCrop((2,), ((8, 8),), ((0.2, 0.5),))),
    DrawMasks(Blocks(min_keep=4), (8, 8)),
]


def made(transform: Transform, seed: int, rank: int) -> torch.Tensor:
    """What it makes of a video of noise."""
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 2, 3, 32, 32), dtype=np.uint8))
    index = torch.arange(4)
    shown = transform(Clip({"pixels": pixels}, torch.zeros(4, 1, 2), index, index), seed=seed, rank=rank)
    if isinstance(transform, DrawMasks):
        return shown.masks[0].targets[0]
    return shown.views[0] if isinstance(transform, MakeViews) else shown.observation["pixels"]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda one: type(one).__name__)
def test_seed_and_rank_are_all_that_it_draws_from(transform: Transform) -> None:
    one = made(transform, 5, 1)
    torch.manual_seed(1)
    assert torch.equal(one, made(transform, 5, 1))
    rank, seed = made(transform, 5, 0), made(transform, 9, 1)
    assert one.shape == rank.shape and not torch.equal(one, rank)
    assert one.shape != seed.shape or not torch.equal(one, seed)

"""Transforms are functions of clip, seed and rank: the same again for the same, another for any other."""

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.augmentation import Chain, Flip, MultiCrop, Noise, RandomResizedCrop
from tacit.errors import SpecError
from tacit.masking import Blocks
from tacit.objectives import CleanTarget
from tacit.training import Augment, DrawMasks, MakeViews
from tacit.training.transforms import ChangeFrames
from tacit.types import Clip, Forecast, Transform

CROP = RandomResizedCrop((16, 16), (0.2, 0.5))
TRANSFORMS = [
    Augment(CROP),
    MakeViews(MultiCrop((2,), ((8, 8),), ((0.2, 0.5),))),
    DrawMasks(Blocks(min_keep=4), (8, 8)),
    ChangeFrames(Noise(), frames=1),
]


def made(transform: Transform, seed: int, rank: int) -> torch.Tensor:
    """What it makes of a video of noise."""
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 2, 3, 32, 32), dtype=np.uint8))
    index = torch.arange(4)
    shown = transform(Clip({"pixels": pixels}, torch.zeros(4, 1, 2), index, index), seed=seed, rank=rank)
    if isinstance(transform, DrawMasks):
        return shown.masks[0].targets[0]
    if isinstance(transform, ChangeFrames):
        assert torch.equal(shown.observation["pixels"], pixels)
        return shown.changed["pixels"]
    return shown.views[0] if isinstance(transform, MakeViews) else shown.observation["pixels"]


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda one: type(one).__name__)
def test_seed_and_rank_are_all_that_it_draws_from(transform: Transform) -> None:
    one = made(transform, 5, 1)
    torch.manual_seed(1)
    assert torch.equal(one, made(transform, 5, 1))
    rank, seed = made(transform, 5, 0), made(transform, 9, 1)
    assert one.shape == rank.shape and not torch.equal(one, rank)
    assert one.shape != seed.shape or not torch.equal(one, seed)


def test_changed_frames_are_some_of_the_clean_ones() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 5, 3, 32, 32), dtype=np.uint8))
    clip = Clip({"pixels": pixels}, torch.zeros(4, 4, 2), torch.arange(4), torch.arange(4))
    found = ChangeFrames(Flip(1.0), frames=2)(clip, seed=3, rank=0)
    assert found.changed_at is not None and len(found.changed_at) == 2 and found.changed_at.unique().numel() == 2
    assert torch.equal(found.changed["pixels"], pixels[:, found.changed_at].flip(-1))


def test_a_model_forecasts_changed_frames_and_their_clean_targets_have_no_gradient() -> None:
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, 32, 32))}, tc.Box((-1.0, -1.0), (1.0, 1.0)))
    model = tc.models.WorldModel.for_spec(spec, "tiny", latent=8)
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 5, 3, 32, 32), dtype=np.uint8))
    clip = Clip({"pixels": pixels}, torch.zeros(4, 4, 2), torch.arange(4), torch.arange(4))
    term = CleanTarget()
    with pytest.raises(SpecError, match="ChangeFrames"):
        term.loss(model.forecast(clip), 0)
    found = model.forecast(ChangeFrames(Chain(()), frames=3)(clip, seed=0, rank=0))
    assert found.changed is not None
    torch.testing.assert_close(found.changed, found.latents[:, found.changed_at])  # nothing was changed
    assert term.loss(found, 0).item() == pytest.approx(0, abs=1e-9)
    changed, targets = torch.ones(4, 2, 8, requires_grad=True), torch.zeros(4, 5, 8, requires_grad=True)
    loss = term.loss(Forecast(targets, targets, torch.zeros(4, 4, 2), (), changed, torch.tensor([1, 3])), 0)
    loss.backward()
    assert loss.item() == 0.5 and targets.grad is None and changed.grad is not None

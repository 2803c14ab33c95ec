"""Conformance suite for augmentations.

In the tests of an extension::

    from tacit.testing.augmentations import check_augmentation

    def test_mine_is_an_augmentation():
        check_augmentation(MyAugmentation())
"""

from __future__ import annotations

from dataclasses import is_dataclass, replace

import torch
from torch import Generator, Tensor

from tacit.augmentation import Augmentation
from tacit.testing._promises import expect

__all__ = ["check_augmentation"]


def check_augmentation(augmentation: Augmentation, size: tuple[int, int] = (16, 20)) -> None:
    """Check that ``augmentation`` keeps the promises of :class:`tacit.augmentation.Augmentation`.

    Args:
        augmentation: The augmentation.
        size: Height and width of the images to change.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    expect(is_dataclass(augmentation), "an augmentation must be a frozen dataclass of its options")
    expect(augmentation == replace(augmentation), "equal options must make equal augmentations")  # type: ignore[type-var]
    images = torch.randint(0, 256, (6, 3, *size), generator=Generator().manual_seed(1), dtype=torch.uint8)
    kept, before = images.clone(), torch.get_rng_state()
    changed = _run(augmentation, images)
    expect(torch.equal(images, kept), "an augmentation must not modify its input")
    expect(torch.equal(before, torch.get_rng_state()), "an augmentation must draw from its generator alone")
    for one in changed:
        expect(one.dtype == torch.float32, "an augmentation must return float32")
        expect(len(one) == len(images) and one.shape[-3] == 3, "an augmentation must keep the batch and the channels")
        expect(bool(one.isfinite().all()), "an augmentation must return finite values")
        expect(bool((one >= 0).all() and (one <= 255).all()), "an augmentation must return values from 0 to 255")
    expect(all(map(torch.equal, changed, _run(augmentation, images))), "one generator must give one result")
    as_float = _run(augmentation, images.float())
    for one, other in zip(changed, as_float, strict=True):
        expect(torch.allclose(one, other, atol=1e-3), "uint8 and float32 images must be changed alike")
    still = images[:, None].expand(-1, 3, -1, -1, -1)
    for one, video in zip(changed, _run(augmentation, still), strict=True):
        frames = video if video.ndim == 5 and one.ndim == 4 else video.movedim(-4, 1)
        expect(torch.allclose(frames, frames[:, :1].expand_as(frames), atol=1e-3), "a video must change as a whole")


def _run(augmentation: Augmentation, images: Tensor) -> tuple[Tensor, ...]:
    """Return the changed images, of each view where there are several."""
    changed = augmentation(images, Generator().manual_seed(0))
    return changed if isinstance(changed, tuple) else (changed,)

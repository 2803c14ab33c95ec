"""Conformance suite for maskings.

In the tests of an extension::

    from tacit.testing.masking import check_masking

    def test_mine_is_a_masking():
        check_masking(MyMasking(), grid=(14, 14))
"""

from __future__ import annotations

from math import prod

import numpy as np
import torch
from torch import Tensor

from tacit.testing._promises import expect
from tacit.types import Mask, Masking

__all__ = ["check_masking", "check_symmetry"]


def check_masking(masking: Masking, grid: tuple[int, ...], batch: int = 5, seed: int = 5, rank: int = 0) -> None:
    """Check that ``masking`` keeps the promises of :class:`tacit.types.Masking`.

    Args:
        masking: The masking.
        grid: A grid of tokens that it masks.
        batch: Items of a batch.
        seed: Seed of the masks.
        rank: Number of the process.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    masks = masking(grid, batch, seed=seed, rank=rank)
    expect(isinstance(masks, tuple) and bool(masks), "a masking must return a tuple of at least one mask")
    for mask in masks:
        _check_mask(mask, batch, prod(grid))
    states = torch.get_rng_state(), np.random.get_state()
    torch.manual_seed(seed % 1000 + 1)
    np.random.seed(seed % 1000 + 1)
    again = _tensors(masking(grid, batch, seed=seed, rank=rank))
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])
    same = all(map(torch.equal, _tensors(masks), again)) and len(again) == len(_tensors(masks))
    expect(same, "masks must be a function of the arguments, and of no global random state")
    lengths = [tensor.shape[1] for tensor in _tensors(masks)]
    for other in (masking(grid, batch, seed=seed, rank=rank + 1), masking(grid, 2 * batch, seed=seed, rank=rank)):
        expect(
            [tensor.shape[1] for tensor in _tensors(other)] == lengths,
            "the sizes of masks must depend on the grid and the seed alone, so that all processes agree",
        )


def check_symmetry(masking: Masking, grid: tuple[int, ...], axis: int, limit: float = 4.5) -> None:
    """Check that a token is as often seen, and as often hidden, as its mirror image along an axis.

    The mean difference of the two over 1,536 independent items, and that between the halves of the grid, must be zero
    up to ``limit`` standard errors.

    Raises:
        AssertionError: if a side is favoured.
    """
    drawn = [masking(grid, 64, seed=seed, rank=rank) for seed in range(12) for rank in (0, 1)]
    half = torch.sign(torch.arange(grid[axis]) - (grid[axis] - 1) / 2)
    for number in range(len(drawn[0])):
        for kind in ("context", "targets"):
            counts = torch.cat([_count(masks[number], kind, prod(grid)) for masks in drawn]).reshape(-1, *grid)
            counts = counts.movedim(1 + axis, 1).reshape(len(counts), grid[axis], -1)
            difference = (counts - counts.flip(1)).flatten(1)
            for differences in (difference, counts.sum(dim=2) @ half[:, None]):
                z = differences.sum(dim=0) / differences.square().sum(dim=0).clamp(min=1).sqrt()
                largest = float(z.abs().max())
                expect(largest < limit, f"{kind}: one side is favoured by {largest:.1f} standard errors")


def _check_mask(mask: Mask, batch: int, tokens: int) -> None:
    expect(isinstance(mask.targets, tuple) and bool(mask.targets), "a mask must have a tuple of at least one target")
    for tensor in (mask.context, *mask.targets):
        expect(tensor.dtype == torch.int64 and tensor.is_contiguous(), "indices must be contiguous int64")
        expect(tensor.ndim == 2 and len(tensor) == batch and tensor.shape[1] >= 1, "indices must be [B, K] with K >= 1")
        expect(bool((tensor[:, 1:] > tensor[:, :-1]).all()), "indices must ascend, so that none comes twice")
        expect(bool(tensor.min() >= 0 and tensor.max() < tokens), "indices must lie on the grid")
    seen = _among(mask.context, tokens)
    for target in mask.targets:
        expect(target.shape == mask.targets[0].shape, "the targets of a mask must have one size")
        expect(not bool((seen & _among(target, tokens)).any()), "no token of a target may be in the context")


def _tensors(masks: tuple[Mask, ...]) -> list[Tensor]:
    return [tensor for mask in masks for tensor in (mask.context, *mask.targets)]


def _among(index: Tensor, tokens: int) -> Tensor:
    """Return ``[B, N]``, true for the tokens in ``index [B, K]``."""
    return torch.zeros(len(index), tokens, dtype=torch.bool).scatter_(1, index, True)


def _count(mask: Mask, kind: str, tokens: int) -> Tensor:
    """Return how often each token is in the context, or in the targets, of each item."""
    blocks = (mask.context,) if kind == "context" else mask.targets
    return torch.stack([_among(block, tokens).float() for block in blocks]).sum(dim=0)

"""Conformance suite of costs and of constraints on rollouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tacit.testing._promises import expect
from tacit.types import Constraint, Cost, MarginConstraint, Rollout

__all__ = ["check_cost", "check_margin_constraint", "check_rollout_constraint", "rollout"]

WORLDS, SAMPLES, HORIZON = 3, 5, 4


def rollout(latent: int = 6, block: int = 4, seed: int = 0) -> Rollout:
    """Return random rollouts of three worlds, five candidates and four blocks.

    Args:
        latent: Size ``D`` of a latent, and of what is carried.
        block: Size ``A'`` of a block.
        seed: Seed of the numbers.
    """
    draw = torch.Generator().manual_seed(seed)
    latents = torch.randn(WORLDS, SAMPLES, HORIZON, latent, generator=draw)
    blocks = torch.rand(WORLDS, SAMPLES, HORIZON, block, generator=draw) * 2 - 1
    start, goal, carried = torch.randn(3, WORLDS, latent, generator=draw)
    return Rollout(start, latents, blocks, goal, carried=carried)


def check_cost(cost: Cost, latent: int = 6, block: int = 4, *, arrays: bool = True) -> None:
    """Check that a cost keeps the promises of :class:`tacit.types.Cost`.

    Args:
        cost: The cost.
        latent: Size ``D`` of the latents that it takes.
        block: Size ``A'`` of the blocks that it takes.
        arrays: Check it on NumPy arrays too; a cost that owns a network takes torch tensors only.

    Raises:
        AssertionError: naming the promise that is broken.
    """
    _check(cost, rollout(latent, block), (WORLDS, SAMPLES), "energies [B, S]", arrays)


def check_rollout_constraint(constraint: Constraint, latent: int = 6, block: int = 4, *, arrays: bool = True) -> None:
    """Check that a constraint keeps the promises of :class:`tacit.types.Constraint`; see :func:`check_cost`."""
    shape = (WORLDS, SAMPLES, HORIZON)
    _check(constraint, rollout(latent, block), shape, "violations [B, S, H]", arrays)
    whole = rollout(latent, block)
    short = replace(whole, latents=whole.latents[:, :, :2], blocks=whole.blocks[:, :, :2])
    expect(_same(constraint(short), constraint(whole)[:, :, :2]), "a violation must not depend on later blocks")


def check_margin_constraint(constraint: MarginConstraint, latent: int = 6, block: int = 4) -> None:
    """Check that a constraint keeps the promises of :class:`tacit.types.MarginConstraint`; see :func:`check_cost`."""
    check_rollout_constraint(constraint, latent, block)
    whole = rollout(latent, block)
    with torch.no_grad():
        slacks, wider = constraint.slacks(whole), constraint.with_margin(constraint.margin + 1)
        ends = constraint.slack(constraint.values(whole.latents))
        expect(tuple(slacks.shape) == (WORLDS, SAMPLES, HORIZON), "slacks must be [B, S, H]")
        expect(slacks <= ends + 1e-5, "the slack of a block must not be above that of its end")
        expect(slacks[:, :, 1:] <= ends[:, :, :-1] + 1e-5, "nor above that of its start")
        short = slacks[:, :, 1:] < constraint.margin
        missing = (constraint.margin - slacks)[:, :, 1:]
        expect(
            _same(constraint(whole)[:, :, 1:][short], missing[short]), "a violation is what is missing to the margin"
        )
        expect(constraint(whole)[:, :, 1:][~short] <= 1e-5, "a block with the margin has no violation")
        expect(wider.margin >= constraint.margin + 1, "with_margin must return a margin of at least the given one")
        expect(constraint(whole) <= wider(whole) + 1e-5, "a wider margin must not lower a violation")
        expect(_same(wider.slacks(whole), slacks), "the slack must not depend on the margin")


def _check(function: Cost | Constraint, whole: Rollout, shape: tuple[int, ...], result: str, arrays: bool) -> None:
    with torch.no_grad():
        copied = _each(whole, lambda part: part.clone())
        found = function(copied)
        expect(isinstance(found, Tensor) and tuple(found.shape) == shape, f"it must return {result}, {list(shape)}")
        expect(found.isfinite(), "finite rollouts must have finite numbers")
        unchanged = [torch.equal(vars(copied)[name], vars(whole)[name]) for name in _tensors(whole)]
        expect(all(unchanged), "it must not write to its argument")
        some = torch.tensor([3, 0, 4])
        fewer = replace(whole, latents=whole.latents[:, some], blocks=whole.blocks[:, some])
        expect(_same(function(fewer), found[:, some]), "a candidate must not depend on the others")
        alone = [function(_each(whole, lambda part, row=row: part[row : row + 1])) for row in range(WORLDS)]  # type: ignore[misc]
        expect(_same(torch.cat(alone), found), "a world must not depend on the others")
        if arrays:
            plain = function(_each(whole, lambda part: part.numpy()))
            expect(isinstance(plain, np.ndarray), "NumPy arrays in must be NumPy arrays out")
            expect(_same(torch.from_numpy(np.asarray(plain)), found), "NumPy arrays and torch tensors must agree")
    free = replace(whole, latents=whole.latents.clone().requires_grad_(), blocks=whole.blocks.clone().requires_grad_())
    out = function(free).sum()
    expect(out.requires_grad, "it must be differentiable in the latents or the blocks")
    out.backward()
    slopes = [part.grad for part in (free.latents, free.blocks) if part.grad is not None]
    expect(all(bool(slope.isfinite().all()) for slope in slopes), "its gradient must be finite")


def _tensors(whole: Rollout) -> list[str]:
    return [one.name for one in fields(whole) if isinstance(vars(whole)[one.name], Tensor)]


def _each(whole: Rollout, change: Callable[[Tensor], Any]) -> Rollout:
    """Return a rollout with every tensor changed."""
    return replace(whole, **{name: change(vars(whole)[name]) for name in _tensors(whole)})


def _same(one: Any, two: Any) -> bool:
    return torch.allclose(torch.as_tensor(one), torch.as_tensor(two), rtol=1e-5, atol=1e-6)

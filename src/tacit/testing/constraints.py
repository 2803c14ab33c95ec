"""Conformance suite for action constraints.

In the tests of an extension::

    from tacit.testing.constraints import check_constraint

    def test_mine_is_a_constraint():
        check_constraint(MyConstraint())
"""

from __future__ import annotations

import torch
from torch import Generator

from tacit.types import ActionConstraint, Box

__all__ = ["check_constraint"]


def check_constraint(constraint: ActionConstraint, space: Box | None = None) -> None:
    """Check that ``constraint`` keeps the promises of :class:`tacit.types.ActionConstraint`.

    Args:
        constraint: A constraint with a configuration that fits the space.
        space: By default, two components in [-1, 1].

    Raises:
        AssertionError: naming the promise that is broken.
    """
    space = space or Box((-1.0, -1.0), (1.0, 1.0), "velocity")
    limited = constraint.limited(space)
    _expect(isinstance(limited, Box) and limited.size == space.size, "limited must return a Box of the same size")
    inside = all(
        low <= lower <= upper <= high
        for low, lower, upper, high in zip(space.low, limited.low, limited.high, space.high, strict=True)
    )
    _expect(inside, f"limited must return a part of {space}; got {limited}")
    _expect(limited.kinds == space.kinds, "limited must keep the kinds of the space")
    _expect(constraint.limited(limited) == limited, "limited must leave alone what is limited already")
    unit = torch.rand((5, 3, space.size), generator=Generator().manual_seed(0))
    previous = space.project(torch.tensor(space.low) + unit * (torch.tensor(space.high) - torch.tensor(space.low)))
    copy, found = previous.clone(), constraint.after(previous)
    _expect(torch.equal(previous, copy), "after must not change the action that it is given")
    if found is None:
        return
    low, high = found
    _expect(low.dtype == high.dtype == torch.float32, "after must return numbers of the dtype that it is given")
    for name, bound in (("low", low), ("high", high)):
        _expect((previous + bound).shape == previous.shape, f"{name} must be [..., A]")
    _expect(bool(((low <= previous) & (previous <= high)).all()), "the action before must be one that may follow")
    again = constraint.after(previous)
    _expect(
        again is not None and torch.equal(again[0], low) and torch.equal(again[1], high), "after must hold no state"
    )
    alone = constraint.after(previous[:1])
    _expect(
        alone is not None and torch.equal(alone[0].expand_as(previous[:1]), low.expand_as(previous)[:1]),
        "what may follow in one world must not depend on the others",
    )


def _expect(holds: bool, promise: str) -> None:
    if not holds:
        raise AssertionError(promise)

"""Every method of the registry keeps the promises of the protocol, and the checks notice those that do not."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit import masking
from tacit.errors import ConfigError
from tacit.masking import Blocks, Future, RandomPatches, Spans, TubeMask, Tubes
from tacit.testing.masking import check_masking, check_symmetry
from tacit.types import Mask

GRIDS = [(24,), (9, 12), (3, 8, 7)]
METHODS = [
    *(masking.load(name)() for name in masking.names()),
    Blocks(blocks=1, scale=(0.3, 0.6), min_keep=1),
    Tubes((TubeMask(3, (0.1, 0.4)),), context_frames=0.7),
    RandomPatches(ratio=0.4, tube=True),
    Spans(spans=1, scale=(0.2, 0.6)),
]


def masks_grid(method, grid):
    try:
        method(grid, 1, seed=0)
    except ConfigError:
        return False
    return True


CASES = [(method, grid) for method in METHODS for grid in GRIDS if masks_grid(method, grid)]
each_case = pytest.mark.parametrize(("method", "grid"), CASES, ids=lambda value: str(value)[:50])


def chosen(index, tokens):
    """Which of the tokens ``[B, N]`` are in ``index [B, K]``."""
    return torch.zeros(len(index), tokens, dtype=torch.bool).scatter_(1, index, True)


def count(mask, kind, tokens):
    blocks = (mask.context,) if kind == "context" else mask.targets
    return sum(chosen(block, tokens).float() for block in blocks)


@each_case
@given(batch=st.integers(1, 9), seed=st.integers(0, 2**70), rank=st.integers(0, 2000))
@settings(max_examples=15, deadline=None)
def test_masks_conform(method, grid, batch, seed, rank):
    check_masking(method, grid, batch, seed, rank)


@pytest.mark.parametrize("method", METHODS, ids=repr)
def test_each_method_masks_some_grid(method):
    assert any(method is other for other, _ in CASES)


@each_case
def test_no_side_is_favoured(method, grid):
    causal = isinstance(method, Future) or (isinstance(method, Tubes) and method.context_frames < 1)
    for axis in range(int(causal), len(grid)):
        check_symmetry(method, grid, axis)


@each_case
def test_every_token_is_seen_and_predicted(method, grid):
    tokens = int(np.prod(grid))
    drawn = [mask for seed in range(40) for mask in method(grid, 32, seed=seed)]
    seen = torch.stack([count(mask, "context", tokens).any(dim=0) for mask in drawn]).any(dim=0).reshape(grid)
    hidden = torch.stack([count(mask, "targets", tokens).any(dim=0) for mask in drawn]).any(dim=0).reshape(grid)
    first, last = 0, len(seen)
    if isinstance(method, Future):  # 0.25 to 0.75 of the steps
        first, last = round(0.25 * last), round(0.75 * last)
        assert not hidden[:first].any() and not seen[last:].any()
    if isinstance(method, Tubes):
        last = round(method.context_frames * last)
        assert not seen[last:].any()
    assert seen[:last].all()
    assert hidden[first:].all()


@each_case
def test_places_differ_between_items_seeds_and_ranks(method, grid):
    if isinstance(method, Future):
        return
    (one, *_), (rank, *_), (seed, *_) = (method(grid, 8, seed=s, rank=r) for s, r in ((3, 0), (3, 1), (4, 0)))
    assert not torch.equal(one.context[0], one.context[1])
    assert not torch.equal(one.context, rank.context)
    assert one.context.shape != seed.context.shape or not torch.equal(one.context, seed.context)


@each_case
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 0}, "batch >= 1; got 0"),
        ({"seed": -1}, "seed >= 0"),
        ({"rank": -1}, "rank >= 0"),
        ({"grid": ()}, "a grid"),
    ],
)
def test_calls_that_mean_nothing_are_refused(method, grid, changes, message):
    arguments = {"grid": grid, "batch": 2, "seed": 0, "rank": 0, **changes}
    with pytest.raises(ConfigError, match=message):
        method(**arguments)
    with pytest.raises(ConfigError, match="at least one token"):
        method((0, *grid[1:]), 2, seed=0)


class Broken:
    """A method with one promise broken."""

    def __init__(self, breakage, method):
        self.breakage, self.method = breakage, method

    def __call__(self, grid, batch, *, seed, rank=0):
        if self.breakage == "global":
            seed = int(torch.randint(1000, ()))
        mask, *others = self.method(grid, batch, seed=seed, rank=rank)
        context, targets, length = mask.context, mask.targets, mask.context.shape[1]
        if self.breakage == "first":  # what remains of a mask when it is cut to the shortest of a batch
            context = context[:, : length - length // 8]
        if self.breakage == "first target":
            targets = tuple(target[:, : -(target.shape[1] // 8)] for target in targets)
        if self.breakage == "rank":
            context = context[:, : length - rank % 2]
        if self.breakage == "batch":
            context = context[:, : length - batch % 2]
        if self.breakage == "order":
            context = context.flip(1)
        if self.breakage == "twice":
            context = torch.cat([context[:, :1], context[:, :-1]], dim=1)
        if self.breakage == "overlap":
            context = torch.cat([context[:, :-1], targets[0][:, :1]], dim=1).sort(dim=1).values
        if self.breakage == "range":
            context = torch.cat([context[:, :-1], context[:, -1:] + 10_000], dim=1)
        if self.breakage == "dtype":
            context = context.int()
        return (Mask(context, targets), *others)


@pytest.mark.parametrize("breakage", ["global", "rank", "batch", "order", "twice", "overlap", "range", "dtype"])
@pytest.mark.parametrize("method", [Blocks(), RandomPatches()], ids=repr)
def test_checks_notice(method, breakage):
    check_masking(method, (9, 12))
    with pytest.raises(AssertionError):
        check_masking(Broken(breakage, method), (9, 12))


@pytest.mark.parametrize("breakage", ["first", "first target"])
@pytest.mark.parametrize(
    ("method", "grid", "axis"), [(Blocks(), (9, 12), 0), (RandomPatches(), (9, 12), 0), (Tubes(), (1, 8, 8), 1)]
)
def test_cutting_to_the_first_indices_is_noticed(method, grid, axis, breakage):
    with pytest.raises(AssertionError, match="favoured"):
        check_symmetry(Broken(breakage, method), grid, axis, limit=10)

"""Each method against its definition: sizes, shapes, and probabilities that are known."""

from collections import Counter
from itertools import combinations
from math import comb

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit import masking
from tacit._config import from_json, to_json
from tacit.errors import ConfigError
from tacit.masking import Blocks, Future, RandomPatches, Spans, TubeMask, Tubes, _rectangles
from tacit.masking._draw import generators, split
from tacit.masking._rectangles import Rectangles, draw_size

side = st.integers(6, 20)
seeds = st.integers(0, 2**31)


def chi_square(counts, outcomes):
    """Chi-square of equally likely outcomes, in standard deviations above its mean."""
    expected = sum(counts.values()) / outcomes
    value = sum((counts[key] - expected) ** 2 for key in counts) / expected + (outcomes - len(counts)) * expected
    return (value - (outcomes - 1)) / np.sqrt(2 * (outcomes - 1))


def rectangle(tokens, width):
    """Height and width of the rectangle that ``tokens [M]`` fill."""
    rows, columns = sorted({int(t) // width for t in tokens}), sorted({int(t) % width for t in tokens})
    assert rows == list(range(rows[0], rows[-1] + 1)) and columns == list(range(columns[0], columns[-1] + 1))
    assert tokens.tolist() == [row * width + column for row in rows for column in columns]
    return len(rows), len(columns)


def assert_in_range(size, grid, scale, aspect, largest):
    """Some rectangle of the ranges rounds to ``size``, unless it was cut."""
    (height, width), area = size, grid[0] * grid[1]
    least_height, least_width = (length - 0.5 if length > 1 else 0 for length in size)
    cut = height == largest[0] or width == largest[1]
    assert 1 <= height <= largest[0] and 1 <= width <= largest[1]
    assert least_height * least_width <= scale[1] * area
    assert (height + 0.5) * (width + 0.5) >= scale[0] * area or size == largest
    assert cut or least_height <= aspect[1] * (width + 0.5)
    assert cut or height + 0.5 >= aspect[0] * least_width


@given(height=side, width=side, seed=seeds, low=st.floats(0.02, 1), share=st.floats(0, 1), tall=st.floats(0.2, 4))
@settings(max_examples=200, deadline=None)
def test_sizes_are_in_range(height, width, seed, low, share, tall):
    scale, aspect, largest = (low, low + share * (1 - low)), (tall, 1.5 * tall), (height - 1, width)
    size = draw_size(generators(seed, 0)[0], (height, width), scale, aspect, largest)
    assert_in_range(size, (height, width), scale, aspect, largest)


def test_sizes_use_the_whole_range():
    rng = generators(0, 0)[0]
    sizes = [draw_size(rng, (100, 100), (0.1, 0.3), (0.5, 2.0), (100, 100)) for _ in range(2000)]
    shares, aspects = np.array([(h * w / 1e4, h / w) for h, w in sizes]).T
    assert np.quantile(shares, [0.01, 0.5, 0.99]) == pytest.approx([0.102, 0.2, 0.298], abs=0.008)
    assert np.quantile(aspects, [0.01, 0.5, 0.99]) == pytest.approx([0.515, 1.25, 1.985], abs=0.05)
    assert abs(np.corrcoef(shares, aspects)[0, 1]) < 0.06


@given(
    height=side,
    width=side,
    seed=seeds,
    rank=st.integers(0, 3),
    blocks=st.integers(1, 5),
    scale=st.tuples(st.floats(0.05, 0.12), st.floats(0.12, 0.25)),
    aspect=st.sampled_from([(0.75, 1.5), (0.4, 0.5), (2.0, 2.0)]),
    min_keep=st.integers(1, 8),
)
@settings(max_examples=60, deadline=None)
def test_blocks_are_rectangles(height, width, seed, rank, blocks, scale, aspect, min_keep):
    method = Blocks(blocks=blocks, scale=scale, aspect=aspect, min_keep=min_keep)
    (mask,) = method((height, width), 3, seed=seed, rank=rank)
    assert len(mask.targets) == blocks
    sizes = {rectangle(item, width) for target in mask.targets for item in target}
    assert len(sizes) == 1, "one size for the whole batch"
    assert_in_range(sizes.pop(), (height, width), scale, aspect, (height - 1, width - 1))
    assert mask.context.shape[1] >= min_keep
    for item in mask.context:
        assert np.ptp(item.numpy() // width) < height - 1 and np.ptp(item.numpy() % width) < width - 1


def test_the_context_lies_in_a_block_of_its_own():
    method = Blocks(blocks=1, scale=(0.004, 0.004), context_scale=(0.25, 0.25))
    (mask,) = method((16, 16), 64, seed=0)
    assert mask.context.shape[1] >= 63
    for item in mask.context.numpy():
        assert np.ptp(item // 16) == 7 and np.ptp(item % 16) == 7


def along(length, extent):
    """The probability of each of ``length`` places to lie in an interval of ``extent``, placed uniformly."""
    return np.array([sum(s <= p < s + extent for s in range(length - extent + 1)) for p in range(length)]) / (
        length - extent + 1
    )


def test_targets_of_blocks_cover_each_token_as_often_as_they_should():
    """To the last row and column; layouts that are drawn again shift this by no more than a percent."""
    expected, counted = np.zeros(196), np.zeros(196)
    for seed in range(24):
        (mask,) = Blocks()((14, 14), 256, seed=seed)
        height, width = rectangle(mask.targets[0][0], 14)
        expected += np.outer(along(14, height), along(14, width)).ravel() / 24
        for target in mask.targets:
            counted += np.bincount(target.flatten(), minlength=196) / (24 * 256 * 4)
    assert np.abs(counted - expected).max() < 0.01


def test_corners_are_uniform():
    shape = Rectangles((4, 5), (4, 5), (2, 2), 2)
    corners = shape.draw(generators(3, 0)[1], 24_000)
    assert not corners[:, 0].any()
    assert chi_square(Counter(map(tuple, corners[:, 1].tolist())), 12) < 3
    pairs = Counter((*first, *second) for first, second in corners[:, 1:].tolist())
    assert chi_square(pairs, 144) < 3, "blocks are placed independently"


def test_free_tokens_against_the_definition():
    shape = Rectangles((5, 6), (4, 5), (2, 3), 2)
    corners = shape.draw(generators(0, 0)[0], 50)
    for item, free in zip(corners.tolist(), shape.free(corners), strict=True):
        for row in range(5):
            for column in range(6):
                inside = [
                    top <= row < top + height and left <= column < left + width
                    for (top, left), (height, width) in zip(item, [(4, 5), (2, 3), (2, 3)], strict=True)
                ]
                assert free[6 * row + column] == (inside[0] and not any(inside[1:]))


def test_a_random_subset_is_any_subset():
    mask = np.array([[True, False, True, True, False, True, False, False, True]] * 30_000)
    inside, outside = split(generators(1, 0)[1], mask, 2, 2)
    seen = Counter((*map(int, first), *map(int, second)) for first, second in zip(inside, outside, strict=True))
    assert set(seen) == {
        (*first, *second) for first in combinations((0, 2, 3, 5, 8), 2) for second in combinations((1, 4, 6, 7), 2)
    }
    assert chi_square(seen, 60) < 3


def test_split_takes_all_or_nothing():
    mask = np.array([[True, False, True], [False, True, True]])
    for inside, outside in ((2, 1), (2, 0), (0, 1)):
        first, second = split(generators(1, 0)[1], mask, inside, outside)
        assert first.tolist() == ([[0, 2], [1, 2]] if inside else [[], []])
        assert second.tolist() == ([[1], [0]] if outside else [[], []])


@given(
    frames=st.integers(1, 5),
    height=side,
    width=side,
    seed=seeds,
    rank=st.integers(0, 3),
    share=st.sampled_from([1.0, 0.6, 0.01]),
)
@settings(max_examples=40, deadline=None)
def test_tubes_last_for_the_whole_clip(frames, height, width, seed, rank, share):
    grid, area = (frames, height, width), height * width
    short, long = Tubes(context_frames=share)(grid, 4, seed=seed, rank=rank)
    seen = max(round(share * frames), 1)
    for mask in (short, long):
        assert len(mask.targets) == 1
        for context, target in zip(mask.context.tolist(), mask.targets[0].tolist(), strict=True):
            beside = {token for token in context if token < area}
            assert set(context) == {frame * area + place for frame in range(seen) for place in beside}
            covered = {token for token in target if token < area}
            late = {frame * area + place for frame in range(seen, frames) for place in beside}
            assert set(target) == {frame * area + place for frame in range(frames) for place in covered} | late


def test_tubes_are_unions_of_blocks_and_the_context_is_the_rest():
    for aspect in ((0.75, 1.5), (0.4, 0.5), (2.0, 2.0)):
        (mask,) = Tubes((TubeMask(1, (0.2, 0.3), aspect),))((3, 8, 9), 16, seed=0)
        size = rectangle(mask.targets[0][0, : mask.targets[0].shape[1] // 3], 9)
        assert_in_range(size, (8, 9), (0.2, 0.3), aspect, (8, 9))
        assert mask.context.shape[1] + mask.targets[0].shape[1] == 3 * 72  # one block covers equally much everywhere
    short, long = Tubes()((8, 16, 16), 4, seed=0)
    assert short.targets[0].shape[1] < long.targets[0].shape[1]
    assert short.context.shape[1] > long.context.shape[1]


def test_tubes_cover_as_much_as_they_should():
    """Eight blocks of 6 x 6 on 16 x 16: what the union covers, and what is kept of it, is known by simulation."""
    rng = np.random.default_rng(0)
    covered = np.zeros((4000, 16, 16), dtype=bool)
    for item in covered:
        for top, left in rng.integers(0, 11, (8, 2)):
            item[top : top + 6, left : left + 6] = True
    unions = covered.sum(axis=(1, 2))
    targets = []
    for seed in range(40):
        (mask,) = Tubes((TubeMask(8, (36 / 256, 36 / 256), (1.0, 1.0)),))((1, 16, 16), 1, seed=seed)
        targets.append((mask.targets[0].shape[1], 256 - mask.context.shape[1]))
    low, high = np.mean(targets, axis=0)
    assert low == pytest.approx(np.quantile(unions, 0.05), abs=2.5)
    assert high == pytest.approx(np.quantile(unions, 0.95), abs=2.5)


@pytest.mark.parametrize("method", [Tubes(), Blocks(min_keep=20)], ids=repr)
def test_every_item_leaves_enough_even_where_drawing_again_does_not_help(method, monkeypatch):
    monkeypatch.setattr(_rectangles, "ROUNDS", 1)  # a tenth is drawn again once, a hundredth is still outside
    grid = (2, 8, 8) if isinstance(method, Tubes) else (8, 8)
    counts = []
    settle = _rectangles.settle

    def watched(*arguments):
        layouts = settle(*arguments)
        free = layouts.free.sum(axis=1)
        assert np.array_equal(layouts.free, layouts.rectangles.free(layouts.corners))
        assert free.min() >= layouts.fewest and free.max() <= layouts.most
        counts.append(free)
        return layouts

    monkeypatch.setattr(f"tacit.masking.{type(method).__name__.lower()}.settle", watched)
    for seed in range(5):
        method(grid, 512, seed=seed)
    assert len(np.unique(np.concatenate(counts))) > 5


def test_a_layout_that_is_never_found_becomes_any_of_those_that_all_share(monkeypatch):
    real, pools = Rectangles.draw_within, []

    def without_own(self, rng, count, low, high):
        corners, free, fits = real(self, rng, count, low, high)
        if rng is own:
            return corners, free, np.zeros_like(fits)
        pools.append((corners, free))
        return corners, free, fits

    monkeypatch.setattr(Rectangles, "draw_within", without_own)
    shape = Rectangles((14, 14), (13, 13), (5, 6), 4)
    places = []
    for rank in (0, 1):
        shared, own = generators(5, rank)
        layouts = _rectangles.settle("Blocks", lambda _: shape, 10, 6000, (shared, own))
        corners, free = pools[rank]
        counts = free.sum(axis=1)
        usable = corners[(counts >= layouts.fewest) & (counts <= layouts.most)]
        taken = Counter(layout.tobytes() for layout in layouts.corners)
        assert len(usable) > 50
        assert set(taken) == {layout.tobytes() for layout in usable}
        assert chi_square(taken, len(usable)) < 3
        assert np.array_equal(layouts.free, shape.free(layouts.corners))
        places.append(layouts.corners)
    assert not np.array_equal(*places), "each process takes its own"


def outcome(method, grid, seed, rank):
    try:
        return [mask.context.shape for mask in method(grid, 2, seed=seed, rank=rank)]
    except ConfigError:
        return "refused"


def test_all_processes_agree_whether_there_is_a_mask(monkeypatch):
    hard = Blocks(blocks=2, scale=(0.3, 0.8), min_keep=9)
    assert "refused" not in [outcome(hard, (5, 5), seed, 0) for seed in range(10)]
    monkeypatch.setattr(_rectangles, "ROUNDS", 1)
    outcomes = [[outcome(hard, (5, 5), seed, rank) for rank in range(3)] for seed in range(40)]
    assert all(first == second == third for first, second, third in outcomes)
    refused = sum(first == "refused" for first, *_ in outcomes)
    assert 5 < refused < 35


def test_sizes_without_a_layout_are_drawn_again():
    """A target of 2 x 2 fills a grid of 2 x 2, one of 2 x 1 leaves two places where both lie on each other."""
    for seed in range(50):
        long = Tubes()((1, 2, 2), 8, seed=seed)[1]
        assert long.context.shape == long.targets[0].shape == (8, 2)


@pytest.mark.parametrize(
    ("grid", "ratio", "hidden"),
    [((14, 14), 0.75, 147), ((8, 14, 14), 0.9, 1411), ((5,), 0.5, 2), ((3,), 0.01, 1), ((3,), 0.99, 2)],
)
def test_random_patches_hide_their_share(grid, ratio, hidden):
    (mask,) = RandomPatches(ratio)(grid, 2, seed=0)
    assert mask.targets[0].shape == (2, hidden)
    assert mask.context.shape == (2, int(np.prod(grid)) - hidden)


def test_random_patches_are_any_subset():
    (mask,) = RandomPatches(0.4)((5,), 20_000, seed=0)
    assert chi_square(Counter(map(tuple, mask.targets[0].tolist())), comb(5, 2)) < 3


def test_random_tubes_are_at_the_same_places_in_all_frames():
    (mask,) = RandomPatches(0.9, tube=True)((8, 14, 14), 5, seed=0)
    assert mask.targets[0].shape == (5, 8 * 176)  # as VideoMAE has it: 20 of 196 are seen
    for tensor in (mask.context, *mask.targets):
        frames = tensor.reshape(5, 8, -1)
        assert torch.equal(frames - 196 * torch.arange(8)[:, None], frames[:, :1].expand_as(frames))


@given(steps=st.integers(2, 30), space=st.sampled_from([(), (2, 3)]), seed=seeds, low=st.floats(0.01, 1))
@settings(max_examples=60, deadline=None)
def test_the_future_follows_the_past(steps, space, seed, low):
    area = int(np.prod(space))
    (mask,) = Future((low, 1.0))((steps, *space), 2, seed=seed, rank=seed % 3)
    assert torch.equal(torch.cat([mask.context, *mask.targets], dim=1), torch.arange(steps * area).repeat(2, 1))
    seen = mask.context.shape[1] / area
    assert seen == int(seen) and min(round(low * steps), steps - 1) <= seen <= steps - 1


def test_the_length_of_the_past_is_uniform():
    seen = Counter(Future((0.25, 0.75))((8,), 1, seed=seed)[0].context.shape[1] for seed in range(4000))
    assert sorted(seen) == [2, 3, 4, 5, 6]
    assert [seen[steps] / 4000 for steps in range(2, 7)] == pytest.approx([1 / 8, 1 / 4, 1 / 4, 1 / 4, 1 / 8], abs=0.02)


@given(steps=st.integers(12, 60), spans=st.integers(1, 5), seed=seeds)
@settings(max_examples=60, deadline=None)
def test_spans_are_in_a_row_and_do_not_overlap(steps, spans, seed):
    (mask,) = Spans(spans, (0.05, 0.15))((steps,), 4, seed=seed)
    assert len(mask.targets) == spans
    length = mask.targets[0].shape[1]
    assert round(0.05 * steps) <= length <= round(0.15 * steps) or length == 1
    for target in mask.targets:
        assert torch.equal(target - target[:, :1], torch.arange(length).expand_as(target))
    everything = torch.cat([mask.context, *mask.targets], dim=1).sort(dim=1).values
    assert torch.equal(everything, torch.arange(steps).repeat(4, 1))


def test_every_arrangement_of_spans_is_equally_likely():
    (mask,) = Spans(2, (2 / 7, 2 / 7))((7,), 20_000, seed=0)
    seen = Counter(zip(*(target[:, 0].tolist() for target in mask.targets), strict=True))
    assert set(seen) == {(a, b) for a in range(6) for b in range(a + 2, 6)}
    assert chi_square(seen, 10) < 3


@pytest.mark.parametrize(
    ("method", "grid", "message"),
    [
        (Blocks(), (8, 14, 14), r"a grid \(H, W\); got \(8, 14, 14\); Tubes, Future and RandomPatches mask"),
        (Blocks(), (14,), r"a grid \(H, W\); got \(14,\); Spans, Future and RandomPatches mask \(T,\)"),
        (Blocks(), (1, 14), "at least 2 x 2"),
        (
            Blocks(),
            (4, 4),
            "no place for 4 targets of 2 x 2 .* 4 x 4 that leaves 10 .* Lower blocks, scale or min_keep",
        ),
        (Tubes(), (14, 14), r"a grid \(T, H, W\); got \(14, 14\); Blocks and RandomPatches mask"),
        (Tubes(), (8, 1, 1), "Tubes finds no place"),
        (Tubes((TubeMask(1, (1.0, 1.0)),)), (1, 9, 9), "1 targets of 9 x 9 tokens on a grid of 9 x 9"),
        (RandomPatches(), (1,), "at least two tokens"),
        (RandomPatches(tube=True), (5, 1, 1), "at least two tokens"),
        (RandomPatches(tube=True), (14, 14), r"a grid \(T, H, W\)"),
        (Future(), (14, 14), r"a grid \(T,\) or \(T, H, W\)"),
        (Future(), (1, 14, 14), "at least two steps"),
        (Spans(), (14, 14), r"a grid \(T,\)"),
        (Spans(), (4,), "4 spans of up to 1 leave 0 of 4.*shorter patches"),
    ],
)
def test_grids_that_do_not_fit_are_refused_with_advice(method, grid, message):
    for rank in (0, 1):
        with pytest.raises(ConfigError, match=message):
            method(grid, 2, seed=0, rank=rank)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (Blocks, {"blocks": 0}),
        (Blocks, {"min_keep": 0}),
        (Blocks, {"scale": (0.0, 0.2)}),
        (Blocks, {"scale": (0.3, 0.2)}),
        (Blocks, {"scale": (0.3, 1.2)}),
        (Blocks, {"scale": 0.2}),
        (Blocks, {"scale": (0.2,)}),
        (Blocks, {"aspect": (-1.0, 1.0)}),
        (Blocks, {"aspect": (1.0, float("inf"))}),
        (Blocks, {"aspect": (1.0, float("nan"))}),
        (Blocks, {"context_scale": (0.5, 1.5)}),
        (TubeMask, {"blocks": 0, "scale": (0.1, 0.2)}),
        (TubeMask, {"blocks": 1, "scale": (0.1, 2.0)}),
        (TubeMask, {"blocks": 1, "scale": (0.1, 0.2), "aspect": (0.0, 1.0)}),
        (Tubes, {"masks": ()}),
        (Tubes, {"min_keep": 0}),
        (Tubes, {"context_frames": 0.0}),
        (Tubes, {"context_frames": 1.1}),
        (RandomPatches, {"ratio": 0.0}),
        (RandomPatches, {"ratio": 1.0}),
        (Future, {"share": (0.0, 0.5)}),
        (Future, {"share": (0.5, 1.5)}),
        (Spans, {"spans": 0}),
        (Spans, {"min_keep": 0}),
        (Spans, {"scale": (0.1, 0.25)}),
        (Spans, {"scale": (0.2, 0.1)}),
    ],
)
def test_options_out_of_range_are_refused(method, options):
    with pytest.raises(ConfigError, match=f"{method.__name__} needs"):
        method(**options)


@pytest.mark.parametrize("name", masking.names())
def test_options_survive_json(name):
    method = masking.load(name)()
    assert from_json(type(method), to_json(method)) == method
    assert from_json(Tubes, {"masks": [{"blocks": 2, "scale": [0.1, 0.2]}]}) == Tubes((TubeMask(2, (0.1, 0.2)),))


def test_registry():
    assert masking.names() == ("blocks", "future", "random_patches", "spans", "tubes")
    assert masking.load("tubes") is Tubes
    with pytest.raises(ConfigError, match="Did you mean 'blocks'"):
        masking.load("block")

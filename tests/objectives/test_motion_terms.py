"""The terms over motion in a world of known translation, and each of them against a naive implementation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from tacit.errors import ConfigError, SpecError
from tacit.objectives import (
    Covariance,
    Cycle,
    FlowRegression,
    Invariance,
    Objective,
    Photometric,
    PyramidVariance,
    Smoothness,
    Term,
    Variance,
    VICReg,
)
from tacit.objectives.photometric import dissimilarity
from tacit.types import FlowForecast, Forecast, ViewEmbeddings

SIDE, LEVELS, MOST = 12, (3, 6), 2  # pixels, cells of each level, cells of the coarsest that a world moves at most


def constant(vector: tuple[float, float], size: int, dtype: torch.dtype) -> torch.Tensor:
    """Of both directions, ``[1, 2, 2, size, size]``: the second image came from ``vector`` away."""
    there = torch.tensor(vector, dtype=dtype)
    return torch.stack([there, -there])[None, :, :, None, None].expand(1, 2, 2, size, size).clone()


def moved(size: int, shift: tuple[int, int], channels: int, draw: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
    """Two windows ``[1, 2, C, size, size]`` of one canvas: ``second(p) = first(p + shift)``."""
    reach = 2 * MOST * size // LEVELS[0]
    canvas = torch.rand(channels, size + 2 * reach, size + 2 * reach, generator=draw, dtype=dtype)
    windows = [canvas[:, reach + y : reach + y + size, reach + x : reach + x + size] for x, y in ((0, 0), shift)]
    return torch.stack(windows)[None]


def world(cells: tuple[int, int], seed: int = 0, dtype: torch.dtype = torch.float32) -> FlowForecast:
    """Images and latents that move by whole cells of the coarsest level, and their true flows."""
    draw = torch.Generator().manual_seed(seed)
    scale = [size // LEVELS[0] for size in (*LEVELS, SIDE)]
    images = moved(SIDE, (scale[-1] * cells[0], scale[-1] * cells[1]), 2, draw, dtype)
    features = tuple(
        moved(size, (factor * cells[0], factor * cells[1]), 4, draw, dtype)
        for size, factor in zip(LEVELS, scale, strict=False)
    )
    return told(FlowForecast(torch.randn(6, 2, 5, generator=draw, dtype=dtype), 2, images, features, (), images), cells)


def told(motion: FlowForecast, cells: tuple[float, float]) -> FlowForecast:
    """The same with another flow, the same everywhere, and its inverse the other way."""
    scale = [size / LEVELS[0] for size in (*LEVELS, SIDE)]
    flows = [
        constant((factor * cells[0], factor * cells[1]), size, motion.images.dtype)
        for size, factor in zip((*LEVELS, SIDE), scale, strict=True)
    ]
    return replace(motion, flows=tuple(flows[:-1]), flow=flows[-1])


def one_way(motion: FlowForecast) -> FlowForecast:
    return replace(motion, flows=tuple(flow[:, :1] for flow in motion.flows), flow=motion.flow[:, :1])


def value(term: Term, motion: FlowForecast) -> float:
    return term.loss(motion, 0).item()


MATCHING = (
    Photometric(),
    Photometric(occlusion=False),
    Photometric(levels="all"),
    Photometric(l1=0.0, l2=0.0),
    FlowRegression(),
)
EVERY = (*MATCHING, Smoothness(), Smoothness(order=1), Cycle(), PyramidVariance((1.0, 1.0), (1.0, 1.0)))
SHIFTS = st.tuples(st.integers(-1, 1), st.integers(-1, 1))


@settings(max_examples=30, deadline=None)
@given(true=SHIFTS, wrong=SHIFTS, seed=st.integers(0, 10_000))
def test_matching_terms_are_zero_for_the_true_flow_and_only_for_it(
    true: tuple[int, int], wrong: tuple[int, int], seed: int
) -> None:
    motion = world(true, seed)
    for term in MATCHING:
        for seen in (motion, one_way(motion)) if not isinstance(term, Photometric) or not term.occlusion else (motion,):
            assert value(term, seen) == pytest.approx(0.0, abs=1e-6)
        if wrong != true:
            assert value(term, told(motion, wrong)) > 0.01


def test_terms_grow_away_from_the_true_flow() -> None:
    """On a ramp of grey levels, where an image is the less like itself the further it is moved."""
    ramp = torch.linspace(0, 1, 3 * SIDE)[None].expand(1, 2, 1, SIDE, -1)
    images = torch.stack([ramp[:, 0, :, :, SIDE : 2 * SIDE], ramp[:, 1, :, :, SIDE - 2 : 2 * SIDE - 2]], dim=1)
    bare = FlowForecast(torch.zeros(1, 2, 1), 2, images, (images,), (), images)
    for term in (Photometric(ssim=0.0), FlowRegression()):
        found = []
        for x in (-2.0, -1.5, -1.0, 0.0, 1.0, 2.0):
            flow = constant((x, 0.0), SIDE, torch.float32)
            found.append(value(term, replace(bare, flow=flow, flows=(flow,))))
        assert found[0] == pytest.approx(0.0, abs=1e-6)
        assert found == sorted(found) and len(set(found)) == len(found)


@settings(max_examples=20, deadline=None)
@given(true=SHIFTS, flow=st.tuples(st.floats(-2, 2), st.floats(-2, 2)), seed=st.integers(0, 10_000))
def test_a_cycle_of_whole_steps_that_undo_each_other_costs_nothing(
    true: tuple[int, int], flow: tuple[float, float], seed: int
) -> None:
    motion = world(true, seed)
    for vector in (true, (-true[0], -true[1])):  # any inverse pair will do, not the true one alone
        assert value(Cycle(), told(motion, vector)) == pytest.approx(0.0, abs=1e-9)
    there = told(motion, flow)
    both = replace(there, flows=tuple(torch.stack([f[:, 0], f[:, 0]], dim=1) for f in there.flows))
    if max(abs(flow[0]), abs(flow[1])) > 0.1 and max(abs(flow[0]), abs(flow[1])) < 0.9:
        assert value(Cycle(), both) > 1e-4


def test_a_cycle_is_the_way_there_and_back() -> None:
    motion = world((0, 0))
    flow = torch.zeros(1, 2, 2, 6, 6)
    flow[:, 1, 0] = 1.0  # there: nothing moves; back: from one to the right
    only = replace(motion, features=motion.features[1:], flows=(flow,))
    total = []
    for here in motion.features[1][0].numpy():
        total += [(here[:, :, x + 1] - here[:, :, x]) ** 2 for x in range(5)]
    assert value(Cycle(), only) == pytest.approx(np.mean(total), rel=1e-5)


@settings(max_examples=20, deadline=None)
@given(vector=st.tuples(st.floats(-9, 9), st.floats(-9, 9)), slope=st.floats(0.01, 3), seed=st.integers(0, 1000))
def test_smoothness_of_constant_and_of_straight_flows(vector: tuple[float, float], slope: float, seed: int) -> None:
    motion = world((0, 0), seed)
    same = replace(motion, flow=constant(vector, SIDE, torch.float32))
    assert value(Smoothness(), same) == pytest.approx(0.0, abs=1e-6)
    assert value(Smoothness(order=1), same) == 0.0
    ramp = motion.flow + slope * torch.arange(SIDE)
    assert value(Smoothness(order=2), replace(motion, flow=ramp)) == pytest.approx(0.0, abs=1e-5)
    flat = replace(motion, flow=ramp, images=torch.zeros_like(motion.images))
    assert value(Smoothness(order=1), flat) == pytest.approx(slope / SIDE / 2, rel=1e-3)  # one of two axes changes
    assert value(Smoothness(order=1), replace(motion, flow=ramp)) < slope / SIDE / 2


@pytest.mark.parametrize("order", [1, 2])
def test_smoothness_is_the_naive_sum(order: int) -> None:
    motion = world((1, 0))
    motion = replace(motion, flow=torch.randn(1, 2, 2, SIDE, SIDE, generator=torch.Generator().manual_seed(1)))
    images, flow = motion.images[0].numpy(), motion.flow[0].numpy() / SIDE
    axes = []
    for dy, dx in ((0, 1), (1, 0)):
        found = []
        for direction in (0, 1):
            lies_on, f = images[1 - direction], flow[direction]
            for y, x in np.ndindex(SIDE - order * dy, SIDE - order * dx):
                if order == 1:
                    change, at = f[:, y + dy, x + dx] - f[:, y, x], (y, x)
                else:
                    change = f[:, y + 2 * dy, x + 2 * dx] - 2 * f[:, y + dy, x + dx] + f[:, y, x]
                    at = (y + dy, x + dx)
                edge = np.abs(lies_on[:, at[0] + dy, at[1] + dx] - lies_on[:, at[0], at[1]]).mean()
                found.append(np.exp(-4.0 * edge) * np.abs(change))
        axes.append(np.mean(found))
    assert value(Smoothness(order=order, edge=4.0), motion) == pytest.approx(np.mean(axes), rel=1e-4)


def naive_ssim(a: np.ndarray, b: np.ndarray) -> float:
    ma, mb, va, vb = a.mean(), b.mean(), a.var(), b.var()
    together = ((a - ma) * (b - mb)).mean()
    return float((2 * ma * mb + 1e-4) * (2 * together + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4)))


def test_structural_dissimilarity_is_the_naive_one() -> None:
    draw = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, 3, 5, 6, generator=draw), torch.rand(2, 3, 5, 6, generator=draw)
    found = dissimilarity(first, second).numpy()
    assert found.shape == (2, 3, 3, 4)
    for n, c, y, x in np.ndindex(*found.shape):
        a, b = (side[n, c, y : y + 3, x : x + 3].double().numpy() for side in (first, second))
        assert found[n, c, y, x] == pytest.approx((1 - naive_ssim(a, b)) / 2, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_structural_dissimilarity_of_even_images(a: float, b: float) -> None:
    first, second = (torch.full((1, 1, 3, 3), level, dtype=torch.float64) for level in (a, b))
    expected = (1 - (2 * a * b + 1e-4) / (a * a + b * b + 1e-4)) / 2
    assert dissimilarity(first, second).item() == pytest.approx(expected, abs=1e-9)
    image = torch.rand(1, 1, 4, 4)
    assert dissimilarity(image, image).max() < 1e-5


def test_photometric_parts_are_means_over_what_is_seen() -> None:
    motion = world((1, 0))
    still = told(motion, (0.0, 0.0))
    gap = (motion.images[0, 0] - motion.images[0, 1]).numpy()
    assert value(Photometric(1, 0, 0), still) == pytest.approx(np.abs(gap).mean(), rel=1e-5)
    assert value(Photometric(0, 1, 0), still) == pytest.approx((gap**2).mean(), rel=1e-5)
    ssim = dissimilarity(motion.images[:, 0], motion.images[:, 1]).mean().item()
    assert value(Photometric(0, 0, 1), still) == pytest.approx(ssim, rel=1e-5)
    assert value(Photometric(2, 3, 4), still) == pytest.approx(
        2 * np.abs(gap).mean() + 3 * (gap**2).mean() + 4 * ssim, rel=1e-5
    )


@pytest.mark.parametrize("occlusion", [True, False])
def test_what_cannot_be_seen_does_not_count(occlusion: bool) -> None:
    motion = world((1, 0))  # the last four columns of the second image are not in the first
    images = motion.images.clone()
    images[:, 1, :, :, -4:] = 0.0
    assert value(Photometric(occlusion=occlusion), replace(motion, images=images)) == pytest.approx(0.0, abs=1e-6)
    images[:, 1, :, :, -5] = 0.0
    assert value(Photometric(occlusion=occlusion), replace(motion, images=images)) > 0.01


def test_what_is_hidden_does_not_count() -> None:
    """A thing at columns 2 to 4 moves to columns 6 to 8 over a ground that stays."""
    ground, thing = torch.rand(1, 12, 12), torch.rand(1, 12, 3)
    first, second = ground.clone(), ground.clone()
    first[:, :, 2:5], second[:, :, 6:9] = thing, thing
    flow = torch.zeros(1, 2, 2, 12, 12)
    flow[0, 0, 0, :, 6:9], flow[0, 1, 0, :, 2:5] = -4.0, 4.0
    motion = FlowForecast(torch.zeros(1, 2, 1), 2, torch.stack([first, second])[None], (), (), flow)
    assert value(Photometric(ssim=0.0), motion) == pytest.approx(0.0, abs=1e-6)
    assert value(Photometric(ssim=0.0, occlusion=False), motion) > 0.05


def test_all_levels_are_compared_at_their_own_size() -> None:
    """The images are flat in all cells of 4 px: at the coarsest level the flow is right, at full size it is wrong."""
    cells = torch.rand(1, 2, 1, 3, 3)
    cells[:, 1, :, :, :2] = cells[:, 0, :, :, 1:]
    images = cells.repeat_interleave(4, 3).repeat_interleave(4, 4)
    right, wrong = constant((1.0, 0.0), 3, torch.float32), constant((0.0, 0.0), SIDE, torch.float32)
    motion = FlowForecast(torch.zeros(1, 2, 1), 2, images, (), (right,), wrong)
    final = value(Photometric(), motion)
    assert final > 0.05
    assert value(Photometric(levels="all"), motion) == pytest.approx(final / 2, rel=1e-4)


def test_a_level_smaller_than_a_window_is_compared_without_it() -> None:
    images = torch.rand(1, 2, 1, 4, 4)
    motion = FlowForecast(
        torch.zeros(1, 2, 1), 2, images, (), (torch.zeros(1, 2, 2, 2, 2),), torch.zeros(1, 2, 2, 4, 4)
    )
    coarse = F.avg_pool2d(images[0], 2)
    expected = (coarse[0] - coarse[1]).abs().mean() + (coarse[0] - coarse[1]).square().mean()
    assert 2 * value(Photometric(levels="all"), motion) - value(Photometric(), motion) == pytest.approx(
        expected.item(), rel=1e-5
    )


def test_regression_is_the_mean_over_places_inside_summed_over_levels() -> None:
    motion = told(world((0, 1)), (1.0, 0.0))
    expected = 0.0
    for features, size in zip(motion.features, LEVELS, strict=True):
        cell, (first, second) = size // LEVELS[0], features[0].numpy()
        ahead = (first[:, :, cell:] - second[:, :, :-cell]) ** 2  # second(p) is told by first(p + cell)
        expected += (ahead.mean() + ((second[:, :, :-cell] - first[:, :, cell:]) ** 2).mean()) / 2
    assert value(FlowRegression(), motion) == pytest.approx(expected, rel=1e-5)


def test_every_level_of_a_pyramid_varies_by_its_own_weights() -> None:
    draw = torch.Generator().manual_seed(0)
    features = tuple(
        0.5 * torch.randn(3, 2, channels, size, size, generator=draw) for channels, size in ((5, 3), (4, 6))
    )
    bare = FlowForecast(torch.zeros(3, 2, 1), 2, torch.zeros(3, 2, 1, 1, 1), features, (), torch.zeros(3, 1, 2, 1, 1))
    expected = 0.0
    for level, variance, covariance in zip(reversed(features), (2.0, 3.0), (5.0, 7.0), strict=True):
        samples = level.numpy().transpose(0, 1, 3, 4, 2).reshape(-1, level.shape[2])
        matrix = np.cov(samples.T)
        expected += variance * np.mean(np.maximum(0, 1 - np.sqrt(np.diag(matrix) + 1e-4)))
        expected += covariance * (np.sum(matrix**2) - np.sum(np.diag(matrix) ** 2)) / len(matrix)
    assert value(PyramidVariance((2.0, 3.0, 100.0), (5.0, 7.0, 100.0)), bare) == pytest.approx(expected, rel=1e-4)
    assert value(PyramidVariance((0.0, 0.0), (0.0, 0.0)), bare) == 0.0
    collapsed = replace(bare, features=tuple(torch.ones_like(level) for level in features))
    assert value(PyramidVariance((1.0, 1.0), (1.0, 1.0)), collapsed) == pytest.approx(2 * 0.99, rel=1e-5)
    with pytest.raises(ConfigError, match="weights for 1 levels; the pyramid has 2"):
        value(PyramidVariance((1.0,), (1.0,)), bare)


def test_content_terms_read_the_views_of_a_motion() -> None:
    motion = world((0, 0))
    views = ViewEmbeddings(motion.latents, motion.num_global)
    for term in (Invariance(), Invariance(around="all"), Variance(), Covariance(), Variance("pooled")):
        assert value(term, motion) == term.loss(views, 0).item()
    content = 10 * Invariance(around="all") + 0.1 * VICReg(25.0, 8.0)
    content.check(FlowForecast)
    pair = motion.latents
    vicreg = 25 * (pair[:, 0] - pair[:, 1]).square().mean()
    for view in pair.unbind(1):
        matrix = torch.cov(view.T)
        vicreg += 25 * torch.relu(1 - (matrix.diag() + 1e-4).sqrt()).mean() / 2
        vicreg += (matrix.square().sum() - matrix.diag().square().sum()) / 5
    assert content(motion).total.item() == pytest.approx(0.1 * vicreg.item(), rel=1e-4)


@pytest.mark.parametrize("term", EVERY, ids=lambda term: f"{term.name}-{term.options()}")
def test_gradients(term: Term) -> None:
    motion = world((1, -1), dtype=torch.float64)
    draw = torch.Generator().manual_seed(3)

    def near(x: torch.Tensor) -> torch.Tensor:
        """Off the whole places, where a warp has kinks, and from what hides a place, where a mask jumps."""
        return (0.1 + 0.1 * torch.rand(x.shape, generator=draw, dtype=x.dtype)).requires_grad_()

    flow, flows = near(motion.flow), [near(one) for one in motion.flows]
    features = [one.clone().requires_grad_() for one in motion.features]

    def loss(*parts: torch.Tensor) -> torch.Tensor:
        made = replace(motion, flow=parts[0], flows=parts[1:3], features=parts[3:])
        return term.loss(made, 0)

    assert torch.autograd.gradcheck(loss, (flow, *flows, *features), atol=1e-4)


@pytest.mark.parametrize("term", EVERY, ids=lambda term: f"{term.name}-{term.options()}")
def test_a_term_asks_for_the_flows_that_it_reads(term: Objective) -> None:
    motion, asked = world((1, 0)), term.request().directions
    enough = motion if asked == 2 else one_way(motion)
    assert term(enough).total.isfinite()
    none = replace(motion, flow=motion.flow[:, :0], flows=(), features=())
    with pytest.raises(SpecError, match=r"there are 0\. Ask for them: model\.forecast"):
        term(none)
    if asked == 2:
        with pytest.raises(SpecError, match="in 2 direction"):
            term(one_way(motion))
    with pytest.raises(ConfigError, match="reads a FlowForecast; this model makes a Forecast"):
        term.check(Forecast)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Photometric(0, 0, 0), "one of them above 0"),
    (lambda: Photometric(-1), "weights of 0 or more"),
    (lambda: Photometric(levels="some"), "levels is one of final, all"),
    (lambda: Smoothness(order=3), "order is 1 or 2"),
    (lambda: PyramidVariance((1.0,), (1.0, 2.0)), "two weights of 0 or more"),
])  # fmt: skip
def test_wrong_options_are_refused(make: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


def test_where_nothing_is_seen_there_is_nothing_to_pay() -> None:
    away = told(world((0, 0)), (50.0, 0.0))
    for term in (*MATCHING, Cycle()):
        assert value(term, away) == 0.0

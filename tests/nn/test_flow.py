"""Warps, local correlation and the flow head against torch's own sampler, naive loops and worlds that just shift."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from tacit.errors import ConfigError, SpecError
from tacit.nn.flow import FlowHead, correlation, inside, resize_flow, visible, warp
from tacit.nn.pyramid import PyramidEncoder

SIZES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))


def constant(vector: tuple[float, float], count: int, size: tuple[int, int]) -> torch.Tensor:
    return torch.tensor(vector)[None, :, None, None].expand(count, 2, *size).clone()


@settings(max_examples=40, deadline=None)
@given(size=SIZES, seed=st.integers(0, 10_000), reach=st.floats(0, 6))
def test_a_warp_is_what_grid_sample_does(size: tuple[int, int, int, int], seed: int, reach: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    count, _, height, width = size
    x = torch.randn(size, generator=draw, dtype=torch.float64)
    flow = reach * torch.randn(count, 2, height, width, generator=draw, dtype=torch.float64)
    across = flow[:, 0] + torch.arange(width)
    down = flow[:, 1] + torch.arange(height)[:, None]
    grid = torch.stack([(2 * across + 1) / width - 1, (2 * down + 1) / height - 1], dim=-1)
    expected = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    torch.testing.assert_close(warp(x, flow), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(size=SIZES, dx=st.integers(-10, 10), dy=st.integers(-10, 10), seed=st.integers(0, 10_000))
def test_a_warp_by_whole_places_is_a_shift_to_the_bit(
    size: tuple[int, int, int, int], dx: int, dy: int, seed: int
) -> None:
    x = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    flow = constant((float(dx), float(dy)), size[0], size[2:])
    out, mask = warp(x, flow), inside(flow)
    for row in range(size[2]):
        for column in range(size[3]):
            there = 0 <= row + dy < size[2] and 0 <= column + dx < size[3]
            assert mask[0, 0, row, column] == there
            edge = min(max(row + dy, 0), size[2] - 1), min(max(column + dx, 0), size[3] - 1)
            assert out[:, :, row, column].equal(x[:, :, edge[0], edge[1]])


def test_gradients_of_a_warp() -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, 5, generator=draw, dtype=torch.float64, requires_grad=True)
    # Away from whole places, where a bilinear function has a kink.
    flow = torch.randint(-1, 2, (2, 2, 4, 5), generator=draw) + 0.2 + 0.6 * torch.rand(2, 2, 4, 5, generator=draw)
    assert torch.autograd.gradcheck(warp, (x, flow.double().requires_grad_()))


def test_a_flow_that_is_no_number_gives_no_numbers_and_no_crash() -> None:
    flow = torch.zeros(1, 2, 4, 4)
    flow[0, 0, 1, 2], flow[0, 1, 3, 3] = float("nan"), float("inf")
    out = warp(torch.ones(1, 1, 4, 4), flow)
    assert out[0, 0, 1, 2].isnan()
    assert out.isfinite().sum() == 15
    with pytest.raises(SpecError, match=r"flow \[N, 2, h, w\]; got \[1, 1, 4, 4\] and \[1, 2, 4, 5\]"):
        warp(torch.ones(1, 1, 4, 4), torch.zeros(1, 2, 4, 5))


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_correlation_is_the_naive_loop(radius: int) -> None:
    draw = torch.Generator().manual_seed(0)
    first, second = (torch.randn(2, 3, 4, 6, generator=draw) for _ in range(2))
    volume = correlation(first, second, radius)
    assert volume.shape == (2, 2 * radius + 1, 2 * radius + 1, 4, 6)
    expected = np.zeros(volume.shape, np.float32)
    for n, dy, dx, y, x in np.ndindex(*volume.shape):
        there = y + dy - radius, x + dx - radius
        if 0 <= there[0] < 4 and 0 <= there[1] < 6:
            expected[n, dy, dx, y, x] = (first[n, :, y, x] * second[n, :, there[0], there[1]]).mean()
    np.testing.assert_allclose(volume.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_gradients_of_a_correlation() -> None:
    draw = torch.Generator().manual_seed(0)
    first, second = (torch.randn(2, 3, 3, 4, generator=draw, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda a, b: correlation(a, b, 2), (first, second))


def test_a_correlation_is_largest_where_a_place_went() -> None:
    canvas = torch.randn(1, 16, 12, 12, generator=torch.Generator().manual_seed(0))
    first, second = canvas[:, :, 2:10, 2:10], canvas[:, :, 1:9, 4:12]  # what was at (x, y) is now at (x - 2, y + 1)
    volume = correlation(first, second, 2).flatten(1, 2)[0, :, 2:6, 2:6]
    assert (volume.argmax(0) == (1 + 2) * 5 + (-2 + 2)).all()


def test_a_resized_flow_points_to_the_same_places() -> None:
    torch.testing.assert_close(
        resize_flow(constant((3.0, -1.0), 1, (4, 6)), (8, 24))[0, :, 3, 5], torch.tensor([12.0, -2])
    )
    ramp = torch.arange(6.0).expand(1, 2, 4, 6)
    assert resize_flow(ramp, (4, 6)).equal(ramp)


def test_what_is_covered_is_not_visible() -> None:
    # Something at places 2 and 3 of the other image moved two to the right: it covers 4 and 5, and uncovers 2 and 3.
    flow, back = torch.zeros(1, 2, 1, 8), torch.zeros(1, 2, 1, 8)
    flow[0, 0, 0, 4:6], back[0, 0, 0, 2:4] = -2.0, 2.0
    assert visible(flow, back)[0, 0, 0].tolist() == [True, True, False, False, True, True, True, True]
    assert visible(back, flow)[0, 0, 0].tolist() == [True, True, True, True, False, False, True, True]
    assert (
        visible(constant((-3.0, 0.0), 1, (1, 8)), constant((3.0, 0.0), 1, (1, 8)))[0, 0, 0].tolist()
        == [False] * 3 + [True] * 5
    )


def test_the_head_begins_with_no_motion_and_learns_to_find_it() -> None:
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    head = FlowHead(radius=2, width=16, depth=2)
    optimizer = torch.optim.Adam(head.parameters(), 5e-3)

    def pair() -> tuple[list[torch.Tensor], list[torch.Tensor], torch.Tensor]:
        canvas = torch.randn(16, 12, 16, 16, generator=draw)
        vector = torch.randint(-2, 3, (16, 2), generator=draw)
        source = canvas[:, :, 4:12, 4:12]
        there = [one[:, 4 + y : 12 + y, 4 + x : 12 + x] for one, (x, y) in zip(canvas, vector.tolist(), strict=True)]
        target = torch.stack(there)
        return [F.avg_pool2d(source, 4), source], [F.avg_pool2d(target, 4), target], vector.float()[:, :, None, None]

    source, target, _ = pair()
    flows = head(source, target)
    assert [tuple(flow.shape) for flow in flows] == [(16, 2, 2, 2), (16, 2, 8, 8)]
    assert all(not flow.any() for flow in flows)
    for _ in range(120):
        source, target, true = pair()
        loss = (head(source, target)[-1] - true).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    source, target, true = pair()
    error = (head(source, target)[-1] - true)[:, :, 2:6, 2:6].square().sum(1).sqrt().mean()
    assert error < 0.3 * true.square().sum(1).sqrt().mean()
    with pytest.raises(ConfigError, match="at least 1; got 0, 8, 2"):
        FlowHead(0, 8, 2)


def test_flows_stay_exact_under_bf16() -> None:
    head = FlowHead(1, 8, 1)
    torch.nn.init.normal_(head.out.bias)
    levels = [torch.randn(1, 4, 3, 3).bfloat16(), torch.randn(1, 4, 6, 6).bfloat16()]
    with torch.autocast("cpu", torch.bfloat16):
        flows = head(levels, levels)
    assert {flow.dtype for flow in flows} == {torch.float32}


def pyramid(**options: object) -> PyramidEncoder:
    torch.manual_seed(0)
    return PyramidEncoder(1, (32, 48), (6, 8, 10), (1, 2, 1), kernel=3, **options).eval()


def test_a_pyramid_runs_from_coarse_to_fine() -> None:
    encoder, x = pyramid(), 255 * torch.rand(2, 1, 32, 48)
    levels = encoder(x, torch.tensor([128.0]), torch.tensor([60.0]))
    assert [tuple(level.shape) for level in levels] == [(2, 10, 4, 6), (2, 8, 8, 12), (2, 6, 16, 24)]
    assert encoder.grid == (4, 6)
    for level in levels:
        torch.testing.assert_close(level.mean(1), torch.zeros_like(level[:, 0]), atol=1e-5, rtol=0)
        torch.testing.assert_close(level.var(1, correction=0), torch.ones_like(level[:, 0]), atol=1e-2, rtol=0)
    assert [level.shape[-1] for level in encoder(x[..., :40], x.new_zeros(1), x.new_ones(1))] == [5, 10, 20]
    same = encoder((x - 128) / 60, x.new_zeros(1), x.new_ones(1))
    for one, other in zip(levels, same, strict=True):
        torch.testing.assert_close(one, other)


def test_what_moves_by_a_cell_has_latents_that_move_by_one() -> None:
    encoder, canvas = pyramid(), torch.randn(1, 1, 96, 96)
    first, second = (encoder(canvas[..., at : at + 80, 8 : 8 + 80], torch.zeros(1), torch.ones(1)) for at in (0, 8))
    for one, other, cells in zip(first, second, (1, 2, 4), strict=True):
        rows = slice(4 * cells, one.shape[2] - 5 * cells)
        moved = one[:, :, cells:][:, :, rows, 4 * cells : -4 * cells]
        torch.testing.assert_close(other[:, :, rows, 4 * cells : -4 * cells], moved, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("options", "message"), [
    ({"widths": (4, 8), "depths": (1,)}, "a width and a depth of at least 1 for each level"),
    ({"stem": 3}, "an even and kernel an odd number"),
    ({"kernel": 4}, "an even and kernel an odd number"),
    ({"widths": (4,) * 6, "depths": (1,) * 6}, "need images of 64 px"),
])  # fmt: skip
def test_pyramids_that_do_not_fit(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PyramidEncoder(**{"channels": 1, "size": (32, 32), "widths": (4, 8), "depths": (1, 1), **options})


def test_an_image_without_a_coarse_cell_is_refused() -> None:
    with pytest.raises(SpecError, match="at least 8 px"):
        pyramid()(torch.zeros(1, 1, 6, 32), torch.zeros(1), torch.ones(1))

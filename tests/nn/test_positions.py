"""Positions: what their formulas say, and what a change of grid leaves alone."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.errors import ConfigError
from tacit.nn.positions import coordinates, resize_positions, rotate, rotations, sincos

GRIDS = [(7,), (3, 5), (2, 3, 4)]


def test_the_formula_by_hand() -> None:
    table = sincos((3,), 4)
    expected = [[math.sin(p), math.sin(p / 100), math.cos(p), math.cos(p / 100)] for p in range(3)]
    torch.testing.assert_close(table, torch.tensor(expected))


def test_two_axes_come_column_first() -> None:
    table, one = sincos((2, 3), 8).reshape(2, 3, 8), sincos((3,), 4)
    torch.testing.assert_close(table[0, :, :4], one)
    torch.testing.assert_close(table[:, 0, 4:], one[:2])


def test_three_axes_have_equal_shares_of_which_the_last_is_cut() -> None:
    table = sincos((2, 3, 4), 16).reshape(2, 3, 4, 16)
    torch.testing.assert_close(table[:, 0, 0, :6], sincos((2,), 6))
    torch.testing.assert_close(table[0, :, 0, 6:12], sincos((3,), 6))
    torch.testing.assert_close(table[0, 0, :, 12:], sincos((4,), 6)[:, :4])


@pytest.mark.parametrize("grid", [(9,), (4, 5)])
def test_likeness_of_two_places_depends_on_how_far_apart_they_are(grid: tuple[int, ...]) -> None:
    table = sincos(grid, 24)
    like = table @ table.T
    places = torch.stack(coordinates(torch.arange(len(table)), grid), dim=-1)
    apart = (places[:, None] - places[None]).abs()
    for distance in apart.flatten(0, 1).unique(dim=0):
        same = like[(apart == distance).all(-1)]
        torch.testing.assert_close(same, same[:1].expand_as(same))


@settings(max_examples=20, deadline=None)
@given(
    where=st.tuples(*[st.integers(0, 9)] * 6),
    shift=st.tuples(*[st.integers(0, 9)] * 3),
    seed=st.integers(0, 99),
)
def test_with_one_frequency_an_axis_only_distance_matters(
    where: tuple[int, ...], shift: tuple[int, ...], seed: int
) -> None:
    draw = torch.Generator().manual_seed(seed)
    query, key = (torch.randn(1, 1, 1, 8, generator=draw) for _ in range(2))  # 2 components an axis, 2 left over

    def energy(offset: tuple[int, ...]) -> torch.Tensor:
        at = [rotations([torch.tensor([float(p + o)]) for p, o in zip(part, offset, strict=True)], 8) for part in both]
        return (rotate(query, at[0]) * rotate(key, at[1])).sum()

    both = where[:3], where[3:]
    torch.testing.assert_close(energy(shift), energy((0, 0, 0)), rtol=1e-4, atol=1e-4)


def test_rotations_by_hand() -> None:
    x = torch.arange(1.0, 12.0).view(1, 1, 1, 11)
    rotation = rotations([torch.tensor([1.0]), torch.tensor([0.0])], 11)  # 4 components an axis, 3 left over
    c, s, slow_c, slow_s = math.cos(1), math.sin(1), math.cos(0.01), math.sin(0.01)
    first = [1 * c - 2 * s, 2 * slow_c + 1 * slow_s, 3 * c - 4 * s, 4 * slow_c + 3 * slow_s]
    expected = torch.tensor([*first, *range(5, 12)])
    torch.testing.assert_close(
        rotate(x[..., :10], rotations([torch.tensor([1.0]), torch.tensor([0.0])], 10))[0, 0, 0], expected[:10]
    )
    assert rotation.cos.shape == (1, 1, 11)
    assert torch.equal(rotation.cos[0, 0, 8:], torch.ones(3)) and torch.equal(rotation.sin[0, 0, 8:], torch.zeros(3))


def test_coordinates_of_cells() -> None:
    index = torch.tensor([[0, 5], [11, 23]])
    assert [place.tolist() for place in coordinates(index, (2, 3, 4))] == [
        [[0, 0], [0, 1]],
        [[0, 1], [2, 2]],
        [[0, 1], [3, 3]],
    ]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("lead", [0, 1])
def test_resizing_keeps_what_has_no_place_and_what_is_even(grid: tuple[int, ...], lead: int) -> None:
    count, wanted = math.prod(grid), tuple(extent + 2 for extent in grid)
    table = torch.randn(1, lead + count, 6)
    assert resize_positions(table, grid, grid) is table
    resized = resize_positions(table.requires_grad_(), grid, wanted)
    assert resized.shape == (1, lead + math.prod(wanted), 6)
    assert torch.equal(resized[:, :lead], table[:, :lead])
    resized.sum().backward()
    assert table.grad is not None and (table.grad != 0).any(-1).all()
    even = torch.ones(1, lead + count, 6)
    torch.testing.assert_close(resize_positions(even, grid, wanted), torch.ones(1, lead + math.prod(wanted), 6))


def test_resizing_puts_rows_to_rows() -> None:
    ramp = torch.arange(4.0).repeat_interleave(5).view(1, 20, 1)  # the row of each cell of a grid of 4 by 5
    resized = resize_positions(ramp, (4, 5), (8, 5)).view(8, 5)
    assert (resized.diff(dim=0) > 0).all()
    torch.testing.assert_close(resized, resized[:, :1].expand(8, 5))


@pytest.mark.parametrize(("grid", "width"), [((4,), 5), ((4, 4), 6), ((4, 4), 2), ((2, 2, 2), 4)])
def test_a_width_that_axes_cannot_share_is_refused(grid: tuple[int, ...], width: int) -> None:
    with pytest.raises(ConfigError, match=rf"multiple of {2 * len(grid)}; got {width}"):
        sincos(grid, width)


def test_a_head_without_a_pair_for_each_axis_is_refused() -> None:
    with pytest.raises(ConfigError, match="heads of at least 6 components; got 5"):
        rotations([torch.zeros(1)] * 3, 5)

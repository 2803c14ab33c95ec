"""Counted operations, errors of optical flow, and images that move by known vectors."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import tacit as tc
from tacit.diagnostics import end_point_error, operations, peak_rate, phase_correlation, training_operations
from tacit.nn import linear
from tacit.testing.moving_images import move_images, translations


def test_operations_are_those_of_the_products():
    x, weight = torch.randn(6, 5), torch.randn(5, 7)
    assert operations(lambda: x @ weight) == 2 * 6 * 5 * 7


def test_the_fast_layer_counts_like_that_of_torch():
    layer, x, before = linear.Linear(300, 300), torch.randn(100, 300), linear._SMALL
    assert operations(lambda: layer(x)) == 2 * 100 * 300 * 300
    assert before == linear._SMALL


def test_a_training_step_counts_forward_and_backward():
    torch.manual_seed(0)
    layer, x = nn.Linear(5, 7, bias=False), torch.randn(6, 5, requires_grad=True)
    assert training_operations(lambda _: layer(x).sum(), steps=2) == 3 * 2 * 6 * 5 * 7


def test_the_rate_of_products_is_that_of_a_machine():
    assert 1e8 < peak_rate(rows=64, size=256, rounds=3) < 1e14


def test_the_error_of_a_flow_is_a_distance():
    predicted, actual = torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    actual[0, :, 1, 0] = torch.tensor([3.0, 4.0])
    torch.testing.assert_close(end_point_error(predicted, actual), torch.tensor([[[0.0, 0.0], [5.0, 0.0]]]))


def test_phase_correlation_finds_a_translation():
    image = torch.rand(1, 40, 52, generator=torch.Generator().manual_seed(0))
    first, second = image[:, 5:35, 5:45], image[:, 3:33, 9:49]  # everything moves 4 to the left and 2 down
    assert phase_correlation(first, second).tolist() == [[-4, 2]]


@pytest.fixture(scope="module")
def moved():
    images = torch.full((40, 1, 12, 12), 200, dtype=torch.uint8)
    vectors, _ = translations()
    return move_images(images, torch.arange(40) % 2 == 0, vectors, seed=3)


def test_translations_are_parted():
    trained, held_out = ({tuple(one) for one in part.tolist()} for part in translations(3))
    assert not trained & held_out
    assert max(x * x + y * y for x, y in trained | held_out) == 36
    assert len(held_out) == (len(trained) + len(held_out)) // 4


def test_warping_the_first_frame_by_the_flow_gives_the_second(moved):
    """The flow of known pixels is right for whole and for half pixels, in scenes and for objects."""
    side = moved.frames.shape[-1]
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    x, y = columns + moved.flow[:, 0], rows + moved.flow[:, 1]
    grid = torch.stack([2 * x / (side - 1) - 1, 2 * y / (side - 1) - 1], dim=-1)
    first, second = (moved.frames[:, t].float() for t in (0, 1))
    warped = F.grid_sample(first, grid, align_corners=True)[:, 0]
    error = (warped - second[:, 0]).abs()
    wrong = (first - second).abs()[:, 0]
    assert error[moved.known].mean() < 0.2 * wrong[moved.known].mean()
    whole = (moved.vector % 1 == 0).all(1)
    assert whole.any()
    scene = whole & moved.moving.flatten(1).all(1)
    assert error[scene][moved.known[scene]].max() <= 1


def test_only_an_object_leaves_the_texture_still(moved):
    assert moved.moving[1::2].all()
    covered = moved.moving[0::2].float().mean((1, 2))
    assert ((covered > 0.04) & (covered < 0.09)).all()  # 12 x 12 of 48 x 48


def test_images_that_do_not_fit_are_refused():
    with pytest.raises(tc.errors.ConfigError, match=r"20 x 20 that move by 6 pixels do not fit into frames of 24"):
        move_images(
            torch.zeros(1, 1, 20, 20, dtype=torch.uint8), torch.ones(1, dtype=torch.bool), translations()[0], side=24
        )

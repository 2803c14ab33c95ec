"""What augmentations compute, against the simplest thing that could be right and against answers known by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from augmentation import naive
from tacit.augmentation import Blur, CenterCrop, Flip, Grayscale, RandomResizedCrop, Resize, Solarize, _colour
from tacit.augmentation._resample import resized_crop
from tacit.augmentation.blur import blur
from tacit.errors import SpecError


def images(*shape: int, seed: int = 0) -> Tensor:
    """Levels with flat and grey parts, uint8."""
    draw = torch.Generator().manual_seed(seed)
    made = torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)
    made[..., : shape[-2] // 3, :] = made[..., :1, :1]
    made[..., -2:, :] = made[..., :1, -2:, :]
    made[..., 0, :3], made[..., 1, :3] = 0, 255
    return made


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(28, 28), (9, 14), (70, 61)])
def test_crops_of_all_items_at_once_are_those_of_each(size: tuple[int, int], interpolation: str) -> None:
    draw = np.random.default_rng(1)
    height, width, items, views = 40, 57, 6, 3
    videos = images(items, 2, 3, height, width).float()
    rows, columns = draw.integers(1, height + 1, (items, views)), draw.integers(1, width + 1, (items, views))
    rows[0], columns[0] = height, width
    places = draw.integers(0, height - rows + 1), draw.integers(0, width - columns + 1)
    boxes = torch.from_numpy(np.stack([*places, rows, columns], -1))
    crops = resized_crop(videos, boxes, size, interpolation)
    assert crops.shape == (items, views, 2, 3, *size)
    for item, view, frame in np.ndindex(items, views, 2):
        close(
            crops[item, view, frame],
            naive.resized_crop(videos[item, frame], boxes[item, view].tolist(), size, interpolation),
        )


def test_a_crop_of_everything_and_a_reduction_by_two_are_what_one_expects() -> None:
    videos = images(2, 1, 3, 12, 20).float()
    whole = torch.tensor([[[0, 0, 12, 20]]] * 2)
    for interpolation in ("bilinear", "bicubic"):
        close(resized_crop(videos, whole, (12, 20), interpolation)[:, 0], videos)
    step = torch.zeros(1, 1, 1, 1, 8)
    step[..., 4:] = 80
    half = resized_crop(step, torch.tensor([[[0, 0, 1, 8]]]), (1, 4), "bilinear")
    close(half.flatten(), torch.tensor([0.0, 10.0, 70.0, 80.0]))  # the triangle over four pixels: 1, 3, 3, 1 eighths


@pytest.mark.parametrize(("height", "width", "kernel"), [(28, 20, 7), (12, 45, 23), (5, 5, 3), (6, 4, 1)])
def test_blur_is_a_convolution_of_the_mirrored_image(height: int, width: int, kernel: int) -> None:
    videos = images(4, 2, 3, height, width).float()
    sigmas = torch.tensor([0.1, 0.7, 1.3, 2.0], dtype=torch.float64)
    blurred = blur(videos, kernel, sigmas)
    for item, frame in np.ndindex(4, 2):
        close(blurred[item, frame], naive.blur(videos[item, frame], kernel, float(sigmas[item])))


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_colours_change_by_the_number_of_each_item(name: str) -> None:
    numbers = [-0.5, -0.13, 0.0, 0.4] if name == "hue" else [0.0, 0.3, 1.0, 1.7]
    videos = images(4, 2, 3, 9, 11).float()
    changed = vars(_colour)[name](videos, torch.tensor(numbers, dtype=torch.float64))
    for item, frame in np.ndindex(4, 2):
        close(changed[item, frame], naive.adjust(videos[item, frame], name, numbers[item]))


def test_hues_turn_from_red_over_green_to_blue() -> None:
    red = torch.tensor([200.0, 50.0, 50.0]).view(1, 1, 3, 1, 1).repeat(4, 1, 1, 1, 1)
    turned = _colour.hue(red, torch.tensor([0.0, 1 / 3, 2 / 3, -1 / 6])).flatten(1)
    expected = [[200, 50, 50], [50, 200, 50], [50, 50, 200], [200, 50, 200]]
    close(turned, torch.tensor(expected, dtype=torch.float32))


@pytest.mark.parametrize("name", ["saturation", "hue"])
def test_grey_images_have_no_colour_to_change(name: str) -> None:
    grey = images(3, 1, 1, 8, 8).float()
    change = vars(_colour)[name]
    numbers = torch.tensor([0.0, 0.2, 0.4])
    assert change(grey, numbers).equal(grey)
    close(change(grey.repeat(1, 1, 3, 1, 1), numbers), grey.repeat(1, 1, 3, 1, 1))


def test_the_small_ones() -> None:
    shown = images(2, 3, 5, 4)
    draw = torch.Generator()
    assert Flip(1.0)(shown, draw).equal(shown.flip(-1).float())
    assert Flip(1.0, vertical=True)(shown, draw).equal(shown.flip(-2).float())
    levels = torch.tensor([0, 99, 100, 101, 255], dtype=torch.uint8).view(1, 1, 1, 5)
    assert Solarize(100.0)(levels).flatten().tolist() == [0, 99, 155, 154, 0]
    grey = torch.einsum("bchw,c->bhw", shown.float(), torch.tensor(naive.LUMA).float())
    close(Grayscale()(shown), grey[:, None].repeat(1, 3, 1, 1))
    assert Grayscale()(shown[:, :1]).equal(shown[:, :1].float())


def test_evaluation_resizes_by_the_shorter_side_and_takes_the_middle() -> None:
    shown = images(2, 3, 40, 61)
    for size in (20, 50, (13, 30)):
        resized = Resize(size)(shown)
        expected = (size, int(size * 61 / 40)) if isinstance(size, int) else size
        for image, small in zip(shown, resized, strict=True):
            close(small, naive.resized_crop(image, [0, 0, 40, 61], expected, "bilinear"))
    assert Resize(30)(shown.transpose(2, 3)).shape[-2:] == (45, 30)
    assert CenterCrop((20, 31))(shown).equal(shown[..., 10:30, 15:46].float())
    assert CenterCrop((25, 30))(shown).equal(shown[..., 8:33, 16:46].float()), "halves round to even, as elsewhere"


def test_images_that_do_not_fit_are_refused_in_words() -> None:
    shown = images(2, 3, 8, 8)
    draw = torch.Generator().manual_seed(0)
    for refused, augmentation in (
        ("float64", lambda: Flip()(shown.double(), draw)),
        (r"\[3, 8, 8\]", lambda: Flip()(shown[0], draw)),
        ("these have 2", lambda: Grayscale()(shown[:, :2])),
        ("smaller kernel", lambda: Blur(kernel=17)(shown, draw)),
        ("resize them first", lambda: CenterCrop((9, 4))(shown)),
    ):
        with pytest.raises(SpecError, match=refused):
            augmentation()


def test_central_crops_where_no_draw_fits() -> None:
    crop = RandomResizedCrop((4, 4), scale=(1.0, 1.0), aspect=(1.0, 1.25))
    draw = torch.Generator().manual_seed(0)
    assert crop.boxes(2, 100, 8, draw).tolist() == [[46, 0, 8, 8]] * 2
    assert crop.boxes(2, 8, 101, draw).tolist() == [[0, 45, 8, 10]] * 2
    assert RandomResizedCrop((4, 4), (1.0, 1.0), (0.1, 0.2)).boxes(1, 2, 9, draw).tolist() == [[0, 4, 2, 1]]

"""Augmentations against torchvision: `uv run --group oracles pytest tests/oracles`."""

import importlib
import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor

from tacit import augmentation
from tacit.augmentation import _colour, _resample
from tacit.augmentation.blur import blur

if importlib.util.find_spec("torchvision") is None:
    pytest.skip("needs torchvision, of the dependency group 'oracles'", allow_module_level=True)

declared: list[torch.library.Library] = []  # kept: operators go with their library


def torchvision(module: str) -> ModuleType:
    """A module of torchvision, whatever PyTorch it was compiled for.

    Next to a PyTorch for the CPU its compiled operators do not load, and importing it fails where it describes two of
    them that no transform uses; declared beforehand, they do not stand in the way.
    """
    try:
        return importlib.import_module(module)
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    declared.append(torch.library.Library("torchvision", "DEF"))
    for name in ("nms", "qnms"):
        declared[-1].define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module(module)


v2 = torchvision("torchvision.transforms.v2")
F = v2.functional


def images(count: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Levels with edges, flat parts, greys and extremes, uint8."""
    draw = torch.Generator().manual_seed(seed)
    made = torch.randint(0, 256, (count, channels, height, width), generator=draw, dtype=torch.uint8)
    made[:, :, : height // 3] = made[:, :, :1, :1]  # flat
    made[:, :, -2:] = made[:, :1, -2:]  # grey
    made[:, :, 0, :3], made[:, :, 1, :3] = 0, 255
    return made


def compare(ours: Tensor, theirs: Tensor) -> None:
    """Within 1e-4 of the largest level: the oracle works in [0, 1]."""
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours / 255, theirs, rtol=1e-4, atol=1e-4)


def within_levels(ours: Tensor, theirs: Tensor, levels: int = 1) -> None:
    """No further from the oracle on uint8 than its rounding."""
    assert theirs.dtype == torch.uint8
    assert (ours - theirs.float()).abs().max() <= levels + 1e-3


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(28, 28), (9, 14), (96, 75)])
@pytest.mark.parametrize("channels", [1, 3])
def test_crops_are_those_of_resized_crop(channels: int, size: tuple[int, int], interpolation: str) -> None:
    draw = np.random.default_rng(0)
    for height, width in ((28, 28), (40, 57)):
        shown = images(12, channels, height, width)
        rows, columns = draw.integers(1, height + 1, 12), draw.integers(1, width + 1, 12)
        rows[0], columns[0] = height, width
        boxes = np.stack([draw.integers(0, height - rows + 1), draw.integers(0, width - columns + 1), rows, columns], 1)
        ours = _resample.resized_crop(shown[:, None].float(), torch.from_numpy(boxes)[:, None], size, interpolation)
        mode = F.InterpolationMode(interpolation)
        for image, box, crop in zip(shown, boxes.tolist(), ours[:, 0, 0], strict=True):
            theirs = F.resized_crop(image.float() / 255, *box, list(size), mode, antialias=True)
            compare(crop, theirs.clamp(0, 1))
            if interpolation == "bilinear":  # their bicubic on uint8 clips between its two passes as well
                within_levels(crop, F.resized_crop(image, *box, list(size), mode, antialias=True))


def test_drawn_boxes_have_the_distribution_of_random_resized_crop() -> None:
    count = 4000
    for height, width, scale, aspect in ((64, 64, (0.08, 1.0), (3 / 4, 4 / 3)), (40, 90, (0.5, 1.0), (0.4, 3.0))):
        torch.manual_seed(0)
        theirs = v2.RandomResizedCrop((8, 8), scale, aspect)
        image = torch.zeros(1, height, width)
        drawn = [theirs.make_params([image]) for _ in range(count)]
        expected = np.array([[box[name] for name in ("top", "left", "height", "width")] for box in drawn])
        ours = augmentation.RandomResizedCrop((8, 8), scale, aspect)
        boxes = ours.boxes(count, height, width, torch.Generator().manual_seed(0)).numpy()
        for column in range(4):  # Kolmogorov and Smirnov: 0.044 is exceeded once in a thousand times
            levels = np.arange(max(height, width) + 1)
            gaps = [np.searchsorted(np.sort(b[:, column]), levels, "right") / count for b in (boxes, expected)]
            assert np.abs(gaps[0] - gaps[1]).max() < 0.044


@pytest.mark.parametrize(("height", "width"), [(100, 7), (7, 100), (30, 31)])
def test_the_central_crop_is_theirs_where_no_draw_fits(height: int, width: int) -> None:
    theirs = v2.RandomResizedCrop((8, 8), (1.0, 1.0), (1.2, 1.3)).make_params([torch.zeros(1, height, width)])
    ours = augmentation.RandomResizedCrop((8, 8), (1.0, 1.0), (1.2, 1.3))
    boxes = ours.boxes(5, height, width, torch.Generator().manual_seed(0))
    assert boxes.tolist() == [[theirs[name] for name in ("top", "left", "height", "width")]] * 5


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("brightness", [0.0, 0.3, 1.0, 1.7]),
        ("contrast", [0.0, 0.3, 1.0, 1.7]),
        ("saturation", [0.0, 0.3, 1.0, 1.7]),
        ("hue", [-0.5, -0.13, 0.0, 0.4]),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_colours_change_as_in_adjust(name: str, numbers: list[float], channels: int) -> None:
    shown = images(4, channels, 33, 20)
    ours = vars(_colour)[name](shown[:, None].float(), torch.tensor(numbers, dtype=torch.float64))[:, 0]
    adjust = vars(F)[f"adjust_{name}"]
    for image, number, changed in zip(shown, numbers, ours, strict=True):
        compare(changed, adjust(image.float() / 255, number))
        within_levels(changed, adjust(image, number), levels=2)  # theirs truncates the grey and then the sum


def test_jitter_in_fixed_order_is_theirs_with_the_same_numbers() -> None:
    shown = images(6, 3, 21, 16)
    jitter = augmentation.ColorJitter(0.4, 0.4, 0.2, 0.1, order="fixed")
    ours = jitter(shown, torch.Generator().manual_seed(3))
    draws = torch.rand(4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    for index, (image, changed) in enumerate(zip(shown.float() / 255, ours, strict=True)):
        brightness, contrast, saturation, hue = draws[:, index].tolist()
        theirs = F.adjust_brightness(image, 0.6 + 0.8 * brightness)
        theirs = F.adjust_contrast(theirs, 0.6 + 0.8 * contrast)
        theirs = F.adjust_saturation(theirs, 0.8 + 0.4 * saturation)
        compare(changed, F.adjust_hue(theirs, -0.1 + 0.2 * hue))


@pytest.mark.parametrize(("height", "width", "kernel"), [(28, 28, 7), (12, 45, 23), (5, 5, 3), (6, 4, 1)])
def test_blur_is_gaussian_blur(height: int, width: int, kernel: int) -> None:
    shown = images(4, 3, height, width)
    sigmas = torch.tensor([0.1, 0.7, 1.3, 2.0], dtype=torch.float64)
    ours = blur(shown[:, None].float(), kernel, sigmas)[:, 0]
    for image, sigma, blurred in zip(shown, sigmas.tolist(), ours, strict=True):
        compare(blurred, F.gaussian_blur(image.float() / 255, [kernel, kernel], [sigma, sigma]))
        within_levels(blurred, F.gaussian_blur(image, [kernel, kernel], [sigma, sigma]))


@pytest.mark.parametrize("channels", [1, 3])
def test_grayscale_solarize_and_flips_are_theirs(channels: int) -> None:
    shown = images(4, channels, 19, 26)
    scaled = shown.float() / 255
    compare(augmentation.Grayscale()(shown), F.rgb_to_grayscale(scaled, num_output_channels=channels))
    within_levels(augmentation.Grayscale()(shown), F.rgb_to_grayscale(shown, num_output_channels=channels))
    assert augmentation.Solarize(100.0)(shown).equal(F.solarize(shown, 100).float())
    draw = torch.Generator().manual_seed(0)
    assert augmentation.Flip(1.0)(shown, draw).equal(F.horizontal_flip(shown).float())
    assert augmentation.Flip(1.0, vertical=True)(shown, draw).equal(F.vertical_flip(shown).float())


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [17, 60, (20, 31)])
def test_evaluation_is_resize_and_center_crop(size: int | tuple[int, int], interpolation: str) -> None:
    mode = F.InterpolationMode(interpolation)
    for height, width in ((40, 57), (57, 40), (33, 33)):
        shown = images(3, 3, height, width)
        wanted = list(size) if isinstance(size, tuple) else [size]
        resized = augmentation.Resize(size, interpolation)(shown)
        compare(resized, F.resize(shown.float() / 255, wanted, mode, antialias=True).clamp(0, 1))
        if interpolation == "bilinear":
            within_levels(resized, F.resize(shown, wanted, mode, antialias=True))
        for crop in ((16, 15), (13, 16)):
            assert augmentation.CenterCrop(crop)(resized).equal(F.center_crop(resized, list(crop)))


def test_a_video_is_changed_as_each_of_its_frames() -> None:
    video = images(10, 3, 30, 30).view(2, 5, 3, 30, 30)
    factors = torch.tensor([0.4, 1.5], dtype=torch.float64)
    ours = _colour.contrast(video.float(), factors)
    for frames, factor, changed in zip(video, factors.tolist(), ours, strict=True):
        compare(changed, F.adjust_contrast(frames.float() / 255, factor))

"""Promises that every augmentation keeps, run over the registry."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Generator, Tensor

from tacit import augmentation
from tacit.augmentation import (
    Augmentation,
    Blur,
    CenterCrop,
    Chain,
    ColorJitter,
    Flip,
    Grayscale,
    MultiCrop,
    Noise,
    OneOf,
    Overlay,
    RandomConvolution,
    RandomResizedCrop,
    Resize,
    Solarize,
    Sometimes,
    _colour,
    lejepa,
)
from tacit.errors import ConfigError, SpecError

EXAMPLES = {
    "blur": Blur(kernel=5),
    "center_crop": CenterCrop((9, 7)),
    "chain": Chain((RandomResizedCrop((12, 12), (0.3, 1.0)), Flip(0.5), Sometimes(0.5, Solarize()))),
    "color_jitter": ColorJitter(0.4, 0.4, 0.2, 0.1),
    "flip": Flip(),
    "grayscale": Grayscale(),
    "multi_crop": lejepa((14, 14), (8, 6)),
    "noise": Noise(),
    "one_of": OneOf((Noise(), Solarize(), RandomConvolution())),
    "overlay": Overlay(),
    "random_convolution": RandomConvolution(),
    "random_resized_crop": RandomResizedCrop((10, 12), interpolation="bicubic"),
    "resize": Resize(11),
    "solarize": Solarize(),
    "sometimes": Sometimes(0.5, ColorJitter(0.4, 0.4, 0.2, 0.1)),
}
DRAWS = sorted(EXAMPLES.keys() - {"center_crop", "grayscale", "resize", "solarize"})
each = pytest.mark.parametrize("name", sorted(EXAMPLES))


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, shape, generator=seeded(seed), dtype=torch.uint8)


def run(name: str, shown: Tensor, seed: int = 0) -> tuple[Tensor, ...]:
    changed = EXAMPLES[name](shown, seeded(seed))
    return changed if isinstance(changed, tuple) else (changed,)


def same(left: tuple[Tensor, ...], right: tuple[Tensor, ...]) -> bool:
    return all(a.equal(b) for a, b in zip(left, right, strict=True))


def test_every_augmentation_has_an_example() -> None:
    assert set(EXAMPLES) == set(augmentation.names())
    for name, example in EXAMPLES.items():
        assert augmentation.load(name) is type(example)
        assert type(example).__dataclass_params__.frozen


@each
@pytest.mark.parametrize("channels", [1, 3])
def test_levels_in_and_levels_out(name: str, channels: int) -> None:
    shown = images(6, channels, 16, 20)
    kept = shown.clone()
    for changed in run(name, shown):
        assert changed.dtype == torch.float32 and changed.is_contiguous()
        assert changed.shape[0] == 6 and changed.shape[-3] == channels
        assert changed.min() >= 0 and changed.max() <= 255 + 1e-3
    assert same(run(name, shown), run(name, shown.float()))
    assert shown.equal(kept)
    levels = shown.float()
    run(name, levels)
    assert levels.equal(kept.float()), "the input was written to"


@each
def test_a_pure_function_of_the_generator(name: str) -> None:
    shown = images(8, 3, 16, 16)
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    first = run(name, shown)
    assert torch.random.get_rng_state().equal(before), "drawn from the global generator"
    torch.manual_seed(2)
    assert same(first, run(name, shown))
    assert same(first, run(name, shown, seed=1)) == (name not in DRAWS)


@each
def test_an_item_does_not_depend_on_its_neighbours(name: str) -> None:
    shown, other = images(8, 3, 16, 16), images(8, 3, 16, 16, seed=1)
    other[5] = shown[5]
    for mixed, alone in zip(run(name, other), run(name, shown), strict=True):
        torch.testing.assert_close(mixed[5], alone[5])
        assert not mixed[4].equal(alone[4])


@each
def test_all_frames_of_a_video_are_changed_as_an_image_is(name: str) -> None:
    videos = images(6, 4, 3, 16, 16)
    changed = run(name, videos)
    for frame in range(4):
        for video, image in zip(changed, run(name, videos[:, frame]), strict=True):
            torch.testing.assert_close(video.select(-4, frame), image, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", DRAWS)
def test_items_have_draws_of_their_own(name: str) -> None:
    shown = images(1, 3, 16, 16).repeat(8, 1, 1, 1)
    assert all(len(changed.flatten(1).unique(dim=0)) > 1 for changed in run(name, shown))


@pytest.mark.parametrize("name", DRAWS)
def test_draws_need_a_generator_on_the_cpu(name: str) -> None:
    with pytest.raises(ConfigError, match=r"torch\.Generator\(\)\.manual_seed"):
        EXAMPLES[name](images(2, 3, 16, 16))


@each
def test_mixed_precision_does_not_reach_the_levels(name: str) -> None:
    shown = images(4, 3, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = run(name, shown)
    assert same(mixed, run(name, shown))


@pytest.mark.parametrize(
    "nothing",
    [
        RandomResizedCrop((16, 20), scale=(1.0, 1.0), aspect=(1.25, 1.25)),
        Flip(0.0),
        ColorJitter(),
        Sometimes(0.0, Solarize()),
        Solarize(256.0),
        Blur(kernel=1),
        Blur(kernel=7, sigma=(0.01, 0.01)),
        Resize(16),
        CenterCrop((16, 20)),
        Chain(),
        Chain((Flip(1.0), Flip(1.0))),
    ],
    ids=repr,
)
def test_options_that_change_nothing(nothing: Augmentation) -> None:
    for channels in (1, 3):
        shown = images(5, channels, 16, 20)
        torch.testing.assert_close(nothing(shown, seeded()), shown.float(), rtol=0, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    scale=st.tuples(st.floats(0.01, 1.0), st.floats(0.01, 1.0)),
    aspect=st.tuples(st.floats(0.2, 5.0), st.floats(0.2, 5.0)),
    seed=st.integers(0, 2**32),
)
def test_boxes_lie_in_the_image_and_in_range(
    height: int, width: int, scale: tuple[float, float], aspect: tuple[float, float], seed: int
) -> None:
    low, high = sorted(scale)
    narrow, wide = sorted(aspect)
    crop = RandomResizedCrop((8, 8), (low, high), (narrow, wide))
    boxes = crop.boxes(50, height, width, seeded(seed)).numpy()
    top, left, rows, columns = boxes.T
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] >= 1).all()
    assert (top + rows <= height).all() and (left + columns <= width).all()
    central = (np.array([rows, columns]) == crop._central(height, width).numpy()[:, None]).all(0)
    area = height * width
    bigger, smaller = (rows + 0.5) * (columns + 0.5), (rows - 0.5) * (columns - 0.5)  # sides are rounded
    assert (((bigger >= low * area - 1e-6) & (smaller <= high * area + 1e-6)) | central).all()
    most, least = (columns + 0.5) / (rows - 0.5), (columns - 0.5) / (rows + 0.5)
    assert (((most >= narrow - 1e-9) & (least <= wide + 1e-9)) | central).all()


def test_boxes_are_uniform_in_area_in_log_aspect_and_in_place() -> None:
    boxes = RandomResizedCrop((8, 8), (0.1, 0.2), (0.5, 2.0)).boxes(20_000, 1000, 1000, seeded()).double()
    top, left, rows, columns = boxes.T
    for values, low, high in (
        (rows * columns / 1e6, 0.1, 0.2),
        ((columns / rows).log(), np.log(0.5), np.log(2.0)),
        (top / (1000 - rows), 0.0, 1.0),
        (left / (1000 - columns), 0.0, 1.0),
    ):
        deciles = torch.histc((values - low) / (high - low), 10, 0, 1)
        assert (deciles - 2000).abs().max() < 5 * (20_000 * 0.1 * 0.9) ** 0.5
    halves = RandomResizedCrop((8, 8), (0.25, 0.25), (1.0, 1.0)).boxes(20_000, 4, 4, seeded())
    assert halves[:, 2:].eq(2).all()
    assert (halves[:, :2].flatten().bincount(minlength=3) / 40_000 - 1 / 3).abs().max() < 0.02


def test_chances_hold() -> None:
    shown = torch.full((20_000, 1, 1, 2), 200, dtype=torch.uint8)
    shown[..., 0] = 0
    for chance in (0.2, 0.8):
        error = 5 * (chance * (1 - chance) / 20_000) ** 0.5
        flipped = (Flip(chance)(shown, seeded())[..., 0] == 200).float().mean()
        changed = (Sometimes(chance, Solarize())(shown, seeded())[..., 1] == 55).float().mean()
        assert abs(flipped - chance) < error and abs(changed - chance) < error


def test_factors_of_the_jitter_fill_their_range() -> None:
    shown = torch.full((4000, 1, 2, 2), 100, dtype=torch.uint8)
    brightness = ColorJitter(brightness=0.4)(shown, seeded())[:, 0, 0, 0] / 100
    assert 0.6 <= brightness.min() < 0.605 and 1.395 < brightness.max() <= 1.4
    assert abs(brightness.mean() - 1) < 0.02
    shown = torch.full((4000, 1, 2, 2), 10, dtype=torch.uint8)
    brightness = ColorJitter(brightness=3.0)(shown, seeded()) / 10
    assert abs(brightness.mean() - 2) < 0.1 and brightness.max() > 3.9, "factors from 0, not from -2"


def test_the_jitter_is_in_random_or_in_fixed_order() -> None:
    shown = images(4, 3, 8, 8)
    jitter = ColorJitter(brightness=0.8, contrast=0.8)
    seen = []
    for seed in range(20):
        draws = torch.rand(2, 4, generator=seeded(seed), dtype=torch.float64) * 1.6 + 0.2
        videos = shown[:, None].float()
        first = _colour.contrast(_colour.brightness(videos, draws[0]), draws[1])[:, 0]
        other = _colour.brightness(_colour.contrast(videos, draws[1]), draws[0])[:, 0]
        changed = jitter(shown, seeded(seed))
        assert changed.equal(first) != changed.equal(other)
        assert dataclasses.replace(jitter, order="fixed")(shown, seeded(seed)).equal(first)
        seen.append(changed.equal(first))
    assert 3 <= sum(seen) <= 17


def test_sometimes_is_the_augmentation_of_those_it_chooses() -> None:
    shown = images(12, 3, 8, 8)
    draw = seeded(3)
    chosen = torch.rand(12, generator=draw, dtype=torch.float64) < 0.5
    expected = shown.float()
    expected[chosen] = ColorJitter(0.5, 0.5, 0.5, 0.2)(shown[chosen], draw)
    assert 0 < chosen.sum() < 12
    assert Sometimes(0.5, ColorJitter(0.5, 0.5, 0.5, 0.2))(shown, seeded(3)).equal(expected)


def test_a_chain_is_one_after_the_other_without_rounding() -> None:
    shown = images(6, 3, 16, 16)
    parts = (RandomResizedCrop((9, 9)), Blur(kernel=3), Flip())
    draw = seeded(1)
    step = shown
    for part in parts:
        step = part(step, draw)
    assert Chain(parts)(shown, seeded(1)).equal(step)
    assert not step.equal(step.round())


def test_views_are_crops_of_their_own_each_changed_by_itself() -> None:
    shown = images(5, 3, 24, 24)
    views = lejepa((14, 14), (8, 6), counts=(2, 3))(shown, seeded())
    assert [tuple(view.shape) for view in views] == [(5, 2, 3, 14, 14), (5, 3, 3, 8, 6)]
    assert all(len(view.flatten(0, 1).flatten(1).unique(dim=0)) == view[:, :, 0, 0, 0].numel() for view in views)
    videos = lejepa((14, 14), (8, 6))(images(2, 4, 3, 24, 24), seeded())
    assert [tuple(view.shape) for view in videos] == [(2, 2, 4, 3, 14, 14), (2, 6, 4, 3, 8, 6)]
    for after in (Chain(), ColorJitter(0.4, 0.4, 0.4, 0.2)):
        (views,) = MultiCrop((3,), ((8, 6),), ((0.05, 0.3),), after)(shown, seeded())
        single = Chain((RandomResizedCrop((8, 6), (0.05, 0.3)), after))
        torch.testing.assert_close(views.flatten(0, 1), single(shown.repeat_interleave(3, 0), seeded()))


def test_the_published_sets() -> None:
    views = lejepa()
    assert (views.counts, views.sizes) == ((2, 6), ((224, 224), (98, 98)))
    assert views.scales == ((0.3, 1.0), (0.05, 0.3))
    flip, jitter, grey, blur, solarize = views.photometric.parts
    assert flip == Flip(0.5) and grey == Sometimes(0.2, Grayscale()) and solarize == Sometimes(0.2, Solarize(128.0))
    assert jitter == Sometimes(0.8, ColorJitter(0.4, 0.4, 0.2, 0.1)) and blur == Sometimes(0.5, Blur(7, (0.1, 2.0)))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: RandomResizedCrop(28),
        lambda: RandomResizedCrop((28, 0)),
        lambda: RandomResizedCrop((28, 28), scale=(0.0, 1.0)),
        lambda: RandomResizedCrop((28, 28), scale=(0.5, 1.5)),
        lambda: RandomResizedCrop((28, 28), aspect=(2.0, 1.0)),
        lambda: RandomResizedCrop((28, 28), interpolation="nearest"),
        lambda: Resize(0),
        lambda: CenterCrop((3.5, 2)),
        lambda: Flip(1.1),
        lambda: Sometimes(-0.1, Flip()),
        lambda: Sometimes(0.1, torch.flip),
        lambda: Chain((lejepa(),)),
        lambda: ColorJitter(brightness=-0.1),
        lambda: ColorJitter(hue=0.6),
        lambda: ColorJitter(order="backwards"),
        lambda: Blur(kernel=4),
        lambda: Blur(sigma=(0.0, 1.0)),
        lambda: Solarize(300.0),
        lambda: MultiCrop((2, 6), ((8, 8),), ((0.3, 1.0),)),
        lambda: MultiCrop((0,), ((8, 8),), ((0.3, 1.0),)),
        lambda: MultiCrop((1,), ((8, 8),), ((0.3, 1.2),)),
    ],
)
def test_options_out_of_range_are_refused(wrong) -> None:
    with pytest.raises(ConfigError, match="needs"):
        wrong()


def test_some_images_of_a_batch_cannot_change_their_size() -> None:
    with pytest.raises(SpecError, match=r"\[4, 4\]"):
        Sometimes(0.5, RandomResizedCrop((4, 4)))(images(20, 3, 8, 8), seeded())

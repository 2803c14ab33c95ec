"""Changes of images against what they promise, and the levels of all graded perturbations."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from tacit import stress
from tacit.errors import ConfigError
from tacit.stress import (
    Blur,
    Brightness,
    Compression,
    Contrast,
    Hue,
    MovingPatch,
    Noise,
    Occlusion,
    RandomConvolution,
    Resolution,
    Saturation,
    Shift,
    Tint,
    VideoBackground,
    suite,
)
from tacit.testing.worlds import LineWorld

RNG = np.random.default_rng(0)
PICTURE = RNG.uniform(0, 255, (3, 48, 48)).astype(np.float32)
FLAT = np.full((3, 48, 48), 100.0, np.float32)


def applied(change, image=PICTURE, step=0, seed=0):
    generator = np.random.default_rng(seed)
    return change.apply(image, change.draw(generator), step, generator)


def test_noise_has_its_deviation() -> None:
    assert applied(Noise(20.0), FLAT).std() == pytest.approx(20, rel=0.05)


def test_blur_is_that_of_scipy() -> None:
    expected = gaussian_filter(PICTURE, (0, 1.5, 1.5), mode="nearest", truncate=3)
    np.testing.assert_allclose(applied(Blur(2.0)), expected, atol=0.05)  # 2 of 64 are 1.5 of 48


def test_light_moves_and_scales_colors() -> None:
    assert abs(applied(Brightness(30.0), FLAT) - 100).mean() == pytest.approx(30)
    tinted = applied(Tint(0.5), FLAT)
    assert (np.ptp(tinted, axis=(1, 2)) < 1e-4).all() and 50 <= tinted.min() < tinted.max() <= 150
    assert applied(Contrast(0.0)).std() == 0
    np.testing.assert_allclose(applied(Contrast(0.5), FLAT), 127.5 - 27.5 / 2)


def test_hue_keeps_grays_and_turns_colors_in_a_circle() -> None:
    np.testing.assert_allclose(applied(Hue(60.0), FLAT), FLAT, rtol=1e-5)
    red = FLAT * np.array([2.0, 0.5, 0.5], np.float32)[:, None, None]
    turned = applied(Hue(120.0), red)[:, 0, 0]
    np.testing.assert_allclose(np.sort(turned), [50, 50, 200], atol=0.01)
    assert turned.argmax() != 0


def test_saturation_of_zero_is_gray_with_the_luma_of_pillow() -> None:
    gray = applied(Saturation(0.0))
    assert np.ptp(gray, axis=0).max() < 1e-3
    pixels = np.rint(PICTURE).astype(np.uint8).transpose(1, 2, 0)
    np.testing.assert_allclose(gray[0], np.asarray(Image.fromarray(pixels).convert("L"), np.float32), atol=1.5)


def test_things_in_front_cover_their_share_and_move() -> None:
    covered = (applied(Occlusion(0.25)) != PICTURE).any(axis=0)
    assert covered.sum() == 12 * 12
    patch = MovingPatch(0.25)
    places = [np.argwhere((applied(patch, step=step) != PICTURE).any(axis=0)).mean(axis=0) for step in range(200)]
    assert np.ptp(places, axis=0).max() > 5 and np.abs(np.diff(places, axis=0)).max() < 3
    assert all((applied(patch, step=step) != PICTURE).any(axis=0).sum() == 144 for step in (0, 50, 199))


def test_a_shift_moves_the_image_by_its_length() -> None:
    point = np.zeros((1, 64, 64), np.float32)
    point[0, 32, 32] = 255
    moved = np.argwhere(applied(Shift(8.0), point)[0])[0] - 32
    assert np.linalg.norm(moved) == pytest.approx(8, abs=0.8)


def test_a_lower_resolution_averages_blocks() -> None:
    means = PICTURE.reshape(3, 12, 4, 12, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(applied(Resolution(4.0)), means.repeat(4, axis=1).repeat(4, axis=2), rtol=1e-4)


def test_compression_is_that_of_an_encoder() -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.rint(PICTURE).astype(np.uint8).transpose(1, 2, 0)).save(buffer, format="JPEG", quality=20)
    np.testing.assert_array_equal(applied(Compression(20)), np.asarray(Image.open(buffer)).transpose(2, 0, 1))


def test_a_random_convolution_is_linear_in_its_range() -> None:
    whole = applied(RandomConvolution(1.0))
    assert whole.min() == pytest.approx(0, abs=1e-2) and whole.max() == pytest.approx(255, rel=1e-3)
    np.testing.assert_allclose(applied(RandomConvolution(0.4)), 0.6 * PICTURE + 0.4 * whole, rtol=1e-3, atol=1e-2)


def test_a_video_stands_behind_what_is_in_front() -> None:
    scene = FLAT.copy()
    scene[:, 10:20, 10:20] = 220.0
    first, later = (applied(VideoBackground(1.0), scene, step) for step in (0, 5))
    assert (first[:, 10:20, 10:20] == 220).all()
    behind = np.ones((48, 48), bool)
    behind[10:20, 10:20] = False
    assert np.abs(first - later)[:, behind].mean() > 5 and np.abs(first - scene)[:, behind].mean() > 20


GRADED = [vars(stress)[n] if n in vars(stress) else getattr(stress, n) for n in dir(stress)]
GRADED = [one for one in GRADED if isinstance(one, type) and hasattr(one, "LEVELS")]


@pytest.mark.parametrize("kind", GRADED, ids=lambda kind: kind.__name__)
def test_there_are_five_levels(kind) -> None:
    levels = [kind.at(severity) for severity in range(1, 6)]
    assert len(set(levels)) == 5 and levels[2] == kind.at(3)
    with pytest.raises(ConfigError, match="severities are 1 to 5"):
        kind.at(6)


def test_images_change_more_at_a_higher_severity() -> None:
    for kind in (Noise, Blur, Brightness, Contrast, Saturation, Occlusion, Resolution, Compression, RandomConvolution):
        sizes = [np.abs(applied(kind.at(severity)) - PICTURE).mean() for severity in range(1, 6)]
        assert sizes == sorted(sizes), kind


def test_a_suite_fits_its_environment_and_suggests_names() -> None:
    found = suite(LineWorld())
    assert not any(one.of_images for one in found) and {one.family for one in found} == {"sensors", "actuators"}
    assert [one.name for one in suite(LineWorld(), ["actuators"])] == ["action_noise", "action_delay", "action_gain"]
    with pytest.raises(ConfigError, match=r"no change or family 'latincy'.*latency"):
        suite(LineWorld(), ["latincy"])
    with pytest.raises(ConfigError, match="changes images"):
        Noise()(LineWorld(), 0)

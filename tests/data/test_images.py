"""A folder of images as a dataset: sizes, kinds, classes, and what is no image."""

import os
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

import tacit as tc
from data.recordings import assert_same
from tacit.data.readers import Images, _files, images
from tacit.errors import ConfigError, DataError

WHITE = 255


def colours(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth colour image ``[H, W, 3]``."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def put(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def pixels(path: Path, **options: object) -> np.ndarray:
    """The first image ``[H, W, C]`` there."""
    return np.moveaxis(tc.data.open(path, **options)[0].observation["pixels"][0], 0, -1)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of images of different sizes and kinds."""
    put(tmp_path / "cat/a.png", colours(30, 41, 1))
    put(tmp_path / "cat/b.JPG", colours(33, 20, 2))
    put(tmp_path / "dog/c.bmp", colours(24, 24, 3))
    put(tmp_path / "dog/small/d.webp", colours(9, 8, 4), lossless=True)
    put(tmp_path / "dog/e.tif", colours(50, 24, 5))
    put(tmp_path / ".thumbnails/x.png", colours(4, 4))
    (tmp_path / "notes.txt").write_text("not an image")
    return tmp_path


def test_subfolders_are_classes(photos):
    episodes = tc.data.open(photos, size=16)
    assert episodes.spec == tc.Spec({"pixels": tc.Modality("pixels", (3, 16, 16))})
    assert episodes.labels == ("class",)
    assert [Path(episodes.file(index)).name for index in range(5)] == ["a.png", "b.JPG", "c.bmp", "e.tif", "d.webp"]
    assert [episode.task for episode in episodes] == ["cat", "cat", "dog", "dog", "dog/small"]
    assert [int(episode.labels["class"][0]) for episode in episodes] == [0, 0, 1, 1, 2]
    assert all(episode.labels["class"].dtype == np.int64 and len(episode) == 1 for episode in episodes)
    assert tc.data.check(photos, size=16) == []
    assert tc.data.info(photos, size=16).format == "images"


def test_a_flat_folder_and_a_single_image_have_no_class(tmp_path):
    put(tmp_path / "a.png", colours(12, 15))
    put(tmp_path / "b.png", colours(12, 15, 1))
    for path, count in ((tmp_path, 2), (tmp_path / "b.png", 1)):
        episodes = tc.data.open(path)
        assert len(episodes) == count
        assert episodes.labels == ()
        assert episodes[0].task == ""
    np.testing.assert_array_equal(pixels(tmp_path), colours(12, 15))
    assert tc.data.open(tmp_path / "b.png").clips(1).batch(0, 0, 2).observation["pixels"].shape == (2, 1, 3, 12, 15)


def test_a_converted_folder_is_the_same_dataset(photos, tmp_path):
    target = tmp_path.parent / f"{tmp_path.name}-set"
    tc.data.convert(photos, target, "lerobot", size=(12, 20))
    read, stored = tc.data.open(photos, size=(12, 20)), tc.data.open(target)
    for a, b in zip(read, stored, strict=True):
        assert_same(a, b)
    ours, theirs = read.clips(1).batch(0, 0, 9), stored.clips(1).batch(0, 0, 9)
    np.testing.assert_array_equal(ours.observation["pixels"], theirs.observation["pixels"])
    assert stored.statistics() == read.statistics()
    assert stored[0].observation["pixels"].shape == (1, 3, 12, 20)


@pytest.mark.parametrize("kind", ["png", "bmp", "webp", "tif", "tiff"])
def test_lossless_kinds_are_exact(tmp_path, kind):
    options = {"lossless": True} if kind == "webp" else {}
    put(tmp_path / f"a.{kind}", colours(13, 17), **options)
    np.testing.assert_array_equal(pixels(tmp_path), colours(13, 17))


def test_jpeg_is_close(tmp_path):
    put(tmp_path / "a.jpeg", colours(64, 80), quality=95)
    assert abs(pixels(tmp_path).astype(int) - colours(64, 80)).mean() < 2
    put(tmp_path / "a.jpeg", colours(64, 80), "CMYK", quality=95)
    assert abs(pixels(tmp_path).astype(int) - colours(64, 80)).mean() < 3


def test_grey_colour_and_palettes(tmp_path):
    grey = colours(10, 12)[..., 0]
    put(tmp_path / "a.png", grey)
    assert (pixels(tmp_path) == grey[..., None]).all()
    assert pixels(tmp_path).shape == (10, 12, 3)
    np.testing.assert_array_equal(pixels(tmp_path, channels=1)[..., 0], grey)
    put(tmp_path / "a.png", colours(10, 12))
    luma = np.asarray(Image.fromarray(colours(10, 12)).convert("L"))
    np.testing.assert_array_equal(pixels(tmp_path, channels=1)[..., 0], luma)
    put(tmp_path / "a.png", colours(10, 12), "P")
    right = np.asarray(Image.fromarray(colours(10, 12)).convert("P").convert("RGB"))
    np.testing.assert_array_equal(pixels(tmp_path), right)
    put(tmp_path / "a.png", colours(10, 12), "1")
    assert set(np.unique(pixels(tmp_path))) <= {0, WHITE}


def test_what_is_transparent_shows_white(tmp_path):
    layer = np.dstack([colours(6, 7), np.full((6, 7), 255, np.uint8)])
    layer[:3, :, 3], layer[3, :, 3] = 0, 51
    put(tmp_path / "a.png", layer)
    seen = pixels(tmp_path)
    assert (seen[:3] == WHITE).all()
    np.testing.assert_array_equal(seen[4:], colours(6, 7)[4:])
    np.testing.assert_allclose(seen[3], 0.2 * colours(6, 7)[3] + 0.8 * WHITE, atol=1)
    put(tmp_path / "a.png", layer, "LA")
    assert (pixels(tmp_path)[:3] == WHITE).all()
    palette = Image.fromarray(colours(6, 7)).convert("P")
    palette.save(tmp_path / "a.png", transparency=int(np.asarray(palette)[0, 0]))
    assert (pixels(tmp_path)[0, 0] == WHITE).all()


@pytest.mark.parametrize("kind", ["png", "tif"])
def test_of_16_bits_the_upper_8_are_kept(tmp_path, kind):
    deep = np.arange(256, dtype=np.uint16).reshape(16, 16) * 255
    put(tmp_path / f"a.{kind}", deep)
    np.testing.assert_array_equal(pixels(tmp_path)[..., 0], deep >> 8)


def test_of_12_bits_the_upper_8_are_kept(tmp_path):
    deep = np.arange(256).reshape(16, 16) * 16 + 5
    left, right = deep.reshape(-1, 2).T
    data = np.stack([left >> 4, (left & 15) << 4 | right >> 8, right & 255], axis=1).astype(np.uint8).tobytes()
    tags = {256: 16, 257: 16, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 16, 279: len(data)}
    listed = b"".join(struct.pack("<HHII", tag, 3, 1, value) for tag, value in tags.items())
    begin = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    (tmp_path / "a.tif").write_bytes(begin + data + struct.pack("<H", len(tags)) + listed + bytes(4))
    np.testing.assert_array_equal(pixels(tmp_path)[..., 0], deep >> 4)


def test_whole_numbers_of_32_bits_are_grey_levels(tmp_path):
    levels = np.arange(256, dtype=np.int32).reshape(16, 16)
    put(tmp_path / "a.tif", levels)
    np.testing.assert_array_equal(pixels(tmp_path)[..., 0], levels)
    for wrong, message in ((levels * 256, "from 0 to 65280"), (levels - 1, "from -1 to 254")):
        put(tmp_path / "a.tif", wrong)
        with pytest.raises(DataError, match=rf"a.tif.*it holds whole numbers {message}, .*save it with 8 bits"):
            tc.data.open(tmp_path)


def test_a_tiff_may_hold_a_small_copy_of_its_image(tmp_path):
    small, whole = (Image.fromarray(colours(side, side)) for side in (4, 12))
    for first, second in ((small, whole), (whole, small)):
        tags = [TiffImagePlugin.ImageFileDirectory_v2() for _ in range(2)]
        tags[first is whole][254] = 1  # this one is the copy
        second.encoderinfo = {"tiffinfo": tags[1]}
        first.save(tmp_path / "a.tif", save_all=True, append_images=[second], tiffinfo=tags[0])
        np.testing.assert_array_equal(pixels(tmp_path), colours(12, 12))


def test_numbers_that_are_no_pixels_are_refused(tmp_path):
    put(tmp_path / "a.tif", np.ones((4, 4), np.float32))
    with pytest.raises(DataError, match=r"a.tif.*floating-point numbers; scale them to 0..255"):
        tc.data.open(tmp_path)
    put(tmp_path / "a.tif", np.full((4, 4), 70000, np.int32))
    with pytest.raises(DataError, match=r"a.tif.*it holds whole numbers from 70000 to 70000"):
        tc.data.open(tmp_path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_their_camera_says(tmp_path, orientation):
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8] = (200, 30, 30)
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    put(tmp_path / "a.jpg", np.ascontiguousarray(turned), quality=100, subsampling=0, exif=exif)
    seen = pixels(tmp_path)
    assert seen.shape == (16, 24, 3)
    assert abs(seen.astype(int) - upright).max() < 12


def test_the_middle_is_cut_out_and_resized(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = colours(20, 20)
    put(tmp_path / "a.png", wide)
    np.testing.assert_array_equal(pixels(tmp_path, size=20), colours(20, 20))
    tall = np.ascontiguousarray(wide.swapaxes(0, 1))
    put(tmp_path / "a.png", tall)
    np.testing.assert_array_equal(pixels(tmp_path, size=20), colours(20, 20).swapaxes(0, 1))
    half = np.asarray(Image.fromarray(tall).resize((10, 30), Image.Resampling.BICUBIC))  # first resized, then cut
    np.testing.assert_array_equal(pixels(tmp_path, size=10), half[10:20])
    assert pixels(tmp_path, size=(7, 31)).shape == (7, 31, 3)
    assert pixels(tmp_path, size=100).shape == (100, 100, 3)


def test_shrinking_does_not_alias(tmp_path):
    lines = np.zeros((64, 64, 3), np.uint8)
    lines[:, ::2] = 255
    put(tmp_path / "a.png", lines)
    assert abs(pixels(tmp_path, size=16)[:, 1:-1].astype(int) - 128).max() <= 3


def test_a_large_jpeg_is_decoded_small_and_looks_the_same(tmp_path):
    put(tmp_path / "a.jpg", colours(800, 1000), quality=95)
    whole = (
        Image.open(tmp_path / "a.jpg").convert("RGB").resize((40, 50), Image.Resampling.BICUBIC, box=(180, 0, 820, 800))
    )
    assert abs(pixels(tmp_path, size=(50, 40)).astype(int) - np.asarray(whole)).max() <= 4


def test_images_of_several_sizes_need_one(photos):
    with pytest.raises(DataError, match=r"b.JPG, episode 1, .*41 x 30, like the first one; got 20 x 33.*size=64"):
        list(tc.data.open(photos))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


SEVERAL = {"save_all": True, "append_images": [Image.fromarray(colours(5, 5, seed)) for seed in (1, 2)]}
BROKEN = {
    "a truncated JPEG": lambda path: truncate(put(path / "cat/z.jpg", colours(40, 40), quality=95)),
    "a truncated PNG": lambda path: truncate(put(path / "cat/z.png", colours(40, 40))),
    "text": lambda path: (path / "cat/z.png").write_text("no image"),
    "an empty file": lambda path: (path / "cat/z.bmp").write_bytes(b""),
    "pages": lambda path: put(path / "cat/z.tif", colours(5, 5), **SEVERAL),
    "an animated WebP": lambda path: put(path / "cat/z.webp", colours(5, 5), **SEVERAL),
    "an animated PNG": lambda path: put(path / "cat/z.png", colours(5, 5), **SEVERAL),
    "an animation in disguise": lambda path: put(path / "cat/z.gif", colours(5, 5)).rename(path / "cat/z.png"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_image_is_named_or_skipped_aloud(photos, name):
    BROKEN[name](photos)
    with pytest.raises(DataError, match=r"cat.z\.\w+, episode 2, field 'pixels': expected a.*on_error='skip'"):
        list(tc.data.open(photos, size=8))
    with pytest.raises(DataError, match=r"cat.z\.\w+, episode 2"):
        tc.data.open(photos, size=8).clips(1)
    assert [finding.episode for finding in tc.data.check(photos, size=8)] == [2]
    with pytest.warns(UserWarning, match=r"skipped 1 of 6 images in .*cat.z\.\w+: expected a"):
        episodes = tc.data.open(photos, size=8, on_error="skip")
    assert [Path(episodes.file(index)).name for index in range(5)] == ["a.png", "b.JPG", "c.bmp", "e.tif", "d.webp"]
    assert [int(episode.labels["class"][0]) for episode in episodes] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize("kind", ["tif", "webp", "png"])
def test_a_file_of_several_images_says_how_many(tmp_path, kind):
    put(tmp_path / f"a.{kind}", colours(5, 5), **SEVERAL)
    with pytest.raises(DataError, match=r"a.\w+, episode 0, .*it holds 3 images; save each as a file of its own"):
        tc.data.open(tmp_path)


def test_a_jpeg_shows_its_first_image(tmp_path):
    put(tmp_path / "a.jpg", colours(64, 80), format="MPO", quality=95, **SEVERAL)
    assert abs(pixels(tmp_path).astype(int) - colours(64, 80)).mean() < 3


def test_skipping_nothing_is_silent_and_everything_is_refused(tmp_path):
    put(tmp_path / "a.png", colours(5, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(tc.data.open(tmp_path, on_error="skip")) == 1
    (tmp_path / "a.png").write_text("x")
    with pytest.raises(DataError, match="none of the 1 images"):
        tc.data.open(tmp_path, on_error="skip")


def test_images_beside_classes_are_refused(photos):
    put(photos / "loose.png", colours(5, 5))
    with pytest.raises(DataError, match=r"loose.png lies in none of them. Move such images"):
        tc.data.open(photos, size=8)


def test_options_are_checked(photos):
    for options, message in [
        ({"sise": 8}, "Images has no option 'sise'. Did you mean 'size'"),
        ({"size": 0}, "size is a side in pixels"),
        ({"size": "8"}, "Images.size must be"),
        ({"size": (8, 8, 8)}, "Images.size must be"),
        ({"channels": 2}, "channels is 3"),
        ({"on_error": "ignore"}, "on_error is one of 'raise', 'skip'"),
        ({"reader": "image"}, "Did you mean 'images'"),
        ({"reader": Images(size=8), "size": 9}, "give the option 'size' to Images itself"),
    ]:
        with pytest.raises(ConfigError, match=message):
            tc.data.open(photos, **options)
    assert len(tc.data.open(photos, Images(size=8))) == 5
    assert len(tc.data.open(photos, "images", size=[8, 9])) == 5
    with pytest.raises(ConfigError, match="on_error is 'raise' or 'skip'"):
        Images(on_error="ignore")


def test_a_dataset_takes_the_options_of_its_format(photos, tmp_path):
    target = tmp_path.parent / f"{tmp_path.name}-set"
    tc.data.convert(photos, target, "lerobot", size=8)
    with pytest.raises(ConfigError, match="LeRobotReader has no option 'channels'"):
        tc.data.open(target, channels=1)
    assert tc.data.open(target, size=4)[0].observation["pixels"].shape == (1, 3, 4, 4)


def test_a_changed_image_or_option_is_another_dataset(photos):
    first = tc.data.open(photos, size=8)
    before = first.clips(1).batch(0, 0, 5).observation["pixels"]
    assert first.hash() == tc.data.open(photos, size=8).hash()
    assert first.hash() != tc.data.open(photos, size=9).hash()
    put(photos / "cat/a.png", colours(30, 41, 99))
    os.utime(photos / "cat/a.png", (1, 1))
    second = tc.data.open(photos, size=8)
    assert second.hash() != first.hash()
    assert not np.array_equal(second.clips(1).batch(0, 0, 5).observation["pixels"], before)


def test_what_was_read_otherwise_is_not_taken_from_the_cache(photos, monkeypatch):
    tc.data.open(photos, size=8).clips(1).batch(0, 0, 5)
    monkeypatch.setattr(_files, "READING", -1)
    monkeypatch.setattr(images, "_plain", lambda image, _: Image.new("RGB", image.size))
    assert not tc.data.open(photos, size=8).clips(1).batch(0, 0, 5).observation["pixels"].any()


def test_copies_are_found_whatever_they_are_called(tmp_path):
    for number in range(6):
        put(tmp_path / f"here/cat/{number}.png", colours(8, 8, number % 2))
        put(tmp_path / f"here/dog/{number}.png", colours(8, 8, 2))
    put(tmp_path / "there/ape/0.png", colours(8, 8, 5))
    put(tmp_path / "there/cat/copy.png", colours(8, 8, 1))
    put(tmp_path / "there/dog/other.png", colours(8, 8, 1))
    here, there = tc.data.open(tmp_path / "here"), tc.data.open(tmp_path / "there")
    assert len(set(here.digests())) == 3
    left = here.without(here[:1])
    assert [left.file(index)[-9:] for index in range(3)] == ["cat/1.png", "cat/3.png", "cat/5.png"]
    kept = there.without(here)
    names = [Path(kept.file(index)).name for index in range(len(kept))]
    assert names == ["0.png", "other.png"], "a copy under another label is another episode"


def test_a_link_to_a_folder_above_ends(photos):
    (photos / "dog" / "up").symlink_to(photos, target_is_directory=True)
    assert len(tc.data.open(photos, size=8)) == 5


def test_files_of_several_kinds_need_a_word(photos):
    (photos / "labels.csv").write_text("time,x\n0,1\n1,2\n")
    with pytest.raises(DataError, match=r"files for several readers: images, signals. .*reader='images'"):
        tc.data.open(photos, size=8)
    assert len(tc.data.open(photos, reader="images", size=8)) == 5
    with pytest.raises(ConfigError, match="folders of frames, which do not store a frame rate"):
        tc.data.open(photos, reader="videos")

"""Folders of numbered frames are videos, where they are asked for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tacit as tc
from tacit.errors import ConfigError, DataError


def frames(folder: Path, names: list[str], start: int = 0, size: tuple[int, int] = (12, 16)) -> Path:
    """Images whose grey says at which place they come."""
    folder.mkdir(parents=True, exist_ok=True)
    for place, name in enumerate(names):
        Image.fromarray(np.full((*size, 3), start + 10 * place, np.uint8)).save(folder / name)
    return folder


def greys(episode: tc.Episode) -> list[int]:
    return episode.observation["pixels"][:, 0, 0, 0].tolist()


def numbered(count: int, pattern: str = "frame_{}.png") -> list[str]:
    return [pattern.format(number) for number in range(count)]


def opened(path: Path, **options: object) -> tc.data.Episodes:
    return tc.data.open(path, reader="videos", **{"fps": 10.0, **options})


def test_each_folder_is_a_video_in_the_order_of_its_numbers(tmp_path):
    frames(tmp_path / "clip10", numbered(12), start=1)
    frames(tmp_path / "clip9", numbered(5, "{:05}.png"))
    episodes = opened(tmp_path)
    assert episodes.spec == tc.Spec({"pixels": tc.Modality("pixels", (3, 12, 16))}, fps=10.0)
    assert episodes.lengths.tolist() == [5, 12] and episodes.labels == ()
    assert greys(episodes[0]) == [0, 10, 20, 30, 40]
    assert greys(episodes[1]) == [10 * place + 1 for place in range(12)]
    assert episodes.file(1) == str(tmp_path / "clip10")
    assert tc.data.check(tmp_path, reader="videos", fps=10.0) == []
    clip = episodes.clips(3).batch(0, 0, 8).observation["pixels"]
    assert clip.shape == (8, 3, 3, 12, 16) and (clip[:, 1:].float() - clip[:, :-1] == 10).all()


def test_images_stay_images_without_the_word(tmp_path):
    frames(tmp_path / "bear", numbered(3))
    frames(tmp_path / "camel", numbered(3))
    assert len(tc.data.open(tmp_path)) == 6
    with pytest.raises(ConfigError, match=r"do not store a frame rate. Give it, for example fps=30.0"):
        tc.data.open(tmp_path, reader="videos")


def test_the_folders_above_are_classes(tmp_path):
    for kind, name in (("jump", "a"), ("jump", "b"), ("run", "a")):
        frames(tmp_path / kind / name, numbered(2))
    episodes = opened(tmp_path)
    assert [(e.task, int(e.labels["class"][0]), len(e)) for e in episodes] == [
        ("jump", 0, 2),
        ("jump", 0, 2),
        ("run", 1, 2),
    ]
    fixed = opened(tmp_path, classes=("run", "sit", "jump"))
    assert [int(e.labels["class"][0]) for e in fixed] == [2, 2, 0]


def test_one_folder_of_frames_is_one_video(tmp_path):
    frames(tmp_path, numbered(4))
    assert greys(opened(tmp_path)[0]) == [0, 10, 20, 30]
    frames(tmp_path / "other", numbered(4))
    with pytest.raises(DataError, match=r"contains both frames and folders of frames. Move the frames of each video"):
        opened(tmp_path)


def test_frames_of_another_size_are_refused_or_resized(tmp_path):
    frames(tmp_path / "a", numbered(3))
    frames(tmp_path / "b", ["frame_0.png"], size=(20, 16))
    with pytest.raises(
        DataError, match=r"b/frame_0.png, episode 1, .*expected frames of 16 x 12, like the first one; got 16 x 20"
    ):
        opened(tmp_path)[1]
    assert opened(tmp_path, size=8, channels=1)[1].observation["pixels"].shape == (1, 1, 8, 8)


def test_frames_of_two_videos_in_a_folder_are_refused(tmp_path):
    frames(tmp_path / "a", ["rgb_0.png", "rgb_1.png", "depth_0.png"])
    with pytest.raises(DataError, match=r"names differ in their numbers alone; got depth_0.png and rgb_0.png"):
        opened(tmp_path)
    frames(tmp_path / "b", ["left.png"])
    assert len(opened(tmp_path / "b")[0]) == 1
    frames(tmp_path / "c", ["left.png", "right.png"])
    with pytest.raises(DataError, match="names differ in their numbers alone"):
        opened(tmp_path / "c")


def test_frames_that_may_be_missing_are_reported(tmp_path):
    frames(tmp_path / "a", [f"{number}.png" for number in (1, 2, 3, 6, 7)])
    frames(tmp_path / "b", [f"{number}.png" for number in (0, 10, 20)])
    with pytest.warns(
        UserWarning, match=r"frames of 1 of 2 folders .* are not numbered evenly.*a/6.png follows 3.png\.$"
    ):
        assert opened(tmp_path).lengths.tolist() == [5, 3]


def test_broken_frames_are_named_or_their_video_skipped(tmp_path):
    frames(tmp_path / "a", numbered(3))
    frames(tmp_path / "b", numbered(3))
    (tmp_path / "b/frame_1.png").write_bytes(b"half an image")
    with pytest.raises(DataError, match=r"b/frame_1.png, episode 1, field 'pixels': expected a PNG"):
        opened(tmp_path)[1]
    with pytest.warns(UserWarning, match="skipped 1 of 2 folders of frames"):
        assert len(opened(tmp_path, on_error="skip")) == 1
    assert "b/frame_1.png" in str(tc.data.check(tmp_path, reader="videos", fps=10.0)[0])


def test_a_changed_frame_is_another_dataset(tmp_path):
    frames(tmp_path / "a", numbered(3))
    before = opened(tmp_path).hash()
    frames(tmp_path / "a", ["frame_1.png"], start=200)
    assert opened(tmp_path).hash() != before
    tc.data.convert(tmp_path, tmp_path.parent / "stored", "lerobot", reader="videos", fps=10.0)
    assert greys(tc.data.open(tmp_path.parent / "stored")[0]) == [0, 200, 20]

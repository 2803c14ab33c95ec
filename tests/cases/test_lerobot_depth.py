"""A depth camera in a LeRobot dataset is refused by its name, never read with 8 bits, and can be left out."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import tacit as tc
from cases.lerobot_layout import camera, vector, write_lerobot
from tacit.errors import DataError

STEPS = 12
DEPTH = "observation.images.depth"
TOLD = {"info": {"is_depth_map": True, "depth_unit": "mm"}}
LOSSLESS = {
    "codec": "libx265",
    "pixels": "gray12le",
    "source": "gray12le",
    "options": {"x265-params": "lossless=1:log-level=none"},
}


def image_file(depth: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(depth).save(file, kind)
    return file.getvalue()


def write(root: Path, kind: str | None, **told: Any) -> None:
    """Write one episode with depths from 80 cm on, as a 12-bit video or as image files of 16 bits."""
    rng = np.random.default_rng(0)
    frames = [np.full((48, 64), 800 + 5 * step, np.uint16) for step in range(STEPS)]
    values = frames if kind is None else [image_file(frame, kind) for frame in frames]
    numbers = {"observation.state": rng.normal(size=(STEPS, 3)), "action": rng.uniform(-1, 1, (STEPS, 2))}
    features = {"observation.state": vector(3), "action": vector(2)}
    features[DEPTH] = camera("video" if kind is None else "image", 48, 64, 1, **told)
    write_lerobot(root, features, [{**numbers, DEPTH: values}], videos={DEPTH: LOSSLESS})


@pytest.mark.parametrize("kind", [None, "PNG", "TIFF"])
@pytest.mark.parametrize(
    "told", [TOLD, {"info": {"video.is_depth_map": True}}, {"info": {"video.pix_fmt": "gray12le"}}]
)
def test_marked_depths_are_refused_unless_they_are_skipped(tmp_path, kind, told):
    write(tmp_path / "set", kind, **told)
    with pytest.raises(DataError, match=rf"'{DEPTH}'.*depth camera.*skip='{DEPTH}'"):
        tc.data.open(tmp_path / "set")
    assert set(tc.data.open(tmp_path / "set", skip=DEPTH)[0].observation) == {"state"}


@pytest.mark.parametrize("kind", [None, "PNG"])
def test_depths_that_are_not_marked_are_refused_when_they_are_decoded(tmp_path, kind):
    write(tmp_path / "set", kind)
    with pytest.raises(DataError, match=r"'depth': expected images of 8 bits; got grey of 1[26] bits"):
        tc.data.open(tmp_path / "set")[0]


@pytest.mark.parametrize("told", [TOLD, {}])
def test_depths_in_image_files_are_read_over_a_range(tmp_path, told):
    write(tmp_path / "set", "PNG", **told)
    episode = tc.data.open(tmp_path / "set", depth=(0.8, 1.054))[0]  # a grey level for each millimetre
    assert episode.observation["depth"].shape == (STEPS, 1, 48, 64)
    assert episode.observation["depth"][:, 0, 5, 6].tolist() == [1 + 5 * step for step in range(STEPS)]
    assert tc.data.check(tmp_path / "set", depth=(0.8, 1.054)) == []
    near = tc.data.open(tmp_path / "set", depth=(0.825, 1.079))[0].observation["depth"][:, 0, 5, 6]
    assert near.tolist() == [max(1, 1 + 5 * step - 25) for step in range(STEPS)]


def test_depths_of_videos_and_of_other_units_are_refused(tmp_path):
    write(tmp_path / "video", None, **TOLD)
    with pytest.raises(DataError, match=rf"'{DEPTH}': it is a video of depths.*skip='{DEPTH}'"):
        tc.data.open(tmp_path / "video", depth=(0.3, 3))
    write(tmp_path / "feet", "PNG", info={"is_depth_map": True, "depth_unit": "ft"})
    with pytest.raises(DataError, match="expected depths in 'mm'; got 'ft'"):
        tc.data.open(tmp_path / "feet", depth=(0.3, 3))

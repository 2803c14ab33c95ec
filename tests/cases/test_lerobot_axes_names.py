"""The axes of a camera are named by a list, by a mapping, in another order, or not at all."""

import json

import numpy as np
import pytest

import tacit as tc
from cases.lerobot_layout import vector, write_lerobot
from tacit.errors import DataError

STEPS = 6
CAMERA = "observation.images.wrist_cam"


def write(root, shape, names):
    rng = np.random.default_rng(0)
    features = {
        CAMERA: {"dtype": "video", "shape": shape, "names": names},
        "observation.state": {"dtype": "float32", "shape": [6], "names": {"axes": list("abcdef")}},
        "action": vector(6),
    }
    episode = {
        CAMERA: list(rng.integers(0, 255, (STEPS, 48, 64, 3), dtype=np.uint8)),
        "observation.state": rng.normal(size=(STEPS, 6)),
        "action": rng.uniform(-1, 1, (STEPS, 6)),
    }
    write_lerobot(root, features, [episode])


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ([48, 64, 3], {"axes": ["height", "width", "channels"]}),
        ([48, 64, 3], ["height", "width", "channel"]),
        ([48, 64, 3], None),
        ([48, 64, 3], ["a", "b"]),
        ([48, 64, 3], {"motors": {"x": 1}}),
        ([3, 48, 64], ["channels", "height", "width"]),
        ([3, 48, 64], None),
        ([64, 48, 3], {"axes": ["width", "height", "channels"]}),
    ],
)
def test_frames_have_their_shape(tmp_path, shape, names):
    write(tmp_path / "set", shape, names)
    assert tc.data.open(tmp_path / "set")[0].observation["wrist_cam"].shape == (STEPS, 3, 48, 64)


@pytest.mark.parametrize("shape", [[48, 64, 4], [48], [48, 64, 3, 1], [0, 64, 3]])
def test_other_axes_are_refused_by_name(tmp_path, shape):
    write(tmp_path / "set", shape, None)
    with pytest.raises(DataError, match=rf"'{CAMERA}': expected images of 1 or 3 channels.*skip='{CAMERA}'"):
        tc.data.open(tmp_path / "set")


@pytest.mark.parametrize(
    "feature", [7, [], {"dtype": "float32"}, {"dtype": 3, "shape": [1]}, {"dtype": "int8", "shape": ["1"]}]
)
def test_what_is_no_feature_is_refused_by_name(tmp_path, feature):
    write(tmp_path / "set", [48, 64, 3], None)
    info = json.loads((tmp_path / "set/meta/info.json").read_text())
    info["features"]["observation.odd"] = feature
    (tmp_path / "set/meta/info.json").write_text(json.dumps(info))
    with pytest.raises(DataError, match=r"'observation.odd': expected a feature such as"):
        tc.data.open(tmp_path / "set")

"""A camera and a vector whose names end alike are both read."""

import numpy as np
import pytest

import tacit as tc
from cases.lerobot_layout import camera, vector, write_lerobot
from tacit.errors import ConfigError

STEPS = 12


@pytest.mark.parametrize(
    ("one", "two", "names"),
    [
        ("images.wrist", "wrist", {"images_wrist": "pixels", "wrist": "vector"}),
        ("state", "images.state", {"images_state": "pixels", "state": "vector"}),
    ],
)
def test_both_are_there(tmp_path, one, two, names):
    rng = np.random.default_rng(0)
    frames = list(rng.integers(0, 255, (STEPS, 48, 64, 3), dtype=np.uint8))
    features, episode = {"action": vector(2)}, {"action": rng.uniform(-1, 1, (STEPS, 2))}
    for key in (f"observation.{one}", f"observation.{two}"):
        seen = "images" in key
        features[key] = camera("video", 48, 64) if seen else vector(6)
        episode[key] = frames if seen else rng.normal(size=(STEPS, 6))
    write_lerobot(tmp_path / "set", features, [episode])
    episodes = tc.data.open(tmp_path / "set")
    assert {name: modality.kind for name, modality in episodes.spec.modalities.items()} == names
    assert {name: value.shape for name, value in episodes[0].observation.items()} == {
        name: (STEPS, 3, 48, 64) if kind == "pixels" else (STEPS, 6) for name, kind in names.items()
    }
    tc.models.WorldModel.for_spec(episodes.spec)


def test_names_that_stay_alike_are_refused(tmp_path):
    values = np.random.default_rng(0).normal(size=(STEPS, 2))
    keys = ("observation.a.b", "observation.a_b", "action")
    write_lerobot(tmp_path / "set", {key: vector(2) for key in keys}, [dict.fromkeys(keys, values)])
    with pytest.raises(
        ConfigError, match=r"'observation.a.b' and 'observation.a_b' would both .* skip='observation.a.b'"
    ):
        tc.data.open(tmp_path / "set")

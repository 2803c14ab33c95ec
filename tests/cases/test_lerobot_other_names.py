"""Actions and observations of LeRobot datasets under the names that other recorders give them."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tacit as tc
from cases.lerobot_layout import camera, vector, write_lerobot
from tacit.errors import ConfigError, DataError

STEPS = 12


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((16, 16, 3), 10, np.uint8)).save(file, "PNG")
    return file.getvalue()


def write(root: Path, **sizes: int | str) -> None:
    """Write two episodes with numbers of these sizes under these names; a camera or text where the size is a word."""
    rng = np.random.default_rng(0)
    features, episode = {}, {}
    for key, size in ((key.replace("__", "."), size) for key, size in sizes.items()):
        if size == "image":
            features[key], episode[key] = camera("image", 16, 16), [png()] * STEPS
        elif size == "string":
            features[key] = {"dtype": "string", "shape": [1], "names": None}
            episode[key] = ["pick it up"] * STEPS
        else:
            features[key], episode[key] = vector(int(size)), rng.uniform(-1, 1, (STEPS, int(size)))
    write_lerobot(root, features, [episode] * 2)


def test_pi0_names_are_recognised(tmp_path):
    write(tmp_path / "set", image="image", state=8, actions=7)
    episodes = tc.data.open(tmp_path / "set")
    assert episodes.spec.action.size == 7
    assert {name: modality.kind for name, modality in episodes.spec.modalities.items()} == {
        "image": "pixels",
        "state": "vector",
    }
    assert episodes.labels == ()
    assert episodes[0].action.shape == (STEPS - 1, 7)


def test_robomimic_and_agibot_names_are_recognised(tmp_path):
    write(tmp_path / "robomimic", obs__robot0_eef_pos=3, actions=7)
    write(tmp_path / "agibot", observation__states__joint__position=14, actions__joint__position=14)
    robomimic, agibot = tc.data.open(tmp_path / "robomimic"), tc.data.open(tmp_path / "agibot")
    assert (set(robomimic.spec.modalities), robomimic.spec.action.size) == ({"robot0_eef_pos"}, 7)
    assert (set(agibot.spec.modalities), agibot.spec.action.size) == ({"states_joint_position"}, 14)
    assert agibot[1].observation["states_joint_position"].shape == (STEPS, 14)
    tc.models.WorldModel.for_spec(agibot.spec)  # the names fit a model


def test_every_feature_is_used_or_named_in_one_warning(tmp_path):
    write(tmp_path / "set", observation__state=3, actions__arm=2, actions__hand=1, force=4, text="string")
    with pytest.warns(UserWarning, match="action is made of") as caught:
        episodes = tc.data.open(tmp_path / "set")
    (warning,) = caught
    text = str(warning.message)
    assert "action is made of actions.arm [2], actions.hand [1], in this order" in text
    assert "labels, which no model sees: force" in text
    assert "not read: text (string)" in text
    assert "skip=" in text
    assert episodes.labels == ("force",)
    rows = np.concatenate([episodes[0].action, episodes[0].final_action[None]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = tc.data.open(
            tmp_path / "set",
            action=["actions.hand", "actions.arm"],
            observation=["observation.*", "force"],
            skip="text",
            strip="observation.",
        )
    assert set(chosen.spec.modalities) == {"state", "force"}
    np.testing.assert_array_equal(chosen[0].action, rows[:-1, [2, 0, 1]])
    assert chosen.spec.action.low == tuple(episodes.spec.action.low[i] for i in (2, 0, 1))


def test_whole_numbers_as_actions_are_named(tmp_path):
    rng = np.random.default_rng(0)
    features = {"observation.state": vector(2), "action": vector(1, "int64")}
    episode = {"observation.state": rng.normal(size=(STEPS, 2)), "action": rng.integers(0, 4, (STEPS, 1))}
    write_lerobot(tmp_path / "set", features, [episode])
    with pytest.warns(UserWarning, match="whole numbers of action are read as a continuous action"):
        episodes = tc.data.open(tmp_path / "set")
    assert tc.data.open(tmp_path / "set", action="action").spec == episodes.spec


def test_options_that_fit_no_feature_or_each_other_are_refused(tmp_path):
    write(tmp_path / "set", observation__state=3, action=2, observation__note="string")
    path = tmp_path / "set"
    with pytest.raises(ConfigError, match=r"skip= names 'observation.stat'.*Did you mean 'observation.state'"):
        tc.data.open(path, skip="observation.stat")
    with pytest.raises(ConfigError, match=r"'action' is named in both skip= and action="):
        tc.data.open(path, action="action", skip="action")
    with pytest.raises(DataError, match=r"expected numbers or images; got dtype 'string'. Leave .*skip="):
        tc.data.open(path, observation="observation.*")
    with pytest.raises(DataError, match=r"no feature is an observation; it has observation.state, action"):
        tc.data.open(path, skip="observation.*")
    with pytest.raises(ConfigError, match=r"no option 'actions'. Did you mean 'action'"):
        tc.data.open(path, actions="action")
    unacted = tc.data.open(path, skip=["action", "observation.note"])
    assert unacted.spec.action.size == 0


def test_the_choice_belongs_to_the_identity_of_the_episodes(tmp_path):
    write(tmp_path / "set", observation__state=3, observation__force=3, action=2)
    path = tmp_path / "set"
    whole, part = tc.data.open(path), tc.data.open(path, skip="observation.force")
    assert len({whole.hash(), part.hash(), tc.data.open(path, action=(), label="action").hash()}) == 3
    assert set(part.clips(3).batch(0, 0, 2).observation) == {"state"}
    assert set(whole.clips(3).batch(0, 0, 2).observation) == {"state", "force"}

"""HDF5 files of robomimic, ALOHA, Minari and D4RL, read as they were written."""

import re
import shutil
import warnings
from pathlib import Path

import gymnasium as gym
import h5py
import numpy as np
import pytest

import tacit as tc
from data import robot_files
from tacit.errors import ConfigError, DataError

CLOCKLESS = "ignore:.*does not say how many steps a second"


def test_robomimic_is_read_exactly(tmp_path: Path) -> None:
    demos = robot_files.robomimic(tmp_path / "low_dim.hdf5", (5, 7, *[3] * 9))
    episodes = tc.data.open(tmp_path / "low_dim.hdf5")
    assert list(episodes.spec.modalities) == ["agentview_image", "robot0_eef_pos", "robot0_gripper_qpos"]
    assert episodes.spec.modalities["agentview_image"].shape == (3, 12, 16)
    assert episodes.spec.fps == 20
    assert episodes.labels == ("next.done", "next.reward", "states")
    assert episodes.lengths.tolist() == [5, 7, *[3] * 9]  # demo_10 is the last
    for arrays, episode in zip(demos, episodes, strict=True):
        image = np.moveaxis(arrays["obs/agentview_image"], -1, 1)
        np.testing.assert_array_equal(episode.observation["agentview_image"], image)
        pose = arrays["obs/robot0_eef_pos"].astype(np.float32)
        np.testing.assert_array_equal(episode.observation["robot0_eef_pos"], pose)
        actions = arrays["actions"].astype(np.float32)
        np.testing.assert_array_equal(episode.action, actions[:-1])
        np.testing.assert_array_equal(episode.final_action, actions[-1])
        np.testing.assert_array_equal(episode.reward, arrays["rewards"])
        assert episode.terminated
        assert episode.task == "Lift"
        assert episode.group == ""
    low = np.concatenate([arrays["actions"] for arrays in demos]).astype(np.float32).min(axis=0)
    assert episodes.spec.action == tc.Box(tuple(low.tolist()), episodes.spec.action.high)
    assert tc.data.info(tmp_path / "low_dim.hdf5").format == "robomimic"
    assert tc.data.check(tmp_path / "low_dim.hdf5") == []


def test_options_choose_arrays_by_their_names_in_the_file(tmp_path: Path) -> None:
    demos = robot_files.robomimic(tmp_path / "a.hdf5")
    chosen = tc.data.open(
        tmp_path / "a.hdf5",
        observation=["obs/robot0_*", "states"],
        skip=("rewards", "obs/*_image"),
        action=("actions", "dones"),
        fps=5,
        kind="velocity",
    )
    assert list(chosen.spec.modalities) == ["robot0_eef_pos", "robot0_gripper_qpos", "states"]
    assert (chosen.spec.fps, chosen.spec.action.size, chosen.spec.action.kind) == (5, 8, "velocity")
    np.testing.assert_array_equal(chosen[1].action[:, 7], demos[1]["dones"][:-1])
    assert "next.reward" not in chosen.labels
    with pytest.raises(ConfigError, match=r"skip= names 'obs/robot0_eef_poss'.* Did you mean 'obs/robot0_eef_pos'"):
        tc.data.open(tmp_path / "a.hdf5", skip="obs/robot0_eef_poss")
    small = tc.data.open(tmp_path / "a.hdf5", size=(6, 8))
    assert small[0].observation["agentview_image"].shape == (5, 3, 6, 8)
    assert small.spec.modalities["agentview_image"].source == (12, 16)


def test_several_files_of_robomimic_are_one_dataset(tmp_path: Path) -> None:
    demos = [*robot_files.robomimic(tmp_path / "a.hdf5"), *robot_files.robomimic(tmp_path / "b.hdf5", (4,))]
    episodes = tc.data.open(tmp_path)
    assert len(episodes) == 3
    np.testing.assert_array_equal(episodes[2].action, demos[2]["actions"][:-1].astype(np.float32))
    assert episodes.file(2).endswith("b.hdf5")


@pytest.mark.parametrize("compressed", [False, True])
def test_aloha_is_read_exactly(tmp_path: Path, compressed: bool) -> None:
    written = robot_files.aloha(tmp_path / "set", (5, 6), compressed=compressed)
    episodes = tc.data.open(tmp_path / "set")
    assert set(episodes.spec.modalities) == {"qpos", "qvel", "top"}
    assert episodes.spec.fps == 50
    for arrays, episode in zip(written, episodes, strict=True):
        came, expected = episode.observation["top"], np.moveaxis(arrays["observations/images/top"], -1, 1)
        assert np.abs(came.astype(int) - expected).max() <= (3 if compressed else 0)
        np.testing.assert_array_equal(episode.observation["qpos"], arrays["observations/qpos"].astype(np.float32))
        np.testing.assert_array_equal(episode.action, arrays["action"][:-1].astype(np.float32))
    alone = tc.data.open(tmp_path / "set/episode_1.hdf5")
    assert alone.lengths.tolist() == [6]
    assert tc.data.check(tmp_path / "set") == []
    clip = episodes.clips(2).batch(seed=0, step=0, size=2)
    assert clip.observation["top"].shape == (2, 2, 3, 12, 16)


@pytest.mark.filterwarnings(CLOCKLESS)
def test_d4rl_is_cut_into_its_episodes(tmp_path: Path) -> None:
    arrays = robot_files.d4rl(tmp_path / "hopper.hdf5")
    episodes = tc.data.open(tmp_path / "hopper.hdf5")
    assert episodes.lengths.tolist() == [4, 3, 2]
    assert [episode.terminated for episode in episodes] == [True, False, False]
    assert set(episodes.labels) == {"infos_qpos", "next.reward"}
    np.testing.assert_array_equal(episodes[1].observation["state"], arrays["observations"][4:7])
    np.testing.assert_array_equal(episodes[1].action, arrays["actions"][4:6])
    np.testing.assert_array_equal(episodes[1].final_action, arrays["actions"][6])
    np.testing.assert_array_equal(episodes[2].reward, arrays["rewards"][7:])
    np.testing.assert_array_equal(episodes[0].labels["infos_qpos"], arrays["infos/qpos"][:4])


def test_a_file_without_a_clock_says_so(tmp_path: Path) -> None:
    robot_files.d4rl(tmp_path / "hopper.hdf5")
    with pytest.warns(UserWarning, match=r"how many steps a second it has; 10 are assumed. Give it: fps="):
        assert tc.data.open(tmp_path / "hopper.hdf5").spec.fps == 10
    assert tc.data.open(tmp_path / "hopper.hdf5", fps=125).spec.fps == 125


def test_short_episodes_are_counted_and_left_out(tmp_path: Path) -> None:
    robot_files.d4rl(tmp_path / "a.hdf5", terminals=np.isin(np.arange(9), (3, 4, 7)))
    with pytest.warns(UserWarning, match=r"left out 3 of 5 episodes in .*: a.hdf5 from row 4 \(1\)"):
        assert tc.data.open(tmp_path / "a.hdf5", fps=50).lengths.tolist() == [4, 2]
    robot_files.robomimic(tmp_path / "b.hdf5", (1, 4, 0))
    with pytest.warns(UserWarning, match=r"left out 2 of 3 episodes .*: data/demo_0 \(1\), data/demo_2 \(0\) steps"):
        assert tc.data.open(tmp_path / "b.hdf5").lengths.tolist() == [4]
    robot_files.robomimic(tmp_path / "c.hdf5", (1,))
    with pytest.raises(DataError, match=r"expected an episode of two observations.*only data/demo_0 \(1\)"):
        tc.data.open(tmp_path / "c.hdf5")


SPACES = gym.spaces.Dict(
    {"image": gym.spaces.Box(0, 255, (40, 40, 3), np.uint8), "joints": gym.spaces.Box(-9, 9, (3,), np.float64)}
)


def test_a_dataset_of_minari_is_read_exactly(tmp_path: Path) -> None:
    action = gym.spaces.Box(-2, 2, (2,), np.float32)
    written = [robot_files.steps(0, 4, image=True), robot_files.steps(1, 6, image=True)]
    path = robot_files.minari(tmp_path, "arm/push-v0", (SPACES, action), written)
    episodes = tc.data.open(path, fps=25)
    assert episodes.spec.modalities["image"].shape == (3, 40, 40)
    assert episodes.spec.action == tc.Box((-2.0, -2.0), (2.0, 2.0))
    for number, (given, episode) in enumerate(zip(written, episodes, strict=True)):
        length = len(given["rewards"])  # type: ignore[arg-type]
        assert len(episode) == length + 1
        np.testing.assert_array_equal(episode.observation["joints"], np.float32(given["observations"]["joints"]))  # type: ignore[index]
        image = np.moveaxis(np.stack(given["observations"]["image"]), -1, 1)  # type: ignore[index]
        assert np.abs(episode.observation["image"].astype(int) - image).max() <= 3
        np.testing.assert_array_equal(episode.action, given["actions"])
        assert episode.final_action is None
        np.testing.assert_array_equal(episode.reward, [*given["rewards"], 0.0])  # type: ignore[misc]
        assert episode.terminated == (number == 0)
        assert episode.success.tolist() == ([False, False, False, True, True] if number == 0 else [False] * 7)
        assert episode.seed == 10 + number
    assert tc.data.info(path, fps=25).format == "minari"
    assert tc.data.check(path, fps=25) == []


def test_discrete_actions_of_minari_are_one_hot(tmp_path: Path) -> None:
    choices = [{**robot_files.steps(seed, 4), "actions": [np.int64(k % 3) for k in range(4)]} for seed in (0, 1)]
    spaces = gym.spaces.Box(-9, 9, (3,), np.float64), gym.spaces.Discrete(3)
    episodes = tc.data.open(robot_files.minari(tmp_path, "cart-v0", spaces, choices), fps=25)
    assert episodes.spec.action == tc.Discrete(3)
    assert list(episodes.spec.modalities) == ["state"]
    np.testing.assert_array_equal(episodes[0].action, np.eye(3)[[0, 1, 2, 0]])


def test_a_damaged_dataset_of_minari_names_what_is_wrong(tmp_path: Path) -> None:
    spaces = gym.spaces.Box(-9, 9, (3,), np.float64), gym.spaces.Box(-2, 2, (2,), np.float32)
    path = robot_files.minari(tmp_path, "arm-v0", spaces, [robot_files.steps(0, 4), robot_files.steps(1, 4)])
    about = path / "data/metadata.json"
    text = about.read_text()
    about.write_text(text.replace('"hdf5"', '"arrow"'))
    with pytest.raises(DataError, match="field 'data_format': expected 'hdf5'; got 'arrow'"):
        tc.data.open(path)
    about.write_text(text.replace('"total_episodes": 2', '"total_episodes": 3'))
    with pytest.raises(DataError, match=r"expected the 3 episodes of metadata.json; there are 2"):
        tc.data.open(path)
    about.unlink()
    with pytest.raises(DataError, match=r"metadata.json.*cannot be read"):
        tc.data.open(path)


@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, part: float) -> None:
    file = tmp_path / "a.hdf5"
    robot_files.robomimic(file)
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    with pytest.raises(DataError, match=re.escape(str(file)) + ".*truncated or damaged"):
        tc.data.open(file, reader="robomimic")
    with pytest.raises(DataError, match=re.escape(str(file))):
        tc.data.open(file)


def change(file: Path, name: str, values: object) -> None:
    with h5py.File(file, "a") as handle:
        del handle[name]
        if values is not None:
            handle[name] = values


def test_what_differs_between_episodes_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.hdf5"
    robot_files.robomimic(file)
    change(file, "data/demo_1/obs/robot0_eef_pos", np.zeros((7, 4)))
    with pytest.raises(DataError, match=r"episode 1, field 'obs/robot0_eef_pos': expected float64 of \[3\].*\[4\]"):
        tc.data.open(file)
    change(file, "data/demo_1/obs/robot0_eef_pos", None)
    with pytest.raises(DataError, match=r"episode 1, field 'obs/robot0_eef_pos': expected .*; got nothing"):
        tc.data.open(file)
    robot_files.robomimic(file)
    change(file, "data/demo_1/actions", None)
    with pytest.raises(DataError, match=r"a.hdf5.*actions"):
        tc.data.open(file)


def test_bad_rows_are_findings_of_a_check(tmp_path: Path) -> None:
    file = tmp_path / "a.hdf5"
    demos = robot_files.robomimic(file)
    pose, action = demos[1]["obs/robot0_eef_pos"], demos[0]["actions"]
    pose[3:5, 1] = np.nan
    action[2, 0] = np.nan
    change(file, "data/demo_1/obs/robot0_eef_pos", pose)
    change(file, "data/demo_0/actions", action)
    change(file, "data/demo_1/obs/agentview_image", demos[1]["obs/agentview_image"][:4])
    findings = {(found.episode, found.field): found.problem for found in tc.data.check(file)}
    assert "got NaN, first in row 3" in findings[1, "robot0_eef_pos"]
    assert "got NaN, first in row 2" in findings[0, "action"]
    assert "expected 7 rows, one for each observation; got 4" in findings[1, "agentview_image"]
    assert len(findings) == 3


def test_links_into_other_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.hdf5"
    robot_files.robomimic(file)
    shutil.copy(file, tmp_path / "b.h5")
    with h5py.File(file, "a") as handle:
        del handle["data/demo_1/obs/robot0_eef_pos"]
        handle["data/demo_1/obs/robot0_eef_pos"] = h5py.ExternalLink(tmp_path / "b.h5", "data/demo_1/states")
    with pytest.raises(DataError, match="is a link into another file"):
        tc.data.open(file)


def test_an_array_that_no_bytes_explain_is_not_allocated(tmp_path: Path) -> None:
    file = tmp_path / "a.hdf5"
    robot_files.robomimic(file)
    with h5py.File(file, "a") as handle:
        del handle["data/demo_1/states"]
        handle.create_dataset("data/demo_1/states", (2**40, 9), np.float64, chunks=(1000, 9))
    with pytest.raises(DataError, match="the numbers of /data/demo_1/states"):
        tc.data.open(file)


def test_d4rl_arrays_of_other_lengths_are_refused(tmp_path: Path) -> None:
    robot_files.d4rl(tmp_path / "a.hdf5", rewards=np.zeros(8))
    with pytest.raises(DataError, match="field 'rewards': expected 9 rows, as 'observations' has; got 8"):
        tc.data.open(tmp_path / "a.hdf5")


def test_depth_is_read_over_a_range(tmp_path: Path) -> None:
    file = tmp_path / "a.hdf5"
    robot_files.robomimic(file)
    depth = np.full((7, 12, 16, 1), 1500, np.uint16)
    depth[0, 0, :6, 0] = 0, 400, 500, 1000, 2500, 9000  # millimetres
    with h5py.File(file, "a") as handle:
        handle["data/demo_0/obs/depth"], handle["data/demo_1/obs/depth"] = depth[:5], depth
    with pytest.raises(DataError, match=r"'obs/depth': it is a depth camera.*skip='obs/depth'.*depth=\(0.3, 3\)"):
        tc.data.open(file)
    episode = tc.data.open(file, depth=(0.5, 2.5))[0]
    image = episode.observation["depth"]
    assert image.shape == (5, 1, 12, 16)
    assert image[0, 0, 0, :6].tolist() == [0, 1, 1, 64, 255, 255]  # 0: no measurement; 64 = 1 + 254 / 4, rounded
    assert (image[1] == 128).all()
    with pytest.raises(ConfigError, match="depth is the range"):
        tc.data.open(file, depth=(2, 1))


def test_images_of_floats_become_bytes(tmp_path: Path) -> None:
    file = tmp_path / "a.hdf5"
    demos = robot_files.robomimic(file)
    for number, unit in ((0, 255), (1, 1)):
        change(
            file,
            f"data/demo_{number}/obs/agentview_image",
            demos[number]["obs/agentview_image"] * np.float32(unit / 255),
        )
    for arrays, episode in zip(demos, tc.data.open(file), strict=True):
        expected = np.moveaxis(arrays["obs/agentview_image"], -1, 1)
        np.testing.assert_array_equal(episode.observation["agentview_image"], expected)
    change(file, "data/demo_1/obs/agentview_image", -np.ones((7, 12, 16, 3), np.float32))
    with pytest.raises(DataError, match=r"episode 1, field 'agentview_image'.*row 0"):
        tc.data.open(file)[1]


def test_a_conversion_keeps_everything(tmp_path: Path) -> None:
    robot_files.robomimic(tmp_path / "a.hdf5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tc.data.convert(tmp_path / "a.hdf5", tmp_path / "set", "lerobot")
    before, after = tc.data.open(tmp_path / "a.hdf5"), tc.data.open(tmp_path / "set")
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one.observation["agentview_image"], other.observation["agentview_image"])
        np.testing.assert_array_equal(one.action, other.action)
        np.testing.assert_array_equal(one.reward, other.reward)
        assert one.terminated == other.terminated

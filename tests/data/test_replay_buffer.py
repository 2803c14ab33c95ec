"""Replay buffers in zarr, read as the package zarr wrote them."""

import json
import pickle
import re
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr

import tacit as tc
from data import robot_files
from tacit.errors import DataError


@pytest.mark.parametrize("name", ["replay_buffer.zarr", "replay_buffer.zarr.zip"])
@pytest.mark.parametrize("version", [2, 3])
def test_a_replay_buffer_is_read_exactly(tmp_path: Path, name: str, version: int) -> None:
    arrays = robot_files.replay_buffer(tmp_path / name, version)
    episodes = tc.data.open(tmp_path / name, fps=10)
    assert set(episodes.spec.modalities) == {"pixels", "camera0_rgb", "state", "robot0_eef_pos"}
    assert episodes.lengths.tolist() == [4, 5, 3]
    for episode, start, stop in zip(episodes, (0, 4, 9), robot_files.ENDS, strict=True):
        for modality, key in (("pixels", "img"), ("camera0_rgb", "camera0_rgb")):
            np.testing.assert_array_equal(episode.observation[modality], np.moveaxis(arrays[key][start:stop], -1, 1))
        np.testing.assert_array_equal(episode.observation["robot0_eef_pos"], arrays["robot0_eef_pos"][start:stop])
        np.testing.assert_array_equal(episode.action, arrays["action"][start : stop - 1])
        np.testing.assert_array_equal(episode.final_action, arrays["action"][stop - 1])
        assert episode.group == ""
    assert episodes.spec.action.high == tuple(arrays["action"].max(axis=0).tolist())
    assert tc.data.info(tmp_path / name, fps=10).format == "replay_buffer"
    assert tc.data.check(tmp_path / name, fps=10) == []
    clip = episodes.clips(2, modalities=("pixels",)).batch(seed=0, step=0, size=2)
    assert clip.observation["pixels"].shape == (2, 2, 3, 12, 16)


def test_arrays_of_unknown_names_are_labels_and_a_warning_names_them(tmp_path: Path) -> None:
    robot_files.replay_buffer(tmp_path / "a.zarr", keypoint=np.zeros((12, 9, 2), np.float32))
    with pytest.warns(UserWarning, match="read as labels, which no model sees: keypoint"):
        episodes = tc.data.open(tmp_path / "a.zarr", fps=10)
    assert episodes[0].labels["keypoint"].shape == (4, 9, 2)
    chosen = tc.data.open(
        tmp_path / "a.zarr", fps=10, observation="keypoint", skip=["img", "camera*", "state", "robot*"]
    )
    assert chosen[0].observation["keypoint"].shape == (4, 18)


def test_poses_can_be_the_actions_of_umi(tmp_path: Path) -> None:
    arrays = robot_files.replay_buffer(tmp_path / "a.zarr", action=None)
    assert tc.data.open(tmp_path / "a.zarr", fps=10).spec.action.size == 0
    episodes = tc.data.open(tmp_path / "a.zarr", fps=10, action=("robot0_eef_pos", "state"))
    expected = np.concatenate([arrays["robot0_eef_pos"], arrays["state"]], axis=1)[4:8]
    np.testing.assert_array_equal(episodes[1].action, expected)


def test_the_rate_is_that_of_the_times(tmp_path: Path) -> None:
    times = np.concatenate([np.arange(4), 50 + np.arange(5), np.arange(3)]) / 20 + 1.7e9
    robot_files.replay_buffer(tmp_path / "a.zarr", timestamp=times)
    episodes = tc.data.open(tmp_path / "a.zarr")
    assert episodes.spec.fps == 20
    assert episodes.labels == ()
    back = times.copy()
    back[6] = back[5] - 1
    robot_files.replay_buffer(tmp_path / "b.zarr", timestamp=back)
    with pytest.raises(DataError, match="episode 1, field 'data/timestamp': row 6 is not later than the row before"):
        tc.data.open(tmp_path / "b.zarr")
    assert tc.data.open(tmp_path / "b.zarr", fps=20).spec.fps == 20
    mixed = np.concatenate([np.arange(4) / 20, np.arange(5) / 30, np.arange(3) / 20])
    robot_files.replay_buffer(tmp_path / "c.zarr", timestamp=mixed)
    with pytest.raises(DataError, match=r"episode 1, .*expected 20 steps a second, like the first episode; got 30"):
        tc.data.open(tmp_path / "c.zarr")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"episode_ends": np.array([4, 3, 12])}, r"episode 1, field 'meta/episode_ends': expected an end from row 4"),
        ({"state": np.zeros((11, 5), np.float32)}, r"field 'data/state': expected 12 rows.*got shape \(11, 5\)"),
        ({"episode_ends": np.array([4.5, 12])}, "field 'meta/episode_ends': expected whole numbers; got float64"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    robot_files.replay_buffer(tmp_path / "a.zarr", **changes)
    with pytest.raises(DataError, match=problem):
        tc.data.open(tmp_path / "a.zarr", fps=10)


def test_empty_episodes_are_counted(tmp_path: Path) -> None:
    robot_files.replay_buffer(tmp_path / "a.zarr", episode_ends=np.array([4, 4, 11, 12]))
    with pytest.warns(UserWarning, match=r"left out 2 of 4 episodes .*from row 4 \(0\), a.zarr from row 11 \(1\)"):
        assert tc.data.open(tmp_path / "a.zarr", fps=10).lengths.tolist() == [4, 7]


def test_a_run_of_nan_is_a_finding(tmp_path: Path) -> None:
    state = np.zeros((12, 5), np.float32)
    state[6:8] = np.nan
    robot_files.replay_buffer(tmp_path / "a.zarr", state=state)
    (finding,) = tc.data.check(tmp_path / "a.zarr", fps=10)
    assert (finding.episode, finding.field) == (1, "state")
    assert "first in row 2" in finding.problem


@pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
def test_a_truncated_zip_is_refused(tmp_path: Path, part: float) -> None:
    file = tmp_path / "a.zarr.zip"
    robot_files.replay_buffer(file)
    file.write_bytes(file.read_bytes()[: int(part * file.stat().st_size)])
    with pytest.raises(DataError, match=re.escape(str(file)) + ".*truncated or damaged"):
        tc.data.open(file)


def test_a_damaged_chunk_is_named(tmp_path: Path) -> None:
    robot_files.replay_buffer(tmp_path / "a.zarr")
    chunk = tmp_path / "a.zarr/data/camera0_rgb/1.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:100])
    assert {(f.episode, f.field) for f in tc.data.check(tmp_path / "a.zarr", fps=10)} >= {(1, "camera0_rgb")}
    chunk.unlink()
    with pytest.warns(UserWarning, match="1 of 3 chunks of data/camera0_rgb are not stored, and are read as 0"):
        tc.data.open(tmp_path / "a.zarr", fps=10)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("import pathlib; pathlib.Path('exploded').touch()",))


def test_a_codec_that_runs_code_is_never_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    robot_files.replay_buffer(tmp_path / "a.zarr")
    place = tmp_path / "a.zarr/data/state/.zarray"
    about = json.loads(place.read_text())
    place.write_text(json.dumps(about | {"compressor": {"id": "pickle", "protocol": 5}}))
    for chunk in place.parent.glob("*.*"):
        if chunk.name[0] != ".":
            chunk.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"a.zarr"):
        tc.data.open(tmp_path / "a.zarr", fps=10)
    place.write_text(json.dumps(about | {"dtype": "|O", "fill_value": None, "filters": [{"id": "pickle"}]}))
    with pytest.raises(DataError, match=r"a.zarr"):
        tc.data.open(tmp_path / "a.zarr", fps=10)
    assert not Path("exploded").exists()
    place.write_text(json.dumps(about | {"filters": [{"id": "categorize", "labels": ["a"], "dtype": "<U1"}]}))
    with pytest.raises(DataError, match="'data/state' is coded with 'categorize'; expected one of"):
        tc.data.open(tmp_path / "a.zarr", fps=10)


def test_an_array_that_no_bytes_explain_is_not_allocated(tmp_path: Path) -> None:
    robot_files.replay_buffer(tmp_path / "a.zarr", episode_ends=np.array([2**40]))
    for name in ("img", "camera0_rgb", "state", "robot0_eef_pos", "action"):
        place = tmp_path / f"a.zarr/data/{name}/.zarray"
        about = json.loads(place.read_text())
        place.write_text(json.dumps(about | {"shape": [2**40, *about["shape"][1:]]}))
    with pytest.raises(DataError, match="the numbers of data/"):
        tc.data.open(tmp_path / "a.zarr", fps=10)


def test_another_store_is_told_how_to_come_in(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w").create_array("x", data=np.zeros(3))
    with pytest.raises(DataError, match=r"is a zarr store of another layout.*meta/episode_ends.*from_episodes"):
        tc.data.open(tmp_path / "a.zarr")


def test_a_conversion_holds_one_episode_at_a_time(tmp_path: Path) -> None:
    lengths, shape = [40] * 12, (96, 96, 3)
    images = np.random.default_rng(0).integers(1, 256, (sum(lengths), *shape), dtype=np.uint8)
    rows = {"state": np.zeros((480, 2)), "action": np.random.default_rng(1).normal(size=(480, 2))}
    robot_files.replay_buffer(
        tmp_path / "a.zarr", img=None, camera0_rgb=images, robot0_eef_pos=None, episode_ends=np.cumsum(lengths), **rows
    )
    episode = lengths[0] * int(np.prod(shape))

    def peak(count: int) -> int:
        chosen = tc.data.open(tmp_path / "a.zarr", fps=10)[:count]
        tracemalloc.start()
        tc.data.save(chosen, tmp_path / f"set{count}", "lerobot", progress=False)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    del images
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few, many = peak(2), peak(12)
    assert few > episode  # the measure sees the images
    assert many - few < episode

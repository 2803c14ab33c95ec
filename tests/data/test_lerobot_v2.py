"""LeRobot datasets of layouts v2.1 and v2.0, written by hand as lerobot 0.3 and 0.1 lay them out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tacit as tc
from cases.lerobot_layout import BOOKS, camera, encode, vector
from tacit.data.formats._images import encode_png
from tacit.errors import DataError

FEATURES = {
    "observation.state": vector(3),
    "action": vector(2),
    "observation.images.top": camera("video", 16, 16),
    "observation.images.wrist": camera("image", 12, 16),
    "next.reward": {"dtype": "float32", "shape": [1], "names": None},
}
TASKS = ["pick", "place"]


def write(root: Path, version: str = "v2.1", chunk: int = 2) -> list[dict[str, Any]]:
    """Write a dataset with two episodes in a chunk, and return its arrays."""
    lengths = 5, 4, 6
    (root / "meta").mkdir(parents=True)
    found, begin, episodes, stats = [], 0, [], []
    for number, length in enumerate(lengths):
        draw = np.random.default_rng(number)
        wrist = draw.integers(0, 256, (length, 3, 12, 16), dtype=np.uint8)
        flat = np.stack([np.full((16, 16, 3), 60 + 30 * step, np.uint8) for step in range(length)])
        arrays: dict[str, Any] = {"state": draw.normal(size=(length, 3)), "action": draw.normal(size=(length, 2))}
        arrays |= {"wrist": wrist, "top": flat, "reward": draw.normal(size=length)}
        found.append(arrays)
        place = f"chunk-{number // chunk:03d}"
        videos = root / f"videos/{place}/observation.images.top"
        encode(root / "part/video.mp4", list(flat), 10)
        videos.mkdir(parents=True, exist_ok=True)
        (root / "part/video.mp4").rename(videos / f"episode_{number:06d}.mp4")
        (root / "part").rmdir()
        table = {
            "observation.state": pa.array(arrays["state"].astype(np.float32).tolist(), pa.list_(pa.float32())),
            "action": pa.array(arrays["action"].astype(np.float32).tolist(), pa.list_(pa.float32())),
            "observation.images.wrist": pa.array([{"bytes": png, "path": None} for png in encode_png(wrist)]),
            "next.reward": pa.array(arrays["reward"], pa.float32()),
            "timestamp": pa.array(np.arange(length) / 10, pa.float32()),
            "frame_index": pa.array(np.arange(length)),
            "episode_index": pa.array(np.full(length, number)),
            "index": pa.array(np.arange(length) + begin),
            "task_index": pa.array(np.full(length, number % 2)),
        }
        (root / f"data/{place}").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(table), root / f"data/{place}/episode_{number:06d}.parquet")
        episodes.append({"episode_index": number, "tasks": [TASKS[number % 2]], "length": length})
        action = arrays["action"].astype(np.float32)
        bounds = {"min": action.min(0).tolist(), "max": action.max(0).tolist(), "count": [length]}
        stats.append({"episode_index": number, "stats": {"action": bounds}})
        begin += length
    lines(root / "meta/episodes.jsonl", episodes)
    lines(root / "meta/tasks.jsonl", [{"task_index": number, "task": task} for number, task in enumerate(TASKS)])
    if version == "v2.1":
        lines(root / "meta/episodes_stats.jsonl", stats)
    else:
        action = np.concatenate([arrays["action"] for arrays in found]).astype(np.float32)
        whole = {"action": {"min": action.min(0).tolist(), "max": action.max(0).tolist()}}
        (root / "meta/stats.json").write_text(json.dumps(whole))
    books = {name: vector(1, "float32" if name == "timestamp" else "int64") for name in BOOKS}
    info = {"codebase_version": version, "robot_type": "so100", "total_episodes": len(lengths), "total_frames": begin}
    info |= {"total_tasks": 2, "total_videos": len(lengths), "total_chunks": 2, "chunks_size": chunk, "fps": 10}
    info |= {"splits": {"train": f"0:{len(lengths)}"}, "features": FEATURES | books}
    info |= {"data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"}
    info |= {"video_path": "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"}
    (root / "meta/info.json").write_text(json.dumps(info))
    return found


def lines(path: Path, values: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values))


@pytest.mark.parametrize("version", ["v2.1", "v2.0"])
def test_a_dataset_is_read_exactly(tmp_path: Path, version: str) -> None:
    written = write(tmp_path / "set", version=version)
    episodes = tc.data.open(tmp_path / "set")
    assert set(episodes.spec.modalities) == {"state", "top", "wrist"}
    assert episodes.lengths.tolist() == [5, 4, 6]
    for number, (arrays, episode) in enumerate(zip(written, episodes, strict=True)):
        np.testing.assert_array_equal(episode.observation["state"], arrays["state"].astype(np.float32))
        np.testing.assert_array_equal(episode.observation["wrist"], arrays["wrist"])
        top = np.moveaxis(arrays["top"], -1, 1).astype(int)
        assert np.abs(episode.observation["top"] - top).max() <= 4
        np.testing.assert_array_equal(episode.action, arrays["action"][:-1].astype(np.float32))
        np.testing.assert_array_equal(episode.final_action, arrays["action"][-1].astype(np.float32))
        np.testing.assert_array_equal(episode.reward, arrays["reward"].astype(np.float32))
        assert episode.task == TASKS[number % 2]
    action = np.concatenate([arrays["action"] for arrays in written]).astype(np.float32)
    assert episodes.spec.action == tc.Box(tuple(action.min(0).tolist()), tuple(action.max(0).tolist()))
    assert tc.data.check(tmp_path / "set") == []
    assert tc.data.info(tmp_path / "set").format == "lerobot"
    assert episodes.file(2).endswith("data/chunk-001/episode_000002.parquet")


def test_a_conversion_to_v3_keeps_everything(tmp_path: Path) -> None:
    write(tmp_path / "set")
    tc.data.convert(tmp_path / "set", tmp_path / "new", tc.data.formats.LeRobot(lossless=True))
    for one, other in zip(tc.data.open(tmp_path / "set"), tc.data.open(tmp_path / "new"), strict=True):
        for name, values in one.observation.items():
            np.testing.assert_array_equal(values, other.observation[name])
        np.testing.assert_array_equal(one.action, other.action)
        assert one.task == other.task


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        ("meta/episodes.jsonl", '"length": 4', '"length": 0', "episode 1, field 'length': the episode is empty"),
        ("meta/episodes.jsonl", '"length": 4', '"length": "x"', "episode 1, field 'length': expected a number"),
        ("meta/episodes.jsonl", '"episode_index": 1', '"episode_index": 7', "expected 1; got 2"),
        ("meta/episodes.jsonl", '{"episode_index": 1', "{episode", r"episodes.jsonl.*line 2 cannot be read"),
        ("meta/tasks.jsonl", '"task_index": 0', '"task_index": 5', "expected task 0"),
        ("meta/info.json", '"chunks_size": 2', '"chunks_size": 0', "expected a whole number above 0; got 0"),
        ("meta/info.json", '"total_frames": 15', '"total_frames": 16', "counts 16; there are 15"),
        ("meta/info.json", "data/chunk-{episode_chunk", "../chunk-{episode_chunk", "field 'data_path': expected"),
        ("meta/episodes_stats.jsonl", '"action"', '"act"', "expected the range of the actions under action.min"),
    ],
)
def test_a_damaged_index_is_named(tmp_path: Path, file: str, old: str, new: str, problem: str) -> None:
    write(tmp_path / "set")
    path = tmp_path / "set" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=problem):
        tc.data.open(tmp_path / "set")


def test_damaged_files_of_an_episode_are_findings(tmp_path: Path) -> None:
    write(tmp_path / "set")
    (tmp_path / "set/data/chunk-000/episode_000001.parquet").unlink()
    video = tmp_path / "set/videos/chunk-001/observation.images.top/episode_000002.mp4"
    video.write_bytes(video.read_bytes()[:200])
    found = {(f.episode, Path(f.file).name) for f in tc.data.check(tmp_path / "set")}
    assert found == {(1, "episode_000001.parquet"), (2, "episode_000002.mp4")}


def test_times_that_run_backwards_name_their_row(tmp_path: Path) -> None:
    write(tmp_path / "set")
    path = tmp_path / "set/data/chunk-000/episode_000000.parquet"
    table = pq.read_table(path)
    times = pa.array(np.float32([0, 0.1, 0.2, 0.1, 0.4]))
    pq.write_table(table.set_column(table.column_names.index("timestamp"), "timestamp", times), path)
    with pytest.raises(DataError, match=r"episode_000000.parquet, episode 0, field 'timestamp'.*0.3000 s in row 3"):
        tc.data.open(tmp_path / "set")[0]

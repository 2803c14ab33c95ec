"""Every kind of damage is refused, by a message that names the file, the episode and the field."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tacit as tc
from data.recordings import SPEC, assert_same, recording
from tacit._files import add_checksum, verified
from tacit.data.formats import LeRobotReader
from tacit.data.formats._video import encode_video
from tacit.errors import DataError
from tacit.types import Modality

WITH_VIDEO = replace(SPEC, modalities={**SPEC.modalities, "front": Modality("pixels", (3, 130, 140))})
DATA, FRONT, META = "data/chunk-000/file-000.parquet", "videos/observation.images.front/chunk-000/file-000.mp4", "meta"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """Three good episodes, one camera in parquet and one as video."""
    path = tmp_path_factory.mktemp("sound") / "data"
    with tc.data.Writer(path, WITH_VIDEO) as writer:
        for seed in (1, 2, 4):
            episode = recording(seed)
            front = np.full((9, 3, 130, 140), 10, np.uint8)
            front += np.arange(9, dtype=np.uint8)[:, None, None, None] * np.uint8(3 + seed)
            writer.add(replace(episode, observation={**episode.observation, "front": front}))
    return path


@pytest.fixture
def path(sound, tmp_path) -> Path:
    """A copy to damage."""
    target = tmp_path / "data"
    for file in sound.rglob("*.*"):
        if file.is_file():
            (target / file.relative_to(sound)).parent.mkdir(parents=True, exist_ok=True)
            (target / file.relative_to(sound)).write_bytes(file.read_bytes())
    return target


def rewrite(file: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the table in a parquet file."""
    pq.write_table(change(pq.read_table(file)), file)


def put(column: str, row: int, value: object) -> Callable[[pa.Table], pa.Table]:
    """Set one value."""

    def change(table: pa.Table) -> pa.Table:
        values = table[column].to_pylist()
        values[row] = value
        index = table.column_names.index(column)
        return table.set_column(index, column, pa.array(values, table[column].type))

    return change


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def flip(file: Path, where: int | None = None) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2 if where is None else where] ^= 1
    file.write_bytes(bytes(data))


def inside(name: str, file: Path) -> int:
    """Where the last byte of a column of episode 1 is."""
    group = pq.read_metadata(file).row_group(1)
    (column,) = (c for c in map(group.column, range(group.num_columns)) if c.path_in_schema.startswith(f"{name}."))
    return int(column.data_page_offset + column.total_compressed_size - 1)


def edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


IN_EPISODE_1 = {
    "nan in a state": (DATA, "state", lambda f: rewrite(f, put("observation.state", 12, [0.0, float("nan"), 0.0]))),
    "nan in an action": (DATA, "action", lambda f: rewrite(f, put("action", 12, [0.0, float("nan")]))),
    "an action out of the box": (DATA, "action", lambda f: rewrite(f, put("action", 12, [0.0, 3.0]))),
    "nan in a label": (DATA, "label.position", lambda f: rewrite(f, put("label.position", 12, [float("inf"), 0.0]))),
    "a missing value": (DATA, "observation.state", lambda f: rewrite(f, put("observation.state", 12, None))),
    "another episode's row": (DATA, "episode_index", lambda f: rewrite(f, put("episode_index", 12, 2))),
    "a shuffled frame": (DATA, "frame_index", lambda f: rewrite(f, put("frame_index", 12, 7))),
    "a wrong global index": (DATA, "index", lambda f: rewrite(f, put("index", 12, 99))),
    "a wrong time": (DATA, "timestamp", lambda f: rewrite(f, put("timestamp", 12, 7.0))),
    "an unknown task": (DATA, "task_index", lambda f: rewrite(f, put("task_index", 9, 5))),
    "a damaged image": (
        DATA,
        "pixels",
        lambda f: rewrite(f, put("observation.images.pixels", 12, {"bytes": b"\x89PNGnonsense", "path": None})),
    ),
    "a lost image": (
        DATA,
        "pixels",
        lambda f: rewrite(f, put("observation.images.pixels", 12, {"bytes": None, "path": None})),
    ),
    "a damaged video": (FRONT, "front", flip),
    "another video": (FRONT, "front", lambda f: encode_video(f, np.zeros((27, 3, 130, 140), np.uint8), 10.0, 20)),
    "a truncated video": (FRONT, "front", truncate),
    "a missing video": (FRONT, "front", Path.unlink),
    "a truncated parquet": (DATA, "rows", truncate),
    "a flipped bit in a parquet": (DATA, "action", lambda f: flip(f, inside("action", f))),
    "a missing parquet": (DATA, "rows", Path.unlink),
    "a missing column": (
        DATA,
        "observation.state",
        lambda f: rewrite(f, lambda t: t.drop_columns(["observation.state"])),
    ),
    "missing rows": (DATA, "length", lambda f: rewrite(f, lambda t: t.slice(0, 14))),
}


@pytest.mark.parametrize("damage", IN_EPISODE_1)
def test_damage_inside_an_episode_names_it(path, damage):
    file, field, hurt = IN_EPISODE_1[damage]
    hurt(path / file)
    episodes = tc.data.open(path)
    with pytest.raises(DataError, match=rf"{re.escape(str(path / file))}, episode 1, field '{field}'"):
        episodes[1]
    with pytest.raises(DataError, match="episode"):
        episodes.clips(3)
    findings = tc.data.check(path)
    assert (str(path / file), 1, field) in {(f.file, f.episode, f.field) for f in findings}
    assert all(finding.problem for finding in findings)


OF_THE_WHOLE = {
    "no info": ("meta/info.json", "cannot be read", Path.unlink),
    "broken info": ("meta/info.json", "cannot be read", truncate),
    "another count": ("meta/info.json", "counts 4", lambda f: edit(f, total_episodes=4)),
    "another sum": ("meta/info.json", "counts 28", lambda f: edit(f, total_frames=28)),
    "no episodes": ("meta/info.json", "the dataset is empty", lambda f: edit(f, total_episodes=0)),
    "a path out of the folder": (
        "meta/info.json",
        "field 'data_path'",
        lambda f: edit(f, data_path="../../{chunk_index}"),
    ),
    "a broken record": ("meta/tacit.json", "field 'tacit.json'", truncate),
    "an edited record": ("meta/tacit.json", "was changed", lambda f: edit(f, content={})),
    "a truncated index": (EPISODES, "field 'episodes'", truncate),
    "an empty episode": (
        EPISODES,
        "episode 1, field 'length': the episode is empty",
        lambda f: rewrite(f, put("length", 1, 0)),
    ),
    "a doubled episode": (
        EPISODES,
        "episode 1, field 'episode_index'",
        lambda f: rewrite(f, put("episode_index", 1, 0)),
    ),
    "a gap": (EPISODES, "episode 1, field 'dataset_from_index'", lambda f: rewrite(f, put("dataset_from_index", 1, 8))),
    "a lost column": (
        EPISODES,
        "episode 0, field 'data/file_index'",
        lambda f: rewrite(f, lambda t: t.drop_columns(["data/file_index"])),
    ),
    "no tasks": ("meta/tasks.parquet", "tasks.parquet", Path.unlink),
}


@pytest.mark.parametrize("damage", OF_THE_WHOLE)
def test_damage_of_the_index_is_refused_at_once(path, damage):
    file, message, hurt = OF_THE_WHOLE[damage]
    hurt(path / file)
    with pytest.raises(DataError, match=message):
        tc.data.open(path)
    assert len(tc.data.check(path)) == 1


def test_a_spec_that_the_features_do_not_have_is_refused(path):
    info = json.loads((path / "meta/info.json").read_text())
    info["features"]["observation.state"]["shape"] = [4]
    (path / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(DataError, match=r"field 'observation.state': expected the feature"):
        tc.data.open(path)


def test_a_promise_of_huge_frames_takes_no_memory(path):
    layout = verified((path / "meta/tacit.json").read_text())
    layout["spec"]["modalities"]["front"]["shape"] = [3, 9000, 9000]
    (path / "meta/tacit.json").write_text(add_checksum(layout))
    info = json.loads((path / "meta/info.json").read_text())
    info["features"]["observation.images.front"]["shape"] = [9000, 9000, 3]
    (path / "meta/info.json").write_text(json.dumps(info))
    with pytest.raises(DataError, match="field 'front': expected frames of 9000 x 9000; got 140 x 130"):
        tc.data.open(path)[1]


def test_check_finds_every_damage_at_once(path):
    rewrite(path / DATA, put("observation.state", 3, [float("nan")] * 3))
    rewrite(path / DATA, put("action", 22, [9.0, 0.0]))
    flip(path / FRONT)
    found = {(finding.episode, finding.field) for finding in tc.data.check(path)}
    assert {(0, "state"), (2, "action")} < found
    assert any(field == "front" for _, field in found)


@pytest.fixture
def hdf5(tmp_path) -> Path:
    path = tmp_path / "data.h5"
    tc.data.save(tc.data.from_episodes([recording(seed) for seed in (1, 2, 4)], SPEC), path, "hdf5")
    return path


def damaged(path: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    with h5py.File(path, "a") as file:
        values = change(file[name][()])
        del file[name]
        file[name] = values


def drop(path: Path, name: str) -> None:
    with h5py.File(path, "a") as file:
        del file[name]


HDF5 = {
    "nan": ("state", lambda p: damaged(p, "episodes/000001/observation/state", lambda v: v * np.float32(np.nan))),
    "a short array": ("pixels", lambda p: damaged(p, "episodes/000001/observation/pixels", lambda v: v[:-1])),
    "another dtype": (
        "audio",
        lambda p: damaged(p, "episodes/000001/observation/audio", lambda v: v.astype(np.float64)),
    ),
    "a lost array": ("label.solved", lambda p: drop(p, "episodes/000001/label/solved")),
}


@pytest.mark.parametrize("damage", HDF5)
def test_damage_inside_hdf5_names_it(hdf5, damage):
    field, hurt = HDF5[damage]
    hurt(hdf5)
    with pytest.raises(DataError, match=rf"{re.escape(str(hdf5))}, episode 1, field '{field}'"):
        tc.data.open(hdf5)[1]
    assert {(finding.episode, finding.field) for finding in tc.data.check(hdf5)} >= {(1, field)}


def test_a_flipped_bit_in_hdf5_is_seen(hdf5):
    with h5py.File(hdf5) as file:
        where = file["episodes/000001/observation/pixels"].id.get_chunk_info(0).byte_offset
    data = bytearray(hdf5.read_bytes())
    data[where + 5] ^= 1
    hdf5.write_bytes(bytes(data))
    with pytest.raises(DataError, match="episode 1, field 'pixels': its bytes are not those"):
        tc.data.open(hdf5)[1]


@pytest.mark.parametrize("part", [0.05, 0.5, 0.95])
def test_a_truncated_hdf5_file_is_refused(hdf5, part):
    hdf5.write_bytes(hdf5.read_bytes()[: int(hdf5.stat().st_size * part)])
    with pytest.raises(DataError, match=re.escape(str(hdf5))):
        tc.data.open(hdf5)


def test_another_hdf5_layout_is_told_how_to_come_in(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["actions"] = np.zeros(3)
    with pytest.raises(DataError, match=r"another layout.*from_episodes"):
        tc.data.open(tmp_path / "other.h5")


def test_lossy_images_are_told_apart_from_damaged_ones(path):
    assert tc.data.check(path) == []
    assert LeRobotReader().recognises(path)


@pytest.mark.parametrize("name", tc.data.formats.names())
def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(tmp_path, name):
    path = tmp_path / "data"
    tc.data.save(tc.data.from_episodes([recording(seed) for seed in (1, 2)], SPEC), path, name)
    sound = list(tc.data.open(path))
    rng = np.random.default_rng(0)
    refused = 0
    for file in [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file()):
        data = file.read_bytes()
        for where in rng.integers(0, len(data), 12):
            flip(file, int(where))
            try:
                for before, after in zip(sound, tc.data.open(path), strict=True):
                    assert_same(before, after)
            except DataError:
                refused += 1
            file.write_bytes(data)
    assert refused >= (1 if path.is_file() else 20)


STATS = {
    "a truncated file": ("stats.json", "cannot be read", truncate),
    "no file": ("stats.json", "cannot be read", Path.unlink),
    "a list": ("stats.json", "expected an object", lambda f: f.write_text("[1]")),
    "a lost feature": ("action", "is missing", lambda f: f.write_text(f.read_text().replace('"action"', '"aktion"'))),
    "a wrong count": ("action", "count is [26]", lambda f: edit_stats(f, count=[26])),
    "a wrong mean": ("action", "mean is [0.5, 7.0]", lambda f: edit_stats(f, mean=[0.5, 7.0])),
    "another shape": ("action", "max is [1.0]", lambda f: edit_stats(f, max=[1.0])),
    "no numbers": ("action", "cannot be compared", lambda f: edit_stats(f, max=["much", "more"])),
}


def edit_stats(file: Path, **values: object) -> None:
    stats = json.loads(file.read_text())
    file.write_text(json.dumps(stats | {"action": stats["action"] | values}))


@pytest.mark.parametrize("damage", STATS)
def test_damaged_statistics_are_found(path, damage):
    field, message, hurt = STATS[damage]
    hurt(path / "meta/stats.json")
    found = tc.data.check(path)
    assert {finding.file for finding in found} == {str(path / "meta/stats.json")}
    assert any(finding.field == field and message in finding.problem for finding in found)
    assert len(tc.data.open(path)) == 3, "what is read does not depend on them"


def test_damaged_statistics_of_the_episodes_are_found(path):
    flip(path / EPISODES, inside_episodes(path / EPISODES))
    (finding,) = tc.data.check(path)
    assert finding.field == "stats" and "meta/episodes" in finding.file


def inside_episodes(file: Path) -> int:
    """Where the last byte of the statistics of the action is."""
    group = pq.read_metadata(file).row_group(0)
    chunks = (group.column(number) for number in range(group.num_columns))
    column = next(c for c in chunks if c.path_in_schema.startswith("stats/action/mean"))
    return int(column.data_page_offset + column.total_compressed_size - 1)


def test_statistics_of_another_program_may_be_few_but_not_wrong(path):
    (path / "meta/tacit.json").unlink()
    stats = path / "meta/stats.json"
    stats.write_text(json.dumps({"action": json.loads(stats.read_text())["action"]}))
    assert tc.data.check(path) == []
    edit_stats(stats, count=[26])
    assert [finding.field for finding in tc.data.check(path)] == ["action"]


def test_statistics_of_a_dataset_that_grew_are_sound(path):
    with tc.data.Writer(path, WITH_VIDEO) as writer:
        front = np.full((9, 3, 130, 140), 10, np.uint8)
        episode = recording(5)
        writer.add(replace(episode, observation={**episode.observation, "front": front}))
    assert tc.data.check(path) == []

"""Crafted datasets: LeRobot and HDF5."""

import json
import zlib
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hostile.crafted_records import changed
from hostile.crafting import craft, several
from tacit._files import add_checksum, verified

INFO, STATS, TASKS = "data/meta/info.json", "data/meta/stats.json", "data/meta/tasks.parquet"
EPISODES, ROWS = "data/meta/episodes/chunk-000/file-000.parquet", "data/data/chunk-000/file-000.parquet"
STATE = "observation.state"


def feature(folder: Path, value: object) -> None:
    info = json.loads((folder / INFO).read_bytes())
    info["features"][STATE] = value
    (folder / INFO).write_text(json.dumps(info))


FEATURES = {
    "a_list": [1, 2],
    "a_number": 3,
    "null": None,
    "a_text": "float32",
    "no_dtype": {"shape": [3]},
    "a_dtype_in_a_list": {"dtype": ["float32"], "shape": [3]},
    "an_object_dtype": {"dtype": "object", "shape": [3]},
    "shape_of_text": {"dtype": "float32", "shape": "3"},
    "shape_of_lists": {"dtype": "float32", "shape": [[3]]},
    "shape_of_1e12": {"dtype": "float32", "shape": [10**12]},
    "shape_below_0": {"dtype": "float32", "shape": [-3]},
    "shape_of_digits": {"dtype": "float32", "shape": [10**350]},
    "a_thousand_axes": {"dtype": "float32", "shape": [1] * 1000},
    "names_of_numbers": {"dtype": "image", "shape": [3, 16, 16], "names": 7},
    "a_video_without_a_file": {"dtype": "video", "shape": [16, 16, 3], "names": ["height", "width", "channels"]},
}
for kind in ("lerobot", "lerobot_foreign"):
    several(kind, feature, {f"feature_that_is_{name}": value for name, value in FEATURES.items()})
several(
    "lerobot_foreign",
    lambda folder, value: changed(folder, INFO, **dict(value)),
    {
        "features_that_are_a_list": {"features": [1, 2]},
        "features_that_are_a_number": {"features": 7},
        "fps_of_text": {"fps": "fast"},
        "fps_of_1e300": {"fps": 1e300},
        "fps_of_digits": {"fps": 10**350},
        "episodes_below_0": {"total_episodes": -3},
        "frames_of_1e18": {"total_frames": 10**18},
        "a_data_path_elsewhere": {"data_path": "/etc/{chunk_index}"},
        "a_version_in_a_list": {"codebase_version": ["v3.0"]},
        "a_name_of_dots": {"features": {"../../x": {"dtype": "float32", "shape": [3]}}},
    },
    says="meta|fps|observation",
)


@craft("lerobot_foreign", says="total_episodes|episodes|features|observation")
def twenty_thousand_features(folder: Path) -> None:
    info = json.loads((folder / INFO).read_bytes())
    info["features"] |= {f"observation.x{n}": {"dtype": "float32", "shape": [1]} for n in range(20_000)}
    (folder / INFO).write_text(json.dumps(info))


@craft("lerobot_foreign", says="action")
def stats_of_text(folder: Path) -> None:
    (folder / STATS).write_text(json.dumps({"action": {"min": "low", "max": ["a", "b"]}}))


@craft("lerobot_foreign", says="action")
def stats_of_a_million_bounds(folder: Path) -> None:
    (folder / STATS).write_text(json.dumps({"action": {"min": [0.0] * 10**6, "max": [1.0] * 10**6}}))


@craft("lerobot", says="action|meta")
def a_layout_of_a_million_actions(folder: Path) -> None:
    changed(folder, "data/meta/tacit.json", spec__action={"low": [0.0] * 10**6, "high": [1.0] * 10**6})


@craft("lerobot", says="label|meta")
def a_layout_of_label_dtypes_that_are_code(folder: Path) -> None:
    changed(folder, "data/meta/tacit.json", labels={"position": ["__import__('os').system('touch executed')", [2]]})


@craft("lerobot", says="key|meta|feature")
def a_layout_without_keys(folder: Path) -> None:
    changed(folder, "data/meta/tacit.json", keys={})


@craft("lerobot", says="video|meta|feature")
def a_layout_of_unknown_videos(folder: Path) -> None:
    changed(folder, "data/meta/tacit.json", videos=["nothing", "state"])


def table_of(folder: Path, name: str, rows: int, **columns: pa.DataType) -> None:
    """A Parquet file of one value repeated, which is small on disk."""
    parts = {key: pa.array(np.zeros(rows, np.int8)).cast(kind) for key, kind in columns.items()}
    pq.write_table(pa.table(parts), folder / name, compression="zstd")


@craft("lerobot_foreign", says="tasks")
def tasks_of_3e7_rows(folder: Path) -> None:
    table_of(folder, TASKS, 30_000_000, task_index=pa.int64(), task=pa.int64())


@craft("lerobot_foreign", says="episodes")
def episodes_of_3e7_rows(folder: Path) -> None:
    table_of(folder, EPISODES, 30_000_000, episode_index=pa.int64(), length=pa.int64())


@craft("lerobot_foreign", says="rows|column")
def data_of_3e7_rows(folder: Path) -> None:
    names = {name: pa.int64() for name in pq.read_schema(folder / ROWS).names}
    table_of(folder, ROWS, 30_000_000, **names)


@craft("lerobot_foreign", says="tasks")
def tasks_of_long_texts(folder: Path) -> None:
    """A dictionary of one text of 8 MB, which each of 500 rows names."""
    text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(500, np.int32)), pa.array(["x" * 2**23]))
    pq.write_table(pa.table({"task_index": pa.array(range(500)), "task": text}), folder / TASKS, compression="zstd")


@craft("lerobot_foreign", says="tasks")
def tasks_without_an_index(folder: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2]}), folder / TASKS)


@craft("lerobot_foreign", says="tasks|task")
def tasks_in_lists(folder: Path) -> None:
    pq.write_table(pa.table({"task_index": [[0], [1]], "task": [["a"], ["b"]]}), folder / TASKS)


@craft("lerobot_foreign", says="columns|episodes")
def episodes_of_20000_columns(folder: Path) -> None:
    pq.write_table(pa.table({f"c{n}": [0] for n in range(20_000)}), folder / EPISODES)


def episodes(folder: Path, values: object) -> None:
    table = pq.read_table(folder / EPISODES)
    for name, value in dict(values).items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array([value] * len(table)))
    pq.write_table(table, folder / EPISODES)


several(
    "lerobot_foreign",
    episodes,
    {
        "lengths_of_1e18": {"length": 10**18},
        "lengths_of_infinity": {"length": float("inf")},
        "lengths_of_text": {"length": "6"},
        "chunks_below_0": {"data/chunk_index": -(2**62)},
        "times_of_1e300": {"videos/observation.images.pixels/from_timestamp": 1e300},
        "times_below_0": {"videos/observation.images.pixels/from_timestamp": -1e12},
        "tasks_of_numbers": {"tasks": [1, 2]},
    },
    says="episodes|length|meta|data|video|pixels",
)


@craft("lerobot_foreign", says="rows|length|numbers")
def one_row_of_a_long_list(folder: Path) -> None:
    table = pq.read_table(folder / ROWS)
    lists = pa.array([[0.0] * 10**6 if row == 0 else [0.0] for row in range(len(table))])
    pq.write_table(table.set_column(table.column_names.index("action"), "action", lists), folder / ROWS)


@craft("lerobot", says="pixels|image")
def images_of_huge_headers(folder: Path) -> None:
    """PNG files in the table whose headers say 60000 x 60000."""
    table = pq.read_table(folder / ROWS)
    name = next(name for name in table.column_names if "images" in name)
    cells = [dict(cell, bytes=_huge(cell["bytes"])) for cell in table[name].to_pylist()]
    kind = table.schema.field(name).type
    table = table.set_column(table.column_names.index(name), name, pa.array(cells, kind))
    pq.write_table(table, folder / ROWS)


def _huge(png: bytes) -> bytes:
    head = b"IHDR" + (60_000).to_bytes(4) + (60_000).to_bytes(4) + png[24:29]
    return png[:12] + head + zlib.crc32(head).to_bytes(4) + png[33:]


@craft("lerobot")
def meta_that_links_to_itself(folder: Path) -> None:
    (folder / "data/meta/again").symlink_to(folder / "data/meta")
    (folder / "data/data/chunk-001").symlink_to(folder / "data/data")


@craft("lerobot", says="info.json")
def info_that_links_to_itself(folder: Path) -> None:
    (folder / INFO).unlink()
    (folder / INFO).symlink_to(folder / INFO)


@craft("lerobot", says="tacit.json|meta")
def tacit_json_of_60_mb(folder: Path) -> None:
    (folder / "data/meta/tacit.json").write_text(json.dumps({"sha256": "", "content": ["x" * 1000] * 60_000}))


def attribute(folder: Path, values: object) -> None:
    """Change sealed attributes of the HDF5 file: those of the file, or of its first episode."""
    where, changes = values
    with h5py.File(folder / "data.h5", "r+") as file:
        holder = file if where == "tacit" else file["episodes/000000"]
        content = verified(holder.attrs[where]) | changes
        holder.attrs[where] = add_checksum(content)


several(
    "hdf5",
    attribute,
    {
        "spec_that_is_a_list": ("tacit", {"spec": [1]}),
        "labels_that_are_numbers": ("tacit", {"labels": {"position": 3}}),
        "labels_that_are_a_list": ("tacit", {"labels": [1, 2]}),
        "length_of_1e12": ("facts", {"length": 10**12}),
        "length_of_text": ("facts", {"length": "6"}),
        "length_below_0": ("facts", {"length": -6}),
        "length_of_digits": ("facts", {"length": 10**350}),
        "sums_of_text": ("facts", {"crc32": {"action": "x"}}),
        "sums_that_are_a_list": ("facts", {"crc32": [1]}),
        "no_sums": ("facts", {"crc32": {}}),
        "a_seed_of_lists": ("facts", {"seed": [[1]]}),
        "a_task_of_numbers": ("facts", {"task": 4}),
    },
    says="data.h5",
)


def item(folder: Path, make: object) -> None:
    with h5py.File(folder / "data.h5", "r+") as file:
        group = file["episodes/000000/observation"]
        del group["state"]
        make(group)


def virtual(group: h5py.Group) -> None:
    layout = h5py.VirtualLayout((6, 3), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (6, 3))
    group.create_virtual_dataset("state", layout)


several(
    "hdf5",
    item,
    {
        "array_of_1e11": lambda group: group.create_dataset("state", (6, 10**10), "f4", chunks=(1, 1000)),
        "array_of_nothing": lambda group: group.create_dataset("state", data=h5py.Empty("f4")),
        "array_of_texts": lambda group: group.create_dataset("state", data=["a"] * 6),
        "array_of_records": lambda group: group.create_dataset("state", data=np.zeros((6, 3), [("a", "f4")])),
        "array_of_objects": lambda group: group.create_dataset("state", (6, 3), h5py.special_dtype(vlen=np.float32)),
        "array_of_references": lambda group: group.create_dataset("state", (6, 3), h5py.ref_dtype),
        "array_that_is_a_group": lambda group: group.create_group("state"),
        "link_to_another_file": lambda group: group.__setitem__("state", h5py.ExternalLink("/dev/zero", "/x")),
        "link_to_itself": lambda group: group.__setitem__("state", h5py.SoftLink("/episodes/000000/observation/state")),
        "link_to_nowhere": lambda group: group.__setitem__("state", h5py.SoftLink("/nowhere")),
        "numbers_of_another_file": lambda group: group.create_dataset(
            "state", (6, 3), "f4", external=[("/etc/passwd", 0, 72)]
        ),
        "array_that_is_virtual": virtual,
    },
    says="data.h5",
)


@craft("hdf5", says="data.h5")
def frames_that_are_not_stored(folder: Path) -> None:
    """Lengths of 1e6 that are the same everywhere, and arrays of that length of which nothing is on the disk."""
    with h5py.File(folder / "data.h5", "r+") as file:
        group, steps = file["episodes/000000"], 10**6
        for name in ("observation/pixels", "observation/state", "observation/audio", "label/position", "action"):
            shape = (steps - (name == "action"), *group[name].shape[1:])
            shape = (2 * steps, 2) if name.endswith("audio") else shape
            dtype = group[name].dtype
            del group[name]
            group.create_dataset(name, shape, dtype, chunks=(1000, *shape[1:]), compression="gzip")
        group.attrs["facts"] = add_checksum(verified(group.attrs["facts"]) | {"length": steps})


@craft("hdf5", says="data.h5")
def episodes_that_are_an_array(folder: Path) -> None:
    with h5py.File(folder / "data.h5", "r+") as file:
        del file["episodes"]
        file.create_dataset("episodes", (10**5, 10**6), "f4", chunks=(1, 1000))


@craft("hdf5", says="data.h5")
def attribute_of_bytes(folder: Path) -> None:
    with h5py.File(folder / "data.h5", "r+") as file:
        file.attrs["tacit"] = np.zeros((3, 3))


@craft("hdf5", says="data.h5")
def attribute_that_is_deep(folder: Path) -> None:
    with h5py.File(folder / "data.h5", "r+") as file:
        file.attrs["tacit"] = "[" * 20_000 + "]" * 20_000


@craft("hdf5", says="data.h5")
def a_head_and_nothing_else(folder: Path) -> None:
    (folder / "data.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 4000)

"""LeRobot v3.0 datasets as the library lerobot lays them out, written without Tacit."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tacit.types import Array

BOOKS = ("timestamp", "frame_index", "episode_index", "index", "task_index")
Episode = Mapping[str, Sequence[Any] | Array]


def vector(size: int, dtype: str = "float32") -> dict[str, Any]:
    """Return the feature of ``size`` numbers."""
    return {"dtype": dtype, "shape": [size], "names": None}


def camera(dtype: str, height: int, width: int, channels: int = 3, **more: Any) -> dict[str, Any]:
    """Return the feature of a camera, whose frames are a ``video`` or ``image`` files."""
    return {"dtype": dtype, "shape": [height, width, channels], "names": ["height", "width", "channels"], **more}


def write_lerobot(
    root: Path,
    features: Mapping[str, Mapping[str, Any]],
    episodes: Sequence[Episode],
    fps: float = 10,
    videos: Mapping[str, Mapping[str, Any]] | None = None,
    times: Array | None = None,
) -> None:
    """Write a dataset.

    Args:
        root: Where.
        features: As in ``meta/info.json``, without the bookkeeping.
        episodes: One value a frame for each feature: numbers, frames ``[H, W, C]`` or the bytes of an image file.
        fps: Frames a second.
        videos: Options of :func:`encode` by feature.
        times: The recorded times, if they are not even.
    """
    for folder in ("meta/episodes/chunk-000", "data/chunk-000"):
        (root / folder).mkdir(parents=True)
    lengths = [len(next(iter(episode.values()))) for episode in episodes]
    write_rows(root, features, episodes, lengths, fps, times)
    rows, begin = [], 0
    with_video = [name for name, feature in features.items() if feature["dtype"] == "video"]
    for number, length in enumerate(lengths):
        row = {"episode_index": number, "tasks": ["a task"], "length": length, "dataset_from_index": begin}
        row |= {"dataset_to_index": begin + length, "data/chunk_index": 0, "data/file_index": 0}
        for name in with_video:
            row |= {f"videos/{name}/chunk_index": 0, f"videos/{name}/file_index": 0}
            row |= {f"videos/{name}/from_timestamp": begin / fps, f"videos/{name}/to_timestamp": (begin + length) / fps}
        rows.append(row)
        begin += length
    for name in with_video:
        frames = [frame for episode in episodes for frame in episode[name]]
        encode(root / f"videos/{name}/chunk-000/file-000.mp4", frames, fps, **(videos or {}).get(name, {}))
    pq.write_table(pa.Table.from_pylist(rows), root / "meta/episodes/chunk-000/file-000.parquet")
    pq.write_table(pa.table({"task_index": [0], "__index_level_0__": ["a task"]}), root / "meta/tasks.parquet")
    write_statistics(root, features, episodes)
    whole = dict(features)
    for name in BOOKS:
        whole[name] = {"dtype": "float32" if name == "timestamp" else "int64", "shape": [1], "names": None}
    info = {"codebase_version": "v3.0", "robot_type": "so101", "total_episodes": len(rows), "total_frames": begin}
    info |= {"total_tasks": 1, "chunks_size": 1000, "fps": fps, "splits": {"train": f"0:{len(rows)}"}}
    info |= {"data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"}
    info |= {"video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4", "features": whole}
    (root / "meta/info.json").write_text(json.dumps(info))


def write_rows(
    root: Path,
    features: Mapping[str, Mapping[str, Any]],
    episodes: Sequence[Episode],
    lengths: Sequence[int],
    fps: float,
    times: Array | None,
) -> None:
    """Write the parquet file of the rows of all episodes."""
    table: dict[str, pa.Array] = {}
    for name, feature in features.items():
        values = [value for episode in episodes for value in episode[name]] if feature["dtype"] != "video" else []
        if feature["dtype"] == "image":
            kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
            table[name] = pa.array([{"bytes": value, "path": None} for value in values], kind)
        elif feature["dtype"] == "string":
            table[name] = pa.array(values, pa.string())
        elif feature["dtype"] != "video":
            kind = pa.from_numpy_dtype(np.dtype(feature["dtype"]))
            for _ in feature["shape"]:
                kind = pa.list_(kind)
            table[name] = pa.array([np.asarray(value, feature["dtype"]).tolist() for value in values], kind)
    frames = np.concatenate([np.arange(length) for length in lengths])
    books = {
        "timestamp": frames / fps if times is None else times,
        "frame_index": frames,
        "episode_index": np.repeat(np.arange(len(lengths)), lengths),
        "index": np.arange(len(frames)),
        "task_index": np.zeros(len(frames)),
    }
    for name, values in books.items():
        table[name] = pa.array(values, pa.float32() if name == "timestamp" else pa.int64())
    pq.write_table(pa.table(table), root / "data/chunk-000/file-000.parquet")


def write_statistics(root: Path, features: Mapping[str, Mapping[str, Any]], episodes: Sequence[Episode]) -> None:
    """Write the statistics of all numbers."""
    stats = {}
    for name, feature in features.items():
        if feature["dtype"] not in ("video", "image", "string"):
            flat = np.concatenate([np.asarray(e[name], np.float64).reshape(len(e[name]), -1) for e in episodes])
            stats[name] = {"min": flat.min(0).tolist(), "max": flat.max(0).tolist(), "mean": flat.mean(0).tolist()}
            stats[name] |= {"std": flat.std(0).tolist(), "count": [len(flat)]}
    (root / "meta/stats.json").write_text(json.dumps(stats))


def encode(
    path: Path,
    frames: Sequence[Array],
    fps: float,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    source: str = "rgb24",
    options: dict[str, str] | None = None,
) -> None:
    """Write frames as a video."""
    path.parent.mkdir(parents=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=int(fps), options=options or {"g": "2", "crf": "10"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=source)))
        container.mux(stream.encode(None))

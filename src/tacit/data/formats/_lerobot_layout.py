"""Mapping of a spec to LeRobot features: names, shapes and files of a dataset of layout v3.0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tacit._config import from_json
from tacit._files import read_bytes, read_json, verified
from tacit.data.validation import Defect, Labels
from tacit.errors import ConfigError, SpecError
from tacit.types import REWARD, SUCCESS, Spec

__all__ = [
    "DATA",
    "EPISODES",
    "INFO",
    "STAGED",
    "STATS",
    "TACIT",
    "TASKS",
    "VIDEO",
    "Layout",
    "check_saved",
    "columns",
    "features",
    "plan",
    "read_stats",
    "saved",
]

INFO, STATS, TASKS, TACIT = "meta/info.json", "meta/stats.json", "meta/tasks.parquet", "meta/tacit.json"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
STAGED = {"compression": "none", "use_dictionary": False, "write_statistics": False, "write_page_checksum": True}
"""Options of Parquet files that are read once and written again."""
LIMIT = 2**24
"""Largest size of ``meta/tacit.json`` in bytes."""
NUMBERS = (
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
)
BOOKKEEPING = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}


@dataclass(frozen=True)
class Layout:
    """Mapping of columns to a spec; saved as ``meta/tacit.json``, which lerobot ignores.

    Attributes:
        spec: The spec of the episodes.
        keys: The LeRobot feature of each modality.
        labels: Dtype and shape of one step of each label.
        label_keys: The LeRobot feature of each label.
        videos: The modalities that are stored as video; other pixels are PNG files in the parquet.
        version: The version of this record.
    """

    spec: Spec
    keys: Mapping[str, str]
    labels: Mapping[str, tuple[str, tuple[int, ...]]]
    label_keys: Mapping[str, str]
    videos: tuple[str, ...]
    version: int = 1


def plan(spec: Spec, labels: Labels, videos: tuple[str, ...]) -> Layout:
    """Return the layout that Tacit writes."""
    keys = {}
    for name, modality in spec.modalities.items():
        if modality.kind == "pixels" and modality.shape[0] not in (1, 3):
            raise SpecError(
                f"a LeRobot dataset stores pixels of 1 or 3 channels; {name!r} has {modality.shape[0]}. "
                "Split it into several modalities, or save with format='hdf5'."
            )
        keys[name] = f"observation.images.{name}" if modality.kind == "pixels" else f"observation.{name}"
    label_keys = {name: name if name in (REWARD, SUCCESS) else f"label.{name}" for name in labels}
    return Layout(spec, keys, labels, label_keys, videos)


def columns(layout: Layout) -> dict[str, tuple[str, int]]:
    """Return dtype and width of every column of numbers of ``layout`` for each step."""
    spec = layout.spec
    widths = {"action": ("float32", spec.action.size)} if spec.action.size else {}
    for name, modality in spec.modalities.items():
        if modality.kind != "pixels":
            each = spec.samples(name, 1) if modality.kind == "series" else 1
            widths[layout.keys[name]] = ("float32", each * modality.shape[0])
    for name, (dtype, shape) in layout.labels.items():
        widths[layout.label_keys[name]] = (dtype, int(np.prod(shape)))
    return widths


def features(layout: Layout) -> dict[str, Any]:
    """Return the ``features`` of ``meta/info.json``."""
    spec = layout.spec
    out: dict[str, Any] = {}
    for name, modality in spec.modalities.items():
        if modality.kind == "pixels":
            channels, height, width = modality.shape
            kind = "video" if name in layout.videos else "image"
            out[layout.keys[name]] = {
                "dtype": kind,
                "shape": [height, width, channels],
                "names": ["height", "width", "channels"],
            }
    for key, (dtype, width) in columns(layout).items():
        out[key] = {"dtype": dtype, "shape": [width], "names": None}
    return out | {key: {"dtype": dtype, "shape": [1], "names": None} for key, dtype in BOOKKEEPING.items()}


def saved(root: Path) -> Layout | None:
    """Return the layout in ``meta/tacit.json``, if there is that file."""
    path = root / TACIT
    if not path.exists():
        return None
    try:
        layout = from_json(Layout, verified(read_bytes(path, LIMIT)))
    except (OSError, ValueError, ConfigError) as error:
        raise Defect(path, None, "tacit.json", f"cannot be read: {error}") from error
    if layout.version != 1:
        raise Defect(path, None, "version", f"expected 1; got {layout.version}. Install a newer Tacit.")
    cameras = set(layout.spec.cameras)
    if set(layout.keys) != set(layout.spec.modalities) or set(layout.label_keys) != set(layout.labels):
        raise Defect(path, None, "keys", "expected one feature for each modality and label of the spec.")
    if not set(layout.videos) <= cameras:
        raise Defect(path, None, "videos", f"expected names of cameras; got {', '.join(layout.videos)[:200]}.")
    for name, (dtype, shape) in layout.labels.items():
        if dtype not in NUMBERS or any(not 0 <= size < 2**31 for size in shape):
            raise Defect(path, None, name, f"expected a label of numbers; got {dtype[:50]} of shape {shape}.")
    return layout


def check_saved(root: Path, info: Mapping[str, Any], layout: Layout) -> None:
    """Raise Defect unless ``info`` has the features of the layout that Tacit saved."""
    came = info["features"]
    for key, feature in features(layout).items():
        there = came.get(key)
        if not isinstance(there, Mapping) or any(there.get(part) != feature[part] for part in ("dtype", "shape")):
            raise Defect(root / INFO, None, key, f"expected the feature {feature} of meta/tacit.json; got {there}.")


def read_stats(root: Path) -> Any:
    """Return the statistics of the whole dataset in ``meta/stats.json``."""
    return read_json(root / STATS)

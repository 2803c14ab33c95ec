"""Which LeRobot feature holds what: the names, shapes and files of a dataset of layout v3.0."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tacit._config import from_json
from tacit._files import unseal
from tacit.data.findings import Defect, Labels
from tacit.errors import ConfigError, SpecError
from tacit.types import Box, Modality, Spec

__all__ = [
    "DATA",
    "EPISODES",
    "INFO",
    "STATS",
    "TACIT",
    "TASKS",
    "VIDEO",
    "Layout",
    "columns",
    "features",
    "load_layout",
    "plan",
    "saved",
]

INFO, STATS, TASKS, TACIT = "meta/info.json", "meta/stats.json", "meta/tasks.parquet", "meta/tacit.json"
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
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
    """How the columns of a dataset map to a spec; saved as ``meta/tacit.json``, which lerobot ignores.

    Attributes:
        spec: What the episodes hold.
        keys: The LeRobot feature of each modality.
        labels: Dtype and shape of one step of each label.
        label_keys: The LeRobot feature of each label.
        videos: The modalities that are stored as video; other pixels are PNG files in the parquet.
        version: Of this record.
    """

    spec: Spec
    keys: Mapping[str, str]
    labels: Mapping[str, tuple[str, tuple[int, ...]]]
    label_keys: Mapping[str, str]
    videos: tuple[str, ...]
    version: int = 1


def plan(spec: Spec, labels: Labels, videos: tuple[str, ...]) -> Layout:
    """The layout that Tacit writes."""
    keys = {}
    for name, modality in spec.modalities.items():
        if modality.kind == "pixels" and modality.shape[0] not in (1, 3):
            raise SpecError(
                f"a LeRobot dataset stores pixels of 1 or 3 channels; {name!r} has {modality.shape[0]}. "
                "Split it into several modalities, or save with format='hdf5'."
            )
        keys[name] = f"observation.images.{name}" if modality.kind == "pixels" else f"observation.{name}"
    return Layout(spec, keys, labels, {name: f"label.{name}" for name in labels}, videos)


def columns(layout: Layout) -> dict[str, tuple[str, int]]:
    """Dtype and width of every column of numbers that a dataset of ``layout`` has for each step."""
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
    """The ``features`` of ``meta/info.json``."""
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
    """The layout in ``meta/tacit.json``, if there is that file."""
    path = root / TACIT
    if not path.exists():
        return None
    try:
        layout = from_json(Layout, unseal(path.read_bytes()))
    except (ValueError, ConfigError) as error:
        raise Defect(path, None, "tacit.json", f"cannot be read: {error}") from error
    if layout.version != 1:
        raise Defect(path, None, "version", f"expected 1; got {layout.version}. Install a newer Tacit.")
    return layout


def load_layout(root: Path, info: Mapping[str, Any]) -> Layout:
    """The layout that Tacit saved, or what ``info`` says where lerobot wrote the dataset."""
    layout = saved(root)
    if layout is None:
        return _infer(root, info)
    came = info["features"]
    for key, feature in features(layout).items():
        if key not in came or any(came[key].get(part) != feature[part] for part in ("dtype", "shape")):
            raise Defect(
                root / INFO, None, key, f"expected the feature {feature} of meta/tacit.json; got {came.get(key)}."
            )
    return layout


def _infer(root: Path, info: Mapping[str, Any]) -> Layout:
    """The layout of a dataset that Tacit did not write: cameras, vectors, an action within its recorded range."""
    modalities, keys, labels, label_keys, videos = {}, {}, {}, {}, []
    for key, feature in info["features"].items():
        dtype, shape = feature["dtype"], tuple(int(size) for size in feature["shape"])
        name = key.removeprefix("observation.images.").removeprefix("observation.")
        if dtype in ("video", "image"):
            height, width, channels = _picture(shape, feature)
            name = "pixels" if key == "observation.image" else name
            modalities[name], keys[name] = Modality("pixels", (channels, height, width)), key
            videos += [name] if dtype == "video" else []
        elif key in BOOKKEEPING or key == "action" or dtype not in NUMBERS:
            continue
        elif key.startswith("observation."):
            modalities[name], keys[name] = Modality("vector", (int(np.prod(shape)),)), key
        else:
            labels[key], label_keys[key] = (dtype, () if shape == (1,) else shape), key
    action = _range(root) if "action" in info["features"] else Box((), ())
    spec = Spec(modalities, action, float(info["fps"]))
    return Layout(spec, keys, labels, label_keys, tuple(videos))


def _picture(shape: tuple[int, ...], feature: Mapping[str, Any]) -> tuple[int, int, int]:
    """Height, width and channels of a camera, whichever way round its feature names them."""
    names = feature.get("names") or ()
    if len(shape) == 3 and (names[:1] in (["channel"], ["channels"]) or (not names and shape[0] in (1, 3))):
        return shape[1], shape[2], shape[0]
    return shape  # type: ignore[return-value]


def _range(root: Path) -> Box:
    """The range of the recorded actions as a box."""
    path = root / STATS
    try:
        action = json.loads(path.read_bytes())["action"]
        low, high = (np.asarray(action[key], np.float32).ravel().tolist() for key in ("min", "max"))
        return Box(tuple(low), tuple(high))
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise Defect(
            path, None, "action", f"expected the range of the actions under action.min and action.max: {error!r}."
        ) from error

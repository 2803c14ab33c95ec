"""Recordings of robots in files of other programs, written without Tacit."""

import json
import os
import warnings
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import h5py
import numpy as np

from tacit.types import Array

HEIGHT, WIDTH = 12, 16


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def demo(seed: int, steps: int) -> dict[str, Array]:
    """Return the arrays of a demonstration of robomimic."""
    draw = rng(seed)
    return {
        "obs/agentview_image": draw.integers(0, 256, (steps, HEIGHT, WIDTH, 3), dtype=np.uint8),
        "obs/robot0_eef_pos": draw.normal(size=(steps, 3)),
        "obs/robot0_gripper_qpos": draw.normal(size=(steps, 2)),
        "next_obs/robot0_eef_pos": draw.normal(size=(steps, 3)),
        "actions": draw.uniform(-1, 1, (steps, 7)),
        "rewards": np.eye(1, steps, steps - 1)[0],
        "dones": np.eye(1, steps, steps - 1, dtype=np.int64)[0],
        "states": draw.normal(size=(steps, 9)),
    }


def robomimic(path: Path, lengths: tuple[int, ...] = (5, 7), **options: Any) -> list[dict[str, Array]]:
    """Write an HDF5 file as robomimic does, and return its arrays; demo 10 is stored before demo 2."""
    demos = [demo(seed, length) for seed, length in enumerate(lengths)]
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps({"env_name": "Lift", "env_kwargs": {"control_freq": 20}})
        data.attrs["total"] = sum(lengths)
        for number, arrays in reversed(list(enumerate(demos))):
            group = data.create_group(f"demo_{number}")
            group.attrs["num_samples"] = lengths[number]
            for name, values in arrays.items():
                group.create_dataset(name, data=values, **options)
        file["mask/train"] = np.array([f"demo_{number}".encode() for number in range(len(demos))])
    return demos


def jpeg(image: Array) -> bytes:
    """Return an image ``[H, W, 3]`` as a JPEG file."""
    codec = av.CodecContext.create("mjpeg", "w")
    codec.height, codec.width, codec.pix_fmt = *image.shape[:2], "yuvj444p"
    codec.time_base, codec.options = Fraction(1, 10), {"qmin": "1", "qmax": "1"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(format="yuvj444p")
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])


def smooth(steps: int) -> Array:
    """Return images ``[T, H, W, 3]`` that a JPEG file keeps almost exactly."""
    rows = np.linspace(40, 200, HEIGHT)[:, None, None] + np.zeros((HEIGHT, WIDTH, 3))
    return np.stack([rows + 2 * step for step in range(steps)]).astype(np.uint8)


def aloha(folder: Path, lengths: tuple[int, ...] = (5, 6), *, compressed: bool = False) -> list[dict[str, Array]]:
    """Write one HDF5 file for each episode as ALOHA does, and return their arrays."""
    folder.mkdir(exist_ok=True)
    found = []
    for number, steps in enumerate(lengths):
        draw = rng(number)
        arrays = {
            "observations/qpos": draw.normal(size=(steps, 14)),
            "observations/qvel": draw.normal(size=(steps, 14)),
            "observations/images/top": smooth(steps),
            "action": draw.normal(size=(steps, 14)),
        }
        found.append(arrays)
        with h5py.File(folder / f"episode_{number}.hdf5", "w") as file:
            file.attrs["sim"], file.attrs["compress"] = False, compressed
            for name, values in arrays.items():
                if compressed and "images" in name:
                    coded = [jpeg(image) for image in values]
                    width = max(map(len, coded)) + 3 + number
                    values = np.stack([np.frombuffer(one.ljust(width, b"\0"), np.uint8) for one in coded])
                    file["compress_len"] = np.array([[len(one) for one in coded]], np.float32)
                file[name] = values
    return found


def d4rl(path: Path, **changes: Array) -> dict[str, Array]:
    """Write an HDF5 file as D4RL does: episodes of 4 (a terminal), 3 (a timeout) and 2 steps (the end of the file)."""
    draw = rng(0)
    arrays: dict[str, Array] = {
        "observations": draw.normal(size=(9, 4)).astype(np.float32),
        "next_observations": draw.normal(size=(9, 4)).astype(np.float32),
        "actions": draw.uniform(-1, 1, (9, 2)).astype(np.float32),
        "rewards": draw.normal(size=9).astype(np.float32),
        "terminals": np.arange(9) == 3,
        "timeouts": np.arange(9) == 6,
        "infos/qpos": draw.normal(size=(9, 5)),
    }
    arrays |= changes
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
        file["metadata/algorithm"] = "SAC"
    return arrays


def minari(folder: Path, name: str, spaces: tuple[Any, Any], episodes: list[Mapping[str, Any]]) -> Path:
    """Write a dataset with the package minari, and return its folder."""
    import minari as package
    from minari.data_collector.episode_buffer import EpisodeBuffer

    before = os.environ.get("MINARI_DATASETS_PATH")
    os.environ["MINARI_DATASETS_PATH"] = str(folder)
    try:
        buffers = [EpisodeBuffer(id=number, seed=10 + number, **one) for number, one in enumerate(episodes)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of missing authors and permalinks
            package.create_dataset_from_buffers(name, buffers, observation_space=spaces[0], action_space=spaces[1])
    finally:
        os.environ.pop("MINARI_DATASETS_PATH")
        os.environ |= {} if before is None else {"MINARI_DATASETS_PATH": before}
    return folder / name


def steps(seed: int, length: int, image: bool = False) -> dict[str, Any]:
    """Return the content of an episode of ``length`` actions for the package minari."""
    draw = rng(seed)
    grey = np.linspace(40, 200, 40)[:, None, None] + np.zeros((40, 40, 3))
    joints = list(draw.normal(size=(length + 1, 3)))
    return {
        "observations": {"image": [grey.astype(np.uint8)] * (length + 1), "joints": joints} if image else joints,
        "actions": list(draw.uniform(-1, 1, (length, 2)).astype(np.float32)),
        "rewards": list(draw.normal(size=length)),
        "terminations": [False] * (length - 1) + [seed == 0],
        "truncations": [False] * (length - 1) + [seed != 0],
        "infos": {"success": [False] * length + [seed == 0]},
    }


ENDS = (4, 9, 12)


def replay_buffer(path: Path, zarr_format: int = 2, **changes: Any) -> dict[str, Array]:
    """Write ``replay_buffer.zarr`` with the package zarr, as diffusion policy does, and return its arrays."""
    import zarr

    draw = rng(0)
    arrays: dict[str, Any] = {
        "img": draw.integers(1, 256, (12, HEIGHT, WIDTH, 3)).astype(np.float32),
        "camera0_rgb": draw.integers(1, 256, (12, HEIGHT, WIDTH, 3), dtype=np.uint8),
        "state": draw.normal(size=(12, 5)).astype(np.float32),
        "robot0_eef_pos": draw.normal(size=(12, 3)).astype(np.float32),
        "action": draw.uniform(0, 512, (12, 2)).astype(np.float32),
        "episode_ends": np.array(ENDS),
    }
    arrays |= changes
    store: Any = zarr.storage.ZipStore(path, mode="w") if path.suffix == ".zip" else path
    root = zarr.open_group(store, mode="w", zarr_format=zarr_format)
    data, meta = root.create_group("data"), root.create_group("meta")
    for name, values in arrays.items():
        if values is not None:
            group = meta if name == "episode_ends" else data
            group.create_array(name, data=values, chunks=(5, *values.shape[1:]))
    if path.suffix == ".zip":
        store.close()
    return arrays

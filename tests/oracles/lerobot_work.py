"""Recordings as plain arrays, and functions that run in the environment of lerobot: datasets to and from them.

An episode is `NUMBER.npz` with `state`, `action`, `task` and an array `[T, 3, H, W]` of each camera.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ACTIONS = 3  # a state is position and velocity, and an action the next velocity
TASKS = ("reach the cup", "push the box", "open the drawer")
Arrays = dict[str, np.ndarray]

OPTIONS: dict[str, Any] = {"repo_id": "tacit/interop", "video_backend": "pyav"}
WINDOWS = {"front": (-1, 0), "wrist": (0, 2), "state": (-2, 0), "action": (0, 1, 2)}
"""Steps of a window of each series; they reach over the ends of the episodes."""


def recording(index: int, cameras: Mapping[str, tuple[int, int]], length: int = 0) -> Arrays:
    """Return states, actions, the task and images of an episode: a soft bright spot on a gradient for each camera.

    Both codecs halve the resolution of colour, which would move a hard coloured edge by up to 157 grey levels.
    """
    rng = np.random.default_rng(index)
    length = length or int(rng.integers(12, 24))
    action = rng.uniform(-1.0, 1.0, (length, ACTIONS)).astype(np.float32)
    velocity = np.concatenate([np.zeros((1, ACTIONS), np.float32), action[:-1]])
    arrays = {"state": np.concatenate([velocity.cumsum(axis=0), velocity], axis=1), "action": action}
    for name, size in cameras.items():
        arrays[name] = np.stack([frame(index, step, *size) for step in range(length)])
    return {**arrays, "task": np.array(TASKS[index % 3])}


def frame(index: int, step: int, height: int, width: int) -> np.ndarray:
    """Return one image ``[3, height, width]`` of an episode."""
    y, x = np.arange(height)[:, None], np.arange(width)[None, :]
    ramp = 140.0 * x / width + 40.0 * y / height
    row, column = 20 + (3 * step + index) % (height - 40), 20 + (5 * step + 2 * index) % (width - 40)
    squared = (y - row) ** 2 + (x - column) ** 2
    spot, colour, ground = np.exp(-squared / 200.0), np.array([220.0, 200.0, 40.0]), np.array([1.0, 0.7, 0.4])
    pixels = (1 - spot) * ramp * ground[:, None, None] + spot * colour[:, None, None]
    return np.asarray(pixels.astype(np.uint8))


def save(folder: Path, episodes: Sequence[Arrays]) -> Path:
    folder.mkdir(parents=True)
    for index, arrays in enumerate(episodes):
        np.savez(folder / f"{index:03}.npz", allow_pickle=False, **arrays)
    return folder


def load(folder: Path) -> list[Arrays]:
    return [dict(np.load(file)) for file in sorted(folder.glob("*.npz"))]


def record(episodes: int, cameras: Mapping[str, tuple[int, int]], length: int, to: str) -> None:
    """Write recordings of a length as plain arrays."""
    save(Path(to), [recording(index, cameras, length) for index in range(episodes)])


def key_of(name: str) -> str:
    inside = {"state": "observation.state", "action": "action"}
    return inside.get(name, f"observation.images.{name}")


def write(recordings: str, root: str, fps: int, chunked: bool) -> None:
    """Write recordings with lerobot, over several chunks of small files or with its own sizes."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    episodes = load(Path(recordings))
    features: dict[str, Any] = {}
    for name, array in episodes[0].items():
        if array.ndim == 4:
            shape = (*array.shape[2:], 3)
            features[key_of(name)] = {"dtype": "video", "names": ["height", "width", "channels"], "shape": shape}
        elif array.ndim == 2:
            features[key_of(name)] = {"dtype": "float32", "shape": array.shape[1:], "names": None}
    data = LeRobotDataset.create(root=root, fps=fps, features=features, **OPTIONS)
    if chunked:
        data.meta.update_chunk_settings(chunks_size=2, data_files_size_in_mb=0.01, video_files_size_in_mb=0.02)
    for episode in episodes:
        task = str(episode.pop("task"))
        for step in range(len(episode["state"])):
            rows = {key_of(name): array[step] for name, array in episode.items()}
            images = {key: row.transpose(1, 2, 0) for key, row in rows.items() if row.ndim == 3}
            data.add_frame({**rows, **images, "task": task})
        data.save_episode(parallel_encoding=False)
    data.finalize()


def read(root: str, to: str, fps: int) -> dict[str, Any]:
    """Write every frame as lerobot reads it, and return what it says of windows, indices, labels and statistics."""
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    offsets_of = {key_of(name): [offset / fps for offset in offsets] for name, offsets in WINDOWS.items()}
    plain = LeRobotDataset(root=root, **OPTIONS)
    data = LeRobotDataset(root=root, delta_timestamps=offsets_of, **OPTIONS)
    episodes: dict[int, list[dict[str, Any]]] = {}
    for row in range(len(plain)):
        item = plain[row]
        episodes.setdefault(int(item["episode_index"]), []).append(item)
    states, row = [], 0
    checks = {"window_padding_correct": True, "windows_correct": True, "labels_and_series_present": True}
    for index, items in episodes.items():
        arrays = {name: np.stack([item[key_of(name)].numpy() for item in items]) for name in WINDOWS}
        for step, item in enumerate(items):
            window, row = data[row], row + 1
            wanted = {name: [step + offset for offset in offsets] for name, offsets in WINDOWS.items()}
            for name, steps in wanted.items():
                outside = [not 0 <= one < len(items) for one in steps]
                checks["window_padding_correct"] &= window[f"{key_of(name)}_is_pad"].tolist() == outside
                clipped = arrays[name][np.clip(steps, 0, len(items) - 1)]
                checks["windows_correct"] &= bool(np.array_equal(window[key_of(name)].numpy(), clipped))
            there = "label.step" in item and "observation.audio" in item
            checks["labels_and_series_present"] &= there and int(item["label.step"]) == step
        states.append(arrays["state"])
        images = {name: np.round(array * 255).astype(np.uint8) for name, array in arrays.items() if array.ndim == 4}
        np.savez(Path(to) / f"{index:03}.npz", **{**arrays, **images, "task": items[0]["task"]})
    every, stats = np.concatenate(states), plain.meta.stats["observation.state"]
    parts = (("mean", every.mean(0)), ("std", every.std(0)))
    checks["statistics_correct"] = all(np.allclose(stats[name], found, atol=1e-5) for name, found in parts)
    return {"episodes": plain.meta.total_episodes, "frames": len(plain), "checks": checks}

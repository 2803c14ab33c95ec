"""Tacit's side of `peers.py`: prints JSON lines. Through the public calls of the tutorial, one thread."""

import json
import sys
import time
from pathlib import Path

START = time.process_time()
SIZE, WINDOW, BATCH, BLOCK = 64, 4, 32, 5


def report(**figures: object) -> None:
    """Print one row for `peers.py`."""
    print("PEER " + json.dumps(figures), flush=True)


def first_frame() -> None:
    import tacit as tc

    frame = tc.envs.TwoRooms(size=SIZE).reset(seed=0)["pixels"]
    report(seconds=time.process_time() - START, shape=list(frame.shape))


def frames(num_envs: int, steps: int) -> None:
    import numpy as np
    import tacit as tc

    env = tc.envs.TwoRooms(num_envs=num_envs, size=SIZE)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for count in (steps // 10, steps):
        begin = time.process_time()
        for _ in range(count):
            env.step(rng.uniform(-1, 1, (num_envs, 2)).astype(np.float32))
        seconds = time.process_time() - begin
    report(seconds=seconds / (steps * num_envs), unit="CPU s a frame")


def windows(work: Path, batches: int) -> None:
    """The other package's own recording, converted once, read as random windows."""
    import h5py
    import numpy as np
    import tacit as tc

    folder = work / "rooms_tacit"
    if not folder.exists():
        spec = tc.Spec({"pixels": tc.Modality("pixels", (3, SIZE, SIZE))}, tc.Box((-1.0, -1.0), (1.0, 1.0)))
        with h5py.File(work / "rooms_hdf5.h5") as file, tc.data.Writer(folder, spec) as writer:
            for start, length in zip(file["ep_offset"][:], file["ep_len"][:], strict=True):
                stop = start + length
                pixels = np.moveaxis(file["pixels"][start:stop], -1, 1)
                action = np.clip(file["action"][start : stop - 1].astype(np.float32), -1, 1)
                writer.add(tc.Episode({"pixels": np.ascontiguousarray(pixels)}, action))
    clips = tc.data.open(folder).clips(WINDOW)
    first = clips.batch(seed=0, step=0, size=BATCH)
    begin = time.process_time()
    for step in range(batches):
        clips.batch(seed=0, step=step, size=BATCH)
    seconds = time.process_time() - begin
    pixels = first.observation["pixels"]
    report(
        seconds=seconds / (batches * BATCH), unit="CPU s a window", pixels=str(pixels.dtype), shape=list(pixels.shape)
    )


def main() -> None:
    row, *rest = sys.argv[1:]
    if row == "first_frame":
        return first_frame()
    if row == "frames":
        return frames(int(rest[0]), int(rest[1]))
    import torch

    torch.set_num_threads(1)
    if row == "windows":
        return windows(Path(rest[0]), int(rest[1]))
    raise SystemExit(f"no row {row!r}")


if __name__ == "__main__":
    main()

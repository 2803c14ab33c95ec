"""Tacit's side of `peers.py`: prints JSON lines. Through the public calls of the tutorial, one thread."""

import json
import sys
import time
from pathlib import Path
from typing import Any

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
                if length < 2:  # the other package recorded episodes of a single frame, which hold no window
                    continue
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


def lewm(work: Path) -> Any:
    """The other package's own weights; actions wide enough that none is clipped, for it clips none, and raw."""
    import tacit as tc

    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, SIZE, SIZE))}, tc.Box((-100.0,) * 2, (100.0,) * 2, "delta"))
    raw = tc.types.Statistics({"action": (0.0,) * 2}, {"action": (1.0,) * 2})
    return tc.published.convert(work / "lewm.safetensors", spec=spec, predictor_heads=16, statistics=raw)


def plan(work: Path) -> None:
    """One decision of an agent; then the same candidates and the same search as the other package's."""
    import numpy as np
    import torch
    from safetensors.torch import load_file

    import tacit as tc

    model, shared = lewm(work), load_file(work / "plan.safetensors")
    planner = tc.planners.CEM(samples=300, iterations=30, elites=30, std=0.01, min_std=0.0, result="mean")
    cost = tc.costs.Goal()
    agent = tc.Agent(model, planner, cost, horizon=5, replan_every=5)
    rng = np.random.default_rng(0)
    seen, goal = ({"pixels": rng.integers(0, 256, (1, 3, SIZE, SIZE), dtype=np.uint8)} for _ in range(2))
    begin = time.process_time()
    agent.act(agent.start(seed=0, goal=goal), seen)
    seconds = time.process_time() - begin

    latent, target = shared["latent"], shared["goal_latent"][:, 0]
    with torch.no_grad():
        energies = 192 * cost(imagined(model, latent, shared["candidates"], target))
        found = planner(
            tc.types.Problem(
                lambda rows: cost(imagined(model, latent, rows.unflatten(2, (5, BLOCK)).flatten(3), target)),
                model.config.spec.action,
                5 * BLOCK,
                TheirNoise(1234),
                device="cpu",
            )
        )
    difference = ((energies - shared["energies"]).abs() / shared["energies"].abs()).max().item()
    report(
        seconds=seconds,
        unit="CPU s a plan",
        largest_relative_energy_difference=difference,
        energies_equal=difference <= 1e-4,
        **rounds(model, cost, latent, target, found, work / "theirs_plan.safetensors"),
    )


def imagined(model: Any, latent: Any, blocks: Any, goal: Any) -> Any:
    """Return the rollout of candidates."""
    from tacit.types import Context, Rollout

    return Rollout(latent[:, -1], model.rollout(Context(latent), blocks), blocks, goal)


class TheirNoise:
    """The normal numbers that stable-worldmodel draws: from one torch generator, round after round."""

    def __init__(self, seed: int) -> None:
        import torch

        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return 1

    def normal(self, _round: int, shape: tuple[int, ...], /) -> Any:
        """See :class:`tacit.types.Noise`."""
        import torch

        return torch.randn(1, *shape, generator=self._generator).numpy()

    uniform = exponential = normal

    def spawn(self, _stream: int, /) -> Any:
        """See :class:`tacit.types.Noise`."""
        return self


def rounds(model: Any, cost: Any, latent: Any, target: Any, found: Any, theirs: Path) -> dict[str, object]:
    """The search on the noise that theirs drew, round by round: energies of their candidates, and the means.

    Until the first round in which rounding ranks two candidates on the edge of the elite the other way, the means are
    those of one search; from then on they are two.
    """
    import torch
    from safetensors.torch import load_file

    if not theirs.exists():
        return {}
    kept, energy, same = load_file(theirs), [], []
    with torch.no_grad():
        for candidates, costs, mean, own in zip(
            kept["candidates"], kept["costs"], kept["mean"], found.trace, strict=True
        ):
            told = 192 * cost(imagined(model, latent, candidates, target))
            energy.append(((told - costs).abs() / costs.abs()).max().item())
            same.append((own.elite.reshape(mean.shape) - mean).abs().max().item())
    apart = next((number for number, gap in enumerate(same) if gap > 1e-3), None)
    margin = None
    if apart is not None:
        edge = kept["costs"][apart].flatten().sort().values[29:31]
        margin = ((edge[1] - edge[0]) / edge[0]).item()
    return {
        "largest_relative_energy_difference_of_all_rounds": max(energy),
        "rounds_with_the_same_mean": len(same) if apart is None else apart,
        "relative_margin_of_the_elite_in_the_next_round": margin,
        "difference_of_the_means": [float(f"{gap:.2g}") for gap in same],
    }


def train(steps: int) -> None:
    """Steps of the public training loop, timed by its own log."""
    import tempfile

    import numpy as np

    import tacit as tc

    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, SIZE, SIZE))}, tc.Box((-1.0,) * 2, (1.0,) * 2))
    rng = np.random.default_rng(0)
    length = BLOCK * WINDOW + 1
    recorded = tc.data.from_episodes(
        [
            tc.Episode(
                {"pixels": rng.integers(0, 256, (length, 3, SIZE, SIZE), dtype=np.uint8)},
                rng.uniform(-1, 1, (length - 1, 2)).astype(np.float32),
            )
            for _ in range(64)
        ],
        spec,
    )
    model = tc.recipes.LeWM().build_model(spec, seed=0)
    objective = tc.objectives.Prediction() + 0.09 * tc.objectives.SIGReg(slices=1024)
    clips = recorded.clips(WINDOW, frameskip=BLOCK)
    used = {}
    for count in (1, 1, steps + 1):  # the first call of all warms up
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            tc.train(model, objective, clips, steps=count, seed=0, to=folder, batch_size=BATCH, log_every=10**6)
        used[count] = time.process_time() - begin
    report(seconds=(used[steps + 1] - used[1]) / steps, unit="CPU s a step")


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
    if row == "plan":
        return plan(Path(rest[0]))
    if row == "train":
        return train(int(rest[0]))
    raise SystemExit(f"no row {row!r}")


if __name__ == "__main__":
    main()

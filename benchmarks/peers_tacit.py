"""Tacit's rows of `peers.py`: the public calls of the tutorial on one thread, in a process of their own."""

import time
from pathlib import Path
from typing import Any

from environments import answer

START = time.process_time()
SIZE, BLOCK = 64, 5


def first_frame() -> dict[str, Any]:
    import tacit as tc

    frame = tc.envs.TwoRooms(size=SIZE).reset(seed=0)["pixels"]
    return {"seconds": time.process_time() - START, "shape": frame.shape}


def frames(worlds: int, steps: int) -> dict[str, Any]:
    import workloads
    from timing import cpu_seconds

    work = workloads.frames(worlds)
    cpu_seconds(work, 1, max(steps // 10, 1))
    return {"seconds": cpu_seconds(work, 1, steps)[0] / worlds}


def windows(work: Path, batches: int) -> dict[str, Any]:
    """Read random windows of the other package's own recording, converted once."""
    import h5py
    import numpy as np

    import tacit as tc
    import workloads
    from timing import cpu_seconds

    folder = work / "rooms_tacit"
    if not folder.exists():
        with h5py.File(work / "rooms_hdf5.h5") as file, tc.data.Writer(folder, workloads.SPEC) as writer:
            for start, length in zip(file["ep_offset"][:], file["ep_len"][:], strict=True):
                stop = start + length
                if length < 2:  # an episode of a single frame, which holds no window
                    continue
                pixels = np.moveaxis(file["pixels"][start:stop], -1, 1)
                action = np.clip(file["action"][start : stop - 1].astype(np.float32), -1, 1)
                writer.add(tc.Episode({"pixels": np.ascontiguousarray(pixels)}, action))
    batch = workloads.windows(tc.data.open(folder))
    pixels = batch().observation["pixels"]
    seconds = cpu_seconds(batch, 1, batches)[0] / workloads.BATCH
    return {"seconds": seconds, "pixels": str(pixels.dtype), "shape": pixels.shape}


def lewm(work: Path) -> Any:
    """Return a model with the other package's weights; it clips no action and does not normalise them."""
    import tacit as tc

    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, SIZE, SIZE))}, tc.Box((-100.0,) * 2, (100.0,) * 2, "delta"))
    raw = tc.types.Statistics({"action": (0.0,) * 2}, {"action": (1.0,) * 2})
    return tc.published.convert(work / "lewm.safetensors", spec=spec, predictor_heads=16, statistics=raw)


def plan(work: Path) -> dict[str, Any]:
    """Time one decision of an agent, then repeat the other package's search with its candidates and its noise."""
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

    def energies(blocks: Any) -> Any:
        context = tc.types.Context(latent)
        return cost(tc.types.Rollout(latent[:, -1], model.rollout(context, blocks), blocks, target))

    def score(rows: Any) -> Any:
        return energies(rows.unflatten(2, (5, BLOCK)).flatten(3))

    with torch.no_grad():
        own = 192 * energies(shared["candidates"])
        space = model.config.spec.action
        found = planner(tc.types.Problem(score, space, 5 * BLOCK, TheirNoise(1234), device="cpu"))
    difference = ((own - shared["energies"]).abs() / shared["energies"].abs()).max().item()
    same = rounds(energies, found, work / "theirs_plan.safetensors")
    return {"seconds": seconds, "largest_relative_energy_difference": difference, **same}


class TheirNoise:
    """Normal numbers of stable-worldmodel: from one torch generator, round after round."""

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


def rounds(energies: Any, found: Any, theirs: Path) -> dict[str, object]:
    """Compare both searches round by round: energies of the candidates, and the means.

    The means are equal until rounding orders two candidates at the edge of the elite differently.
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
            energy.append(((192 * energies(candidates) - costs).abs() / costs.abs()).max().item())
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


def train(steps: int) -> dict[str, Any]:
    import workloads

    return {"seconds": workloads.training_step(steps)}


if __name__ == "__main__":
    answer(first_frame=first_frame, frames=frames, windows=windows, plan=plan, train=train)

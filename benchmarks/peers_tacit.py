"""Tacit's rows of `peers.py`: the public calls of the tutorial on one thread, in a process of their own."""

import time
from pathlib import Path
from typing import Any, Literal

SIZE, BLOCK = 64, 5


def first_frame() -> dict[str, Any]:
    import tacit as tc

    frame = tc.envs.TwoRooms(size=SIZE).reset(seed=0)["pixels"]
    return {"seconds": time.process_time(), "shape": frame.shape}


def frames(worlds: int, steps: int) -> dict[str, Any]:
    import workloads
    from tacit.studies.speed import cpu_seconds

    return {"seconds": cpu_seconds(workloads.frames(worlds), 1, steps)[0] / worlds}


def windows(work: str, batches: int) -> dict[str, Any]:
    """Read random windows of the other package's own recording, converted once."""
    import h5py
    import numpy as np

    import tacit as tc
    import workloads
    from tacit.studies.speed import cpu_seconds

    folder = Path(work) / "rooms_tacit"
    if not folder.exists():
        with h5py.File(folder.with_name("rooms_hdf5.h5")) as file, tc.data.Writer(folder, workloads.SPEC) as writer:
            for start, length in zip(file["ep_offset"][:], file["ep_len"][:], strict=True):
                stop = start + length
                if length < 2:  # an episode of a single frame, which holds no window
                    continue
                pixels = np.moveaxis(file["pixels"][start:stop], -1, 1)
                action = np.clip(file["action"][start : stop - 1].astype(np.float32), -1, 1)
                writer.add(tc.Episode({"pixels": np.ascontiguousarray(pixels)}, action))
    batch = workloads.windows(str(folder))
    pixels = batch().observation["pixels"]
    seconds = cpu_seconds(batch, 1, batches)[0] / workloads.BATCH
    return {"seconds": seconds, "pixels": str(pixels.dtype), "shape": pixels.shape}


def lewm(work: str) -> Any:
    """Return a model with the other package's weights; it clips no action and does not normalise them."""
    import tacit as tc

    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, SIZE, SIZE))}, tc.Box((-100.0,) * 2, (100.0,) * 2, "delta"))
    raw = tc.types.Statistics({"action": (0.0,) * 2}, {"action": (1.0,) * 2})
    return tc.published.convert(Path(work) / "lewm.safetensors", spec=spec, predictor_heads=16, statistics=raw)


def plan(work: str, precision: Literal["float32", "low"] = "float32") -> dict[str, Any]:
    """Time one decision of an agent, and compare the energies of the same candidates in both packages."""
    import numpy as np
    import torch
    from safetensors.torch import load_file

    import tacit as tc

    model, shared = lewm(work), load_file(Path(work) / "plan.safetensors")
    planner = tc.planners.CEM(samples=300, iterations=30, elites=30, std=0.01, min_std=0.0, result="mean")
    cost = tc.costs.Goal()
    agent = tc.Agent(model, planner, cost, horizon=5, replan_every=5, precision=precision)
    rng = np.random.default_rng(0)
    seen, goal = ({"pixels": rng.integers(0, 256, (1, 3, SIZE, SIZE), dtype=np.uint8)} for _ in range(2))
    begin = time.process_time()
    _, verdict, _ = agent.act(agent.start(seed=0, goal=goal), seen)
    seconds = time.process_time() - begin
    latent, blocks = shared["latent"], shared["candidates"]
    with torch.no_grad():
        imagined, target = model.rollout(tc.types.Context(latent), blocks), shared["goal_latent"][:, 0]
        own = 192 * cost(tc.types.Rollout(latent[:, -1], imagined, blocks, target))
    difference = ((own - shared["energies"]).abs() / shared["energies"].abs()).max().item()
    assert verdict.plan is not None, "the first act plans"
    return {
        "seconds": seconds,
        "largest_relative_energy_difference": difference,
        "energy": float(verdict.plan.energy[0]),
    }


def train(steps: int) -> dict[str, Any]:
    import workloads

    return {"seconds": workloads.lewm_step(steps)}

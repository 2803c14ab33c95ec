"""Work of `peers.py` in the environment of stable-worldmodel, by the calls of its README and training script.

The LeWM of planning and training has the sizes of its published configuration.
"""

import itertools
import time
from pathlib import Path
from typing import Any

SIZE, WINDOW, BATCH, BLOCK = 64, 4, 32, 5
SUFFIXES = {"hdf5": ".h5", "lance": ".lance", "folder": ""}


def first_frame() -> dict[str, Any]:
    import stable_worldmodel as swm

    world = swm.World("swm/TwoRoom-v1", num_envs=1, image_shape=(SIZE, SIZE))
    world.reset(seed=0)
    frame = world.infos["pixels"]
    return {"seconds": time.process_time(), "shape": list(frame.shape)}


def frames(num_envs: int, steps: int) -> dict[str, Any]:
    import stable_worldmodel as swm
    from stable_worldmodel.policy import RandomPolicy

    world = swm.World("swm/TwoRoom-v1", num_envs=num_envs, image_shape=(SIZE, SIZE), max_episode_steps=10**6)
    world.set_policy(RandomPolicy(seed=0))
    world.reset(seed=0)
    for _ in world._run_iter(max_steps=max(2, steps // 10)):
        pass
    begin = time.process_time()
    for _ in world._run_iter(max_steps=steps):
        pass
    return {"seconds": (time.process_time() - begin) / (steps * num_envs)}


def recording(folder: str, form: str) -> Path:
    return Path(folder) / f"rooms_{form}{SUFFIXES[form]}"


def record(folder: str) -> dict[str, Any]:
    """Collect episodes and write them in the formats that are compared."""
    import stable_worldmodel as swm
    from stable_worldmodel.policy import RandomPolicy

    for form in SUFFIXES:
        world = swm.World("swm/TwoRoom-v1", num_envs=4, image_shape=(SIZE, SIZE), max_episode_steps=100)
        world.set_policy(RandomPolicy(seed=0))
        world.collect(recording(folder, form), episodes=100, seed=0, format=form, progress=False)
    return {"formats": list(SUFFIXES)}


def windows(folder: str, form: str, batches: int) -> dict[str, Any]:
    import stable_worldmodel as swm
    import torch

    keys = ["pixels", "action"]
    dataset = swm.data.load_dataset(str(recording(folder, form)), num_steps=WINDOW, keys_to_load=keys)
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=BATCH, shuffle=True, drop_last=True, generator=torch.Generator().manual_seed(0)
    )
    endless = itertools.chain.from_iterable(itertools.repeat(loader))
    first = next(endless)
    begin = time.process_time()
    for _ in range(batches):
        next(endless)
    seconds = (time.process_time() - begin) / (batches * BATCH)
    return {"seconds": seconds, "pixels": str(first["pixels"].dtype), "shape": list(first["pixels"].shape)}


def lewm() -> Any:
    import torch
    from stable_pretraining.backbone.utils import vit_hf
    from stable_worldmodel.wm.lewm.lewm import LeWM
    from stable_worldmodel.wm.lewm.module import MLP, Embedder, Predictor

    torch.manual_seed(0)
    sizes = {"depth": 6, "heads": 16, "dim_head": 64, "mlp_dim": 2048, "dropout": 0.1, "emb_dropout": 0.0}
    model = LeWM(
        encoder=vit_hf("tiny", patch_size=8, image_size=SIZE, pretrained=False, use_mask_token=False),
        predictor=Predictor(num_frames=3, input_dim=192, hidden_dim=192, output_dim=192, **sizes),
        action_encoder=Embedder(input_dim=2 * BLOCK, emb_dim=192),
        projector=MLP(192, 2048, 192, norm_fn=torch.nn.BatchNorm1d),
        pred_proj=MLP(192, 2048, 192, norm_fn=torch.nn.BatchNorm1d),
    )
    for name, parameter in model.named_parameters():
        if "adaLN_modulation" in name:  # zero at the start, which would leave every block without effect
            torch.nn.init.normal_(parameter, std=0.02)
    return model


def observed() -> tuple[Any, dict[str, Any], Any]:
    """Return the model, an observation with its goal, and the generator that drew them."""
    import torch

    model, generator = lewm().eval(), torch.Generator().manual_seed(1)
    pixels, goal = (torch.rand(1, 1, 3, SIZE, SIZE, generator=generator) for _ in range(2))
    return model, {"pixels": pixels, "goal": goal, "action": torch.zeros(1, 1, 2 * BLOCK)}, generator


def weights(folder: str) -> None:
    """Write the weights of the model, and its energies of random candidates."""
    import torch
    from safetensors.torch import save_file

    model, info, generator = observed()
    candidates = torch.randn(1, 300, 5, 2 * BLOCK, generator=generator)
    with torch.inference_mode():
        latent, goal = (model.encode({"pixels": info[name]})["emb"] for name in ("pixels", "goal"))
        expanded = {key: value.unsqueeze(1).expand(1, 300, *value.shape[1:]) for key, value in info.items()}
        energies = model.get_cost(dict(expanded), candidates)
    tensors = {"candidates": candidates, "energies": energies, "latent": latent, "goal_latent": goal}
    for file, values in (("lewm", model.state_dict()), ("plan", tensors)):
        save_file(
            {name: one.clone().contiguous() for name, one in values.items()}, Path(folder) / f"{file}.safetensors"
        )


def plan(_: str, precision: str = "float32") -> dict[str, Any]:
    import gymnasium as gym
    import numpy as np
    import torch
    from stable_worldmodel.policy import PlanConfig
    from stable_worldmodel.solver import CEMSolver

    model, info, _ = observed()
    solver = CEMSolver(model=model, num_samples=300, n_steps=30, topk=30, seed=1234)
    space = gym.spaces.Box(-1, 1, (1, 2), dtype=np.float32)
    solver.configure(action_space=space, n_envs=1, config=PlanConfig(horizon=5, receding_horizon=5, action_block=BLOCK))
    begin = time.process_time()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "autocast"):
        outcome = solver.solve(dict(info))
    seconds = time.process_time() - begin
    return {"seconds": seconds, "energy": outcome["costs"]}


def train(steps: int) -> dict[str, Any]:
    import torch
    from stable_worldmodel.wm.loss import SIGReg

    model, regulariser = lewm().train(), SIGReg(knots=17, num_proj=1024)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=1e-3)
    generator = torch.Generator().manual_seed(0)
    times = []
    for _ in range(steps + 1):
        batch = {
            "pixels": torch.rand(BATCH, WINDOW, 3, SIZE, SIZE, generator=generator),
            "action": torch.rand(BATCH, WINDOW, 2 * BLOCK, generator=generator),
        }
        begin = time.process_time()
        out = model.encode(batch)
        predicted = model.predict(out["emb"][:, :3], out["act_emb"][:, :3])
        loss = (predicted - out["emb"][:, 1:]).pow(2).mean() + 0.09 * regulariser(out["emb"].transpose(0, 1))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        times.append(time.process_time() - begin)
    return {"seconds": sorted(times[1:])[len(times) // 2 - 1]}

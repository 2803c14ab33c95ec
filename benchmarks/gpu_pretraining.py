"""Use of a GPU by V-JEPA 2 pretraining: operations that the method needs, each counted once.

`--set device=cpu size=nano frames=4 side=64 batch=2 steps=2 warm_up=1 --results FILE` shows that it runs.
"""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

import tacit as tc
from tacit import studies
from tacit.diagnostics import training_operations
from tacit.studies import Report, Run, RunResult, Study, at_least, table
from tacit.training.optimizer import adamw, optimizer_step


@dataclass(frozen=True)
class Settings:
    """Size of the model and the batch, steps, and operations per second at the dense bf16 peak of the device."""

    device: str = "cuda"
    size: str = "large"
    frames: int = 16
    side: int = 256
    batch: int = 24
    steps: int = 50
    warm_up: int = 10
    peak: float = 989e12


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, device = run.settings, torch.device(run.settings.device)
    cuda = device.type == "cuda"
    recipe = tc.recipes.VJEPA2(size=chosen.size, clip=chosen.frames, crop=())
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, chosen.side, chosen.side))})
    model = recipe.build_model(spec, seed=0).to(device)
    objective, masks = recipe.build_objective(), recipe.transforms(model)
    draw = torch.Generator(device).manual_seed(0)
    shape = (chosen.batch, chosen.frames, 3, chosen.side, chosen.side)
    videos = torch.randint(0, 256, shape, dtype=torch.uint8, device=device, generator=draw)
    nothing = torch.zeros(chosen.batch, chosen.frames - 1, 0, device=device)
    places = torch.zeros(chosen.batch, dtype=torch.int64)

    def loss(index: int) -> Any:
        clip = tc.Clip({"pixels": videos}, nothing, places, places)
        for transform in masks:
            clip = transform(clip, seed=index, rank=0)
        with torch.autocast(device.type, torch.bfloat16):
            return objective(model.forecast(clip, objective.request()), index).total

    useful = training_operations(loss)
    parameters = [one for one in model.parameters() if one.requires_grad]
    optimizer = adamw(parameters, 5e-4, 0.04)

    seconds = []
    for index in range(chosen.warm_up + chosen.steps):
        begin = time.perf_counter()
        optimizer_step(optimizer, parameters, loss(index), 5e-4, 0.04, None)
        model.update_target(0.99925)
        if cuda:
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    measured = seconds[chosen.warm_up :]
    reached = useful * len(measured) / sum(measured)
    return {
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "useful_operations_a_step": useful,
        "seconds_a_step": {"mean": sum(measured) / len(measured), "median": statistics.median(measured)},
        "operations_a_second": reached,
        "share_of_peak": reached / chosen.peak,
        "peak_memory_bytes": torch.cuda.max_memory_allocated(device) if cuda else None,
    }


def report(results: Mapping[str, RunResult]) -> Report:
    found = results["vit_l"].values
    share, second = 100 * found["share_of_peak"], found["operations_a_second"] / 1e12
    row = (found["device"], f"{second:.1f}", f"{found['seconds_a_step']['median']:.3f}")
    quantity = "V-JEPA 2 pretraining of a ViT-L on one GPU, useful operations"
    target = at_least(quantity, share, 40, "{:.1f} %", ">= {:g} % of the peak")
    return Report([table(("device", "TFLOP/s", "s a step"), [row])], [target])


STUDY = Study(
    name="gpu_pretraining",
    title="Pretraining on a GPU",
    summary="ViT-L/16, videos of 16 frames of 256 px, two masks a clip, bf16, data on the device, 50 steps.",
    command="uv run benchmarks/gpu_pretraining.py",
    cases={"vit_l": Settings()},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

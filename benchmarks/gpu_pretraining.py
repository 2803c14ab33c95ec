"""How much of a GPU V-JEPA 2 pretraining uses: `uv run benchmarks/gpu_pretraining.py`, where there is one.

ViT-L/16 on films of 16 frames of 256 px, two masks a clip, bf16, the published predictor, data on the device. Useful
operations are those that the method needs: context encoder on visible tokens and predictor, forward and backward, and
the target encoder forward, as PyTorch counts products and attention; nothing that is computed twice counts twice. They
are held against 989 TFLOP/s, the dense bf16 peak of an H100, over 50 steps after a warm-up; a profile of one more step
says where the time goes. Elsewhere than on an H100 give its peak: --peak.

With --device cpu --size nano --frames 4 --side 64 --batch 2 --steps 2 it shows that it runs, and no more.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

import tacit as tc
from images import operations_a_step
from tacit.training.optimizer import adamw, descend
from tacit.types import Clip, Modality, Spec

RESULTS = Path(__file__).parent / "results" / "gpu_pretraining.json"
TARGET = 0.4


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", default="large")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--batch", type=int, default=24, help="clips of a step")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--warm-up", type=int, default=10)
    parser.add_argument("--peak", type=float, default=989e12, help="operations a second that the device could do")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    device = torch.device(options.device)
    recipe = tc.recipes.VJEPA2().with_options(
        {"size": options.size, "clip": options.frames, "training.batch_size": options.batch, "crop": []}
    )
    spec = Spec({"pixels": Modality("pixels", (3, options.side, options.side))})
    model = recipe.build_model(spec, seed=0).to(device)
    objective, masks = recipe.build_objective(), recipe.transforms(model)
    draw = torch.Generator(device).manual_seed(0)
    shape = (options.batch, options.frames, 3, options.side, options.side)
    films = torch.randint(0, 256, shape, dtype=torch.uint8, device=device, generator=draw)
    nobody = torch.zeros(options.batch, options.frames - 1, 0, device=device)
    places = torch.zeros(options.batch, dtype=torch.int64)

    def loss(index: int) -> Any:
        clip = Clip({"pixels": films}, nobody, places, places)
        for transform in masks:
            clip = transform(clip, seed=index, rank=0)
        with torch.autocast(device.type, torch.bfloat16):
            return objective(model.forecast(clip, **objective.needs()), index).total

    useful = operations_a_step(loss)
    parameters = [one for one in model.parameters() if one.requires_grad]
    optimizer = adamw(parameters, 5e-4, 0.04)

    def step(index: int) -> None:
        descend(optimizer, parameters, loss(index), 5e-4, 0.04, None)
        model.update_target(0.99925)

    seconds = []
    for index in range(options.warm_up + options.steps):
        begin = time.perf_counter()
        step(index)
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begin)
    measured = seconds[options.warm_up :]
    with profile(
        activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    ) as kept:
        step(0)
    by = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    table = kept.key_averages().table(sort_by=by, row_limit=15, max_name_column_width=60)
    reached = useful * len(measured) / sum(measured)
    record = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "settings": {key: str(value) for key, value in vars(options).items() if key != "results"},
        "useful_operations_a_step": useful,
        "seconds_a_step": {"mean": sum(measured) / len(measured), "median": statistics.median(measured)},
        "operations_a_second": reached,
        "share_of_peak": reached / options.peak,
        "target": TARGET,
        "peak_memory_bytes": torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None,
        "profile": table,
        **tc.checkpoint.provenance(),
    }
    options.results.write_text(json.dumps(record, indent=2) + "\n")
    print(table)
    print(f"{reached / 1e12:.1f} TFLOP/s, {100 * reached / options.peak:.1f} % of {options.peak / 1e12:g} TFLOP/s")


if __name__ == "__main__":
    main()

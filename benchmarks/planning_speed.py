"""What planning with LeWorldModel's predictor costs on one CPU thread, in one run, as ratios and against the floor.

One evaluation of 300 candidates of 5 action blocks from one observed latent, ViT-Tiny LeWM with random
weights, float32, CPU seconds (lower quartile of several runs):

- plain: ``torch.nn.functional.linear``, the whole window of three steps anew for each forecast;
- cache: the same layers, keys and values kept while the window grows, the last block for the last step alone;
- linear: plain, with the layers' own oneDNN linear (what gradients use);
- public: ``WorldModel.rollout`` as a planner calls it;
- bf16: the public path on a bfloat16 copy; onnxruntime: where it is installed, plain exported step by step.

The floor is the number of multiplications and additions of the public path's linear layers, divided by
the best rate that a large matrix product reaches in the same run.

Run: ``OMP_NUM_THREADS=1 uv run --group onnx benchmarks/planning_speed.py`` (about two minutes; ``--plan`` adds a whole
CEM plan). Writes benchmarks/results/planning_speed.json.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

import tacit as tc
from measuring import cpu_seconds, peak_rate, plain_layers
from tacit.nn.kernels import PLAIN, Packed
from tacit.nn.mlp import MLP, Activation
from tacit.recipes.lewm import LeWM
from tacit.types import Context, Rollout

RESULT = Path(__file__).parent / "results" / "planning_speed.json"
SAMPLES, ITERATIONS, HORIZON, REPEATS = 300, 30, 5, 9


class Counting:
    """Plain layers that add up their floating-point operations."""

    def __init__(self) -> None:
        self.operations = 0

    def linear(self, layer: nn.Linear, x: Tensor, activation: Activation = "none") -> Tensor:
        """Count, then compute."""
        self.operations += 2 * x.numel() * layer.out_features
        return PLAIN.linear(layer, x, activation)

    def mlp(self, block: MLP, x: Tensor) -> Tensor:
        """Count, then compute."""
        rows = x.numel() // x.shape[-1]
        self.operations += sum(2 * rows * layer.in_features * layer.out_features for layer in block.linears)
        return PLAIN.mlp(block, x)


def seconds(run: Callable[[], object], repeats: int = REPEATS) -> float:
    """CPU seconds, the lower quartile of ``repeats`` runs after one that is not counted."""
    run()
    return sorted(cpu_seconds(run, repeats))[repeats // 4]


def build() -> tc.models.WorldModel:
    torch.manual_seed(0)
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, 64, 64))}, tc.Box((-1.0, -1.0), (1.0, 1.0)))
    model: tc.models.WorldModel = LeWM().build_model(spec, seed=0).eval()
    for parameter in model.predictor.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.03)
    return model


def step_by_step(model: tc.models.WorldModel, predict: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """The rollout by its definition, with ``predict`` on the whole window for each forecast."""

    def run(latent: Tensor, actions: Tensor) -> Tensor:
        seen = latent.expand(actions.shape[1], -1, -1)
        for step in range(actions.shape[2]):
            first = max(step + 1 - model.history, 0)
            seen = torch.cat([seen, predict(seen[:, first:], actions[0, :, first : step + 1])[:, -1:]], dim=1)
        return seen[None, :, 1:]

    return run


class _Predict(nn.Module):
    def __init__(self, model: tc.models.WorldModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, latents: Tensor, actions: Tensor) -> Tensor:
        return self.model.predict(latents, actions)


def onnx_predict(model: tc.models.WorldModel) -> Callable[[Tensor, Tensor], Tensor]:
    """``model.predict`` in onnxruntime, one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    sessions = {}
    for steps in range(1, model.history + 1):
        buffer = io.BytesIO()
        example = (
            torch.zeros(SAMPLES, steps, model.config.latent),
            torch.zeros(SAMPLES, steps, model.config.action_size),
        )
        torch.onnx.export(
            _Predict(model), example, cast("Any", buffer), input_names=["latents", "actions"], dynamo=False
        )
        sessions[steps] = onnxruntime.InferenceSession(buffer.getvalue(), options, ["CPUExecutionProvider"])

    def predict(latents: Tensor, actions: Tensor) -> Tensor:
        inputs = {"latents": latents.contiguous().numpy(), "actions": actions.contiguous().numpy()}
        return torch.from_numpy(sessions[latents.shape[1]].run(None, inputs)[0])

    return predict


def measure(plan: bool) -> dict[str, object]:
    model = build()
    latent, goal = torch.randn(1, 1, 192), torch.randn(1, 1, 192)
    actions = torch.randn(1, SAMPLES, HORIZON, model.config.action_size).clamp(-1, 1)
    action_encoder: Any = model.action_encoder
    predictor: Any = model.predictor
    encoded = action_encoder(actions)
    slow, counting = step_by_step(model, model.predict), Counting()
    predictor.rollout(latent, encoded[:, 0, :0], encoded, counting)
    counting.mlp(action_encoder, actions)

    def energy(rollout: Tensor) -> Tensor:
        return (rollout[:, :, -1] - goal).square().sum(-1)

    expected = energy(slow(latent, actions))
    error = ((energy(model.rollout(Context(latent), actions)) - expected).abs() / expected).max().item()
    with plain_layers():
        rows = {
            "plain": seconds(lambda: slow(latent, actions), 5),
            "cache": seconds(lambda: predictor.rollout(latent, encoded[:, 0, :0], encoded, PLAIN), 5),
        }
    rows["linear"] = seconds(lambda: slow(latent, actions), 5)
    rows["public"] = seconds(lambda: model.rollout(Context(latent), actions))
    half = copy.deepcopy(predictor).bfloat16()
    packed, parts = Packed(half), [part.bfloat16() for part in (latent, encoded[:, 0, :0], encoded)]

    def bf16() -> Tensor:
        return torch.cat([half.rollout(*parts[:2], some, packed) for some in parts[2].chunk(2, 1)], 1)

    rows["bf16"] = seconds(bf16)
    bf16_error = ((energy(bf16().float()) - expected).abs() / expected).max().item()
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        predict = step_by_step(model, onnx_predict(model))
        rows["onnxruntime"] = seconds(lambda: predict(latent, actions), 5)
    peak = peak_rate()
    floor = counting.operations / peak
    report: dict[str, object] = {
        "seconds": {name: round(value, 4) for name, value in rows.items()},
        "times_plain": {name: round(rows["plain"] / value, 2) for name, value in rows.items()},
        "gigaflop": round(counting.operations / 1e9, 1),
        "peak_gigaflop_per_second": round(peak / 1e9),
        "floor_seconds": round(floor, 4),
        "public_over_floor": round(rows["public"] / floor, 2),
        "energy_relative_error": {"public": error, "bf16": bf16_error},
        "cpu": cpu_name(),
    }
    if plan:
        report["plan_seconds"] = round(cem(model, latent, goal[:, 0]), 2)
    return report


def cem(model: tc.models.WorldModel, latent: Tensor, goal: Tensor) -> float:
    """CPU seconds of one CEM plan, 300 samples, 30 iterations, 5 blocks."""
    cost, space = tc.costs.Goal(), tc.Box((-1.0,) * model.config.action_size, (1.0,) * model.config.action_size)
    planner = tc.planners.CEM(samples=SAMPLES, iterations=ITERATIONS, elites=30)
    noise = tc.planners.WorldNoise((0,))

    def score(actions: Tensor) -> Tensor:
        energies: Tensor = cost(Rollout(latent[:, -1], model.rollout(Context(latent), actions), actions, goal))
        return energies

    return seconds(lambda: planner(tc.types.Problem(score, space, HORIZON, noise, device="cpu")), 1)


def cpu_name() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", action="store_true", help="time a whole CEM plan too")
    parser.add_argument("--results", type=Path, default=RESULT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode():
        report = measure(arguments.plan)
    text = json.dumps({**report, **tc.checkpoint.provenance()}, indent=2) + "\n"
    arguments.results.write_text(text)
    print(text)


if __name__ == "__main__":
    main()

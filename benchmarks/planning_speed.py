"""Planning with LeWorldModel's predictor on one CPU thread: ratios in one run, and the limit of the machine.

One evaluation of 300 candidates of 5 action blocks from one observed latent, random weights, float32:

- plain: `torch.nn.functional.linear`, the whole window of three steps again for each forecast;
- cache: the same layers, keys and values kept while the window grows, the last block for the last step alone;
- linear: plain, with the layers' own oneDNN linear (the one with gradients);
- public: `WorldModel.rollout` as a planner calls it;
- bf16: the public path on a bfloat16 copy; onnxruntime: plain, exported step by step.

The limit is the operations of the public path's linear layers at the best rate of a large matrix product in the same
run.
"""

import copy
import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

import tacit as tc
from tacit import studies
from tacit.nn.kernels import PLAIN, Packed
from tacit.nn.mlp import MLP, Activation
from tacit.recipes.lewm import LeWM
from tacit.studies import Report, Run, RunResult, Study, table
from tacit.types import Context
from timing import cpu_seconds, peak_rate, plain_layers

SAMPLES, HORIZON, REPEATS = 300, 5, 9


@dataclass(frozen=True)
class Settings:
    """Rounds of the slow paths."""

    repeats: int = 5


class Counting:
    """Plain layers that add up their operations."""

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
    """Return CPU seconds, the lower quartile of ``repeats`` runs after one that is not counted."""
    run()
    return sorted(cpu_seconds(run, repeats))[repeats // 4]


def build() -> tc.models.WorldModel:
    """Return LeWorldModel with random weights."""
    torch.manual_seed(0)
    spec = tc.Spec({"pixels": tc.Modality("pixels", (3, 64, 64))}, tc.Box((-1.0, -1.0), (1.0, 1.0)))
    model: tc.models.WorldModel = LeWM().build_model(spec, seed=0).eval()
    for parameter in model.predictor.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.03)
    return model


def step_by_step(model: tc.models.WorldModel, predict: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return the rollout by its definition, with ``predict`` on the whole window for each forecast."""

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
    """Return ``model.predict`` in onnxruntime, one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    sessions = {}
    for steps in range(1, model.history + 1):
        buffer = io.BytesIO()
        sizes, names = (model.config.latent, model.config.action_size), ["latents", "actions"]
        example = tuple(torch.zeros(SAMPLES, steps, size) for size in sizes)
        torch.onnx.export(_Predict(model), example, cast("Any", buffer), input_names=names, dynamo=False)
        sessions[steps] = onnxruntime.InferenceSession(buffer.getvalue(), options, ["CPUExecutionProvider"])

    def predict(latents: Tensor, actions: Tensor) -> Tensor:
        inputs = {"latents": latents.contiguous().numpy(), "actions": actions.contiguous().numpy()}
        return torch.from_numpy(sessions[latents.shape[1]].run(None, inputs)[0])

    return predict


@torch.inference_mode()
def measure(run: Run[Settings]) -> dict[str, Any]:
    model, repeats = build(), run.settings.repeats
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

    def error(rollout: Tensor) -> float:
        return ((energy(rollout) - expected).abs() / expected).max().item()

    errors = {"public": error(model.rollout(Context(latent), actions))}
    with plain_layers():
        rows = {
            "plain": seconds(lambda: slow(latent, actions), repeats),
            "cache": seconds(lambda: predictor.rollout(latent, encoded[:, 0, :0], encoded, PLAIN), repeats),
        }
    rows["linear"] = seconds(lambda: slow(latent, actions), repeats)
    rows["public"] = seconds(lambda: model.rollout(Context(latent), actions))
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        half = copy.deepcopy(predictor).bfloat16()
        packed, parts = Packed(half), [part.bfloat16() for part in (latent, encoded[:, 0, :0], encoded)]

        def bf16() -> Tensor:
            return torch.cat([half.rollout(*parts[:2], some, packed) for some in parts[2].chunk(2, 1)], 1)

        rows["bf16"] = seconds(bf16)
        errors["bf16"] = error(bf16().float())
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        predict = step_by_step(model, onnx_predict(model))
        rows["onnxruntime"] = seconds(lambda: predict(latent, actions), repeats)
    peak = peak_rate()
    limit = counting.operations / peak
    return {
        "seconds": {name: round(value, 4) for name, value in rows.items()},
        "times_plain": {name: round(rows["plain"] / value, 2) for name, value in rows.items()},
        "gigaflop": round(counting.operations / 1e9, 1),
        "peak_gigaflop_per_second": round(peak / 1e9),
        "limit_seconds": round(limit, 4),
        "public_over_limit": round(rows["public"] / limit, 2),
        "energy_relative_error": errors,
    }


def report(results: Mapping[str, RunResult]) -> Report:
    found = results["lewm"].values
    rows = [(name, f"{value:.3f}", f"{found['times_plain'][name]:.2f}x") for name, value in found["seconds"].items()]
    limit = f"limit: {found['gigaflop']} GFLOP at {found['peak_gigaflop_per_second']} GFLOP/s"
    rows.append((limit, f"{found['limit_seconds']:.3f}", f"public: {found['public_over_limit']:.2f}x the limit"))
    if "bf16" in found["energy_relative_error"]:
        error = f"{found['energy_relative_error']['bf16']:.1e}"
        rows.append(("largest relative error of bf16 energies", "", error))
    return Report([table(("path", "CPU s", "against plain"), rows)])


STUDY = Study(
    name="planning_speed",
    title="Speed of planning",
    summary="One evaluation of 300 candidates of 5 blocks with LeWorldModel's predictor, float32 but bf16, one thread.",
    command="OMP_NUM_THREADS=1 uv run --group onnx benchmarks/planning_speed.py",
    cases={"lewm": Settings()},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

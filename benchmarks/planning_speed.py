"""Planning with LeWorldModel's predictor on one CPU thread, next to plain layers, onnxruntime and the machine's limit.

`plain` and `onnxruntime` compute the whole window of three steps again for each forecast; `public` is
`WorldModel.rollout` as a planner calls it. The limit is its operations at the best rate of a large matrix product.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

import tacit as tc
from tacit import studies
from tacit.diagnostics import operations, peak_rate
from tacit.nn.linear import plain_layers
from tacit.studies import Report, Run, RunResult, Study, table
from tacit.studies.speed import cpu_seconds
from workloads import SPEC

SAMPLES, HORIZON = 300, 5


@dataclass(frozen=True)
class Settings:
    """Rounds of each path; the lower quartile of their times counts."""

    repeats: int = 5


def step_by_step(model: Any, predict: Callable[[Tensor, Tensor], Tensor], actions: Tensor, latent: Tensor) -> Tensor:
    """Roll out by the definition, with ``predict`` on the whole window for each forecast."""
    seen = latent.expand(SAMPLES, -1, -1)
    for step in range(HORIZON):
        first = max(step + 1 - model.history, 0)
        seen = torch.cat([seen, predict(seen[:, first:], actions[0, :, first : step + 1])[:, -1:]], dim=1)
    return seen[None, :, 1:]


def onnx_predict(model: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """Return ``model.predict`` in onnxruntime, one thread."""
    import onnxruntime

    class Predict(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, latents: Tensor, actions: Tensor) -> Tensor:
            out: Tensor = self.model.predict(latents, actions)
            return out

    options, sessions = onnxruntime.SessionOptions(), {}
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    for steps in range(1, model.history + 1):
        buffer = io.BytesIO()
        example = tuple(torch.zeros(SAMPLES, steps, size) for size in (model.config.latent, model.config.action_size))
        torch.onnx.export(
            Predict().eval(), example, cast("Any", buffer), input_names=["latents", "actions"], dynamo=False
        )
        sessions[steps] = onnxruntime.InferenceSession(buffer.getvalue(), options, ["CPUExecutionProvider"])

    def predict(latents: Tensor, actions: Tensor) -> Tensor:
        inputs = {"latents": latents.contiguous().numpy(), "actions": actions.contiguous().numpy()}
        return torch.from_numpy(sessions[latents.shape[1]].run(None, inputs)[0])

    return predict


def measure(run: Run[Settings]) -> dict[str, Any]:
    torch.manual_seed(0)
    model = tc.recipes.LeWM().build_model(SPEC, seed=0).eval()
    for parameter in (one for one in model.predictor.parameters() if one.ndim > 1):
        nn.init.normal_(parameter, std=0.03)
    latent, actions = torch.randn(1, 1, 192), torch.rand(1, SAMPLES, HORIZON, model.config.action_size)
    context, repeats = tc.types.Context(latent), run.settings.repeats
    count, peak, exported = operations(lambda: model.rollout(context, actions)), peak_rate(), onnx_predict(model)
    tc.tune_cpu()

    def seconds(path: Callable[[], object]) -> float:
        with torch.inference_mode():
            return sorted(cpu_seconds(path, repeats))[repeats // 4]

    with plain_layers():
        plain = seconds(lambda: step_by_step(model, model.predict, actions, latent))
    rows = {"plain": plain, "public": seconds(lambda: model.rollout(context, actions))}
    rows["onnxruntime"] = seconds(lambda: step_by_step(model, exported, actions, latent))
    return {
        "seconds": rows,
        "times_plain": {name: plain / value for name, value in rows.items()},
        "gigaflop": count / 1e9,
        "peak_gigaflop_per_second": peak / 1e9,
        "limit_seconds": count / peak,
        "public_over_limit": rows["public"] / (count / peak),
    }


def report(results: Mapping[str, RunResult]) -> Report:
    found = results["lewm"].values
    rows = [(name, f"{value:.3f}", f"{found['times_plain'][name]:.2f}x") for name, value in found["seconds"].items()]
    limit = "limit: {gigaflop:.1f} GFLOP at {peak_gigaflop_per_second:.0f} GFLOP/s".format_map(found)
    rows.append((limit, f"{found['limit_seconds']:.3f}", f"public: {found['public_over_limit']:.2f}x the limit"))
    return Report([table(("path", "CPU s", "against plain"), rows)])


STUDY = Study(
    name="planning_speed",
    title="Speed of planning",
    summary="One evaluation of 300 candidates of 5 blocks with LeWorldModel's predictor, float32, one thread.",
    command="OMP_NUM_THREADS=1 uv run --group onnx benchmarks/planning_speed.py",
    cases={"lewm": Settings()},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

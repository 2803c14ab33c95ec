"""What a training step costs: SIGReg against its formula, the loop against a bare one, bf16 against float32.

OMP_NUM_THREADS=1 python benchmarks/training.py
"""

import tempfile
from collections.abc import Callable
from itertools import count

import numpy as np
import torch
from torch import Tensor

import tacit as tc
from measuring import cpu_seconds
from tacit.objectives.sigreg import KNOTS, directions, epps_pulley
from tacit.types import Box, Clip, Episode, Modality, Spec


def milliseconds(work: Callable[[int], object], repeats: int) -> float:
    """Median CPU time of one call."""
    indices = count()
    return 1e3 * float(np.median(cpu_seconds(lambda: work(next(indices)), repeats + 1)[1:]))


def as_written(samples: Tensor, axes: Tensor) -> Tensor:
    """SIGReg as its formula stands, with autograd's gradient."""
    knots = torch.linspace(0, 3, KNOTS)
    weights = torch.full((KNOTS,), 2 * 3 / 16)
    weights[0] = weights[-1] = 3 / 16
    gaussian = torch.exp(-knots.square() / 2)
    angle = (samples @ axes).unsqueeze(-1) * knots
    gap = (angle.cos().mean(-3) - gaussian).square() + angle.sin().mean(-3).square()
    return (gap @ (weights * gaussian)).mean() * samples.shape[-2]


def there_and_back(function: Callable[[Tensor, Tensor], Tensor], samples: Tensor, axes: Tensor) -> float:
    """Milliseconds of a forward and a backward pass."""

    def both(_index: int) -> None:
        function(samples.clone().requires_grad_(), axes).backward()  # type: ignore[no-untyped-call]

    return milliseconds(both, 7)


def sigreg() -> None:
    """Forward and backward, ours and as written."""
    for shape, slices in (((4, 128, 192), 1024), ((1, 1024, 192), 1024), ((16, 64, 128), 256), ((5, 64, 32), 1024)):
        samples, axes = torch.randn(shape), directions(shape[-1], slices, seed=0)
        ours, plain = (there_and_back(function, samples, axes) for function in (epps_pulley, as_written))
        gemms = 6 * samples.numel() * slices / 1e9
        print(f"SIGReg {shape} x {slices}: {ours:.1f} ms, as written {plain:.1f} ms; {gemms:.2f} GFLOP of products")


def loop(steps: int = 1000) -> None:
    """Overhead of the loop over a bare one, on a model so small that little else is left."""
    rng = np.random.default_rng(0)
    spec = Spec({"state": Modality("vector", (4,))}, Box((-1.0, -1.0), (1.0, 1.0)))
    made = [
        Episode({"state": rng.normal(size=(50, 4)).astype(np.float32)}, rng.uniform(-1, 1, (49, 2)).astype(np.float32))
        for _ in range(20)
    ]
    clips = tc.data.from_episodes(made, spec).clips(4)
    encoders = {"pixels": {"features": 32}}
    model = tc.models.WorldModel.for_spec(spec, latent=8, encoders=encoders, predictor={"width": 32})
    objective = tc.objectives.Prediction() + 0.09 * tc.objectives.SIGReg(slices=16)

    def bare() -> None:
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        for step in range(steps):
            total = objective(model.forecast(clips.batch(0, step, 32)), step).total
            optimizer.zero_grad()
            total.backward()
            optimizer.step()

    def ours() -> None:
        with tempfile.TemporaryDirectory() as to:
            tc.train(model, objective, clips, steps=steps, seed=0, to=to, batch_size=32)

    bare()
    results = {}
    for name, work in (("bare loop", bare), ("tc.train", ours)):
        results[name] = 1e6 * cpu_seconds(work, 1)[0] / steps
        print(f"{name}: {results[name]:.0f} us a step")


def step_time(size: str, clip: Clip, bf16: bool, repeats: int) -> float:
    """Milliseconds of a step on a clip of 64 px frames."""
    spec = Spec({"pixels": Modality("pixels", (3, 64, 64))}, Box((-1.0, -1.0), (1.0, 1.0)))
    model = tc.models.WorldModel.for_spec(spec, size=size).train()
    objective = tc.objectives.Prediction(steps=2)
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def step(index: int) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            forecast = model.forecast(clip, 2)
        optimizer.zero_grad()
        objective(forecast, index).total.float().backward()
        optimizer.step()

    return milliseconds(step, repeats)


def precision() -> None:
    """A step in float32 and in bf16."""
    for size, batch, repeats in (("tiny", 64, 12), ("small", 64, 8), ("base", 4, 3)):
        frames = torch.randint(0, 256, (batch, 5, 3, 64, 64), dtype=torch.uint8)
        clip = Clip({"pixels": frames}, torch.rand(batch, 4, 2), torch.zeros(batch), torch.zeros(batch))
        single, half = (step_time(size, clip, bf16, repeats) for bf16 in (False, True))
        print(f"{size}, batch {batch}: float32 {single:.0f} ms a step, bf16 {half:.0f} ms")


if __name__ == "__main__":
    torch.set_num_threads(1)
    sigreg()
    loop()
    precision()

"""Losses of a batch: transforms, forecast and objective as pure functions of the seed and the step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from tacit._seeds import TrainingStream, derive_seed
from tacit.errors import TrainingError
from tacit.models import Model
from tacit.nn.collectives import all_mean, all_true
from tacit.objectives import Losses, Objective
from tacit.training.processes import rank
from tacit.types import Clip, ForecastRequest, Transform
from tacit.types.outcomes import Outcome

__all__ = ["BatchLosses", "seed_generators"]


@dataclass(frozen=True, eq=False)
class BatchLosses:
    """Computation of the losses of a batch.

    Attributes:
        model: The model.
        objective: The objective.
        transforms: Transforms of a batch before the model.
        seed: The seed of the run.
        steps: The number of steps of the run.
        precision: ``float32`` or ``bf16``.
        compile: Compute forecasts with ``torch.compile``.
    """

    model: Model
    objective: Objective
    transforms: tuple[Transform, ...]
    seed: int
    steps: int
    precision: str
    compile: bool = False

    @cached_property
    def _forecast(self) -> Callable[[Clip, ForecastRequest], Outcome]:
        # The function is compiled and not the model, so that checkpoints name the weights as before.
        forecast: Callable[[Clip, ForecastRequest], Outcome] = self.model.forecast
        return torch.compile(forecast) if self.compile else forecast

    def transformed(self, step: int, clip: Clip) -> Clip:
        """Return the transformed batch; a pure function of the clip, the seed and the step."""
        return self._transformed(clip, TrainingStream.TRANSFORM, step)

    def _transformed(self, clip: Clip, stream: TrainingStream, step: int) -> Clip:
        if self.transforms:
            device = self.model.device
            clip = replace(clip, observation={name: value.to(device) for name, value in clip.observation.items()})
        for index, transform in enumerate(self.transforms):
            clip = transform(clip, seed=derive_seed(self.seed, stream, index, step, bits=63), rank=rank())
        return clip

    def __call__(self, step: int, clip: Clip) -> tuple[Losses, Outcome]:
        """Return losses and outcome of a transformed clip, pure functions of weights, clip, seed and step."""
        seed_generators(self.model.device, derive_seed(self.seed, TrainingStream.MODEL, step, rank(), bits=63))
        with self.autocast():
            outcome = self._forecast(clip, self.objective.request())
        if self.precision == "bf16":
            outcome = _as_float32(outcome)
        directions = derive_seed(self.seed, TrainingStream.OBJECTIVE, step, bits=63)
        losses: Losses = self.objective(outcome, directions, (step + 1) / self.steps)
        return losses, outcome

    def autocast(self) -> torch.autocast:
        """Return the context in which the model computes."""
        return torch.autocast(self.model.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def validation(self, step: int, clip: Clip) -> dict[str, float]:
        """Return ``loss`` and the unweighted term losses of an untrained batch, means over all processes.

        Args:
            step: Number of the batch: transforms and random directions are functions of it.
            clip: The part of the batch for this process.
        """
        losses, _ = self(step, self._transformed(clip, TrainingStream.VALIDATION, step))
        values = {"loss": losses.total, **{name: loss.value for name, loss in losses.terms.items()}}
        return {name: all_mean(value.detach()).item() for name, value in values.items()}

    def diagnose(self, step: int, clip: Clip, losses: Losses, parameters: Mapping[str, Tensor], advice: str) -> None:
        """Raise on all processes, naming the term whose loss or gradient is not finite on any of them.

        Raises:
            TrainingError: always.
        """
        for name, loss in losses.terms.items():
            value = all_mean(loss.value.detach())
            if not value.isfinite():
                raise TrainingError(f"step {step}: the loss of term {name!r} is {value.item()}; {advice}.", code="T06")
        again, _ = self(step, clip)
        for name, loss in again.terms.items():
            if loss.value.requires_grad:
                gradients = torch.autograd.grad(
                    loss.value, list(parameters.values()), retain_graph=True, allow_unused=True
                )
                finite = [gradient is None or bool(gradient.isfinite().all()) for gradient in gradients]
                agreed = all_true(torch.tensor(finite, device=self.model.device)).tolist()
                for parameter, fine in zip(parameters, agreed, strict=True):
                    if not fine:
                        raise TrainingError(
                            f"step {step}: the gradient of term {name!r} by {parameter} is not finite; {advice}.",
                            code="T06",
                        )
        raise TrainingError(f"step {step}: the gradient of the whole objective is not finite; {advice}.", code="T06")


def seed_generators(device: torch.device, seed: int) -> None:
    """Seed the generators that a step can use; ``torch.manual_seed`` takes longer than a small step."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type != "cpu":
        torch.manual_seed(seed)


def _as_float32(outcome: Outcome) -> Outcome:
    """Convert an outcome to float32, for means and squares; shared tensors stay shared."""
    if not is_dataclass(outcome) or isinstance(outcome, type):
        raise TypeError(f"a forecast is a dataclass; got {type(outcome).__name__}.")
    converted: dict[int, Tensor] = {}

    def cast(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(cast(item) for item in value)
        return converted.setdefault(id(value), value.float()) if isinstance(value, Tensor) else value

    return replace(outcome, **{field.name: cast(getattr(outcome, field.name)) for field in fields(outcome)})

"""The MLP probe: nonlinear readouts of a representation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from torch import Tensor, nn
from torch.nn import functional as F

from tacit.probing.probes._heads import StackedLinear, Sweep, check_sweep, swept
from tacit.probing.probes._probe import Answer, Part, Probe, Task

__all__ = ["MLP"]


@dataclass(frozen=True)
class MLP(Probe):
    """Two hidden layers on standardised features; tokens are averaged.

    Every learning rate meets every weight decay in one pass of AdamW; rows set aside choose among them and when to
    stop.

    Args:
        width: Of the hidden layers.
        lrs: Learning rates.
        weight_decays: Of the weights.
        epochs: Times that each row is seen, if that makes at least 300 steps.
        batch: Rows of a step.
    """

    width: int = 128
    lrs: tuple[float, ...] = (1e-2, 3e-3, 1e-3)
    weight_decays: tuple[float, ...] = (1e-3,)
    epochs: int = 20
    batch: int = 256

    def __post_init__(self) -> None:
        check_sweep(self.lrs, self.weight_decays, self.epochs, self.batch)

    def read(self, task: Task) -> Answer:
        """Train on the rows to fit, choose on those set aside, and read held-out ones."""
        fit, aside, _, test = task.standard()
        part = Part(fit, task.fit.y)
        ready = Task(part, Part(aside, task.aside.y), part, test, task.classes, task.seed, task.device, task.progress)
        sweep = Sweep(tuple(product(self.lrs, self.weight_decays)), self.epochs, self.batch)
        return swept(ready, sweep, lambda stack, outputs: _Heads(stack, fit.shape[1], self.width, outputs), _same)


class _Heads(nn.Module):
    def __init__(self, stack: int, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.first = StackedLinear(stack, inputs, width)
        self.second = StackedLinear(stack, width, width)
        self.out = StackedLinear(stack, width, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, D]`` to ``[S, B, outputs]``."""
        out: Tensor = self.out(F.gelu(self.second(F.gelu(self.first(x[None])))))
        return out


def _same(x: Tensor) -> Tensor:
    return x

"""MLP probe: nonlinear readouts of a representation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

from torch import Tensor, nn
from torch.nn import functional as F

from tacit.probing.probes._heads import StackedLinear, Sweep, check_sweep, train_heads
from tacit.probing.probes._probe import LabelledRows, Prediction, Probe, Task

__all__ = ["MLP"]


@dataclass(frozen=True)
class MLP(Probe):
    """Two hidden layers on standardised features; tokens are averaged.

    All pairs of learning rate and weight decay are trained in one pass of AdamW. The best head and the end of training
    are chosen on validation rows.

    Args:
        width: Width of the hidden layers.
        lrs: Learning rates to try.
        weight_decays: Weight decays to try.
        epochs: Passes over the rows, at least 300 steps.
        batch: Rows in a step.
    """

    width: int = 128
    lrs: tuple[float, ...] = (1e-2, 3e-3, 1e-3)
    weight_decays: tuple[float, ...] = (1e-3,)
    epochs: int = 20
    batch: int = 256

    def __post_init__(self) -> None:
        check_sweep(self.lrs, self.weight_decays, self.epochs, self.batch)

    def fit_predict(self, task: Task) -> Prediction:
        """Train on the rows to fit, choose on validation rows, and predict held-out rows."""
        fit, validation, _, test = task.standard()
        rows = LabelledRows(fit, task.fit.y)
        chosen_on = LabelledRows(validation, task.validation.y)
        ready = replace(task, fit=rows, validation=chosen_on, whole=rows, test=test)
        sweep = Sweep(tuple(product(self.lrs, self.weight_decays)), self.epochs, self.batch)
        return train_heads(ready, sweep, lambda stack, outputs: _Heads(stack, fit.shape[1], self.width, outputs), _same)


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

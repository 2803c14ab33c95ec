"""Many small heads trained at once on the same batches. Their parameters are stacked along a first axis ``S``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer

from tacit._progress import track
from tacit._scales import varies
from tacit.errors import ConfigError, TrainingError
from tacit.probing.lazy_rows import Rows
from tacit.probing.probes._probe import Prediction, Task, selection_loss
from tacit.training.optimizer import lr_factor, optimizer_step

__all__ = ["StackedLinear", "StackedNorm", "Sweep", "check_sweep", "matrix", "train_heads"]

CHECKS = 10
LEAST = 300
WARMUP = 0.05
CHUNK = 256
HUGE = 1e12

Prepare: TypeAlias = Callable[[Tensor], Tensor]
Build: TypeAlias = Callable[[int, int], nn.Module]


def matrix(stack: int, inputs: int, outputs: int, zero: bool = False) -> nn.Parameter:
    """Create weights ``[S, inputs, outputs]``, equal for all heads. A head then does not depend on its neighbours."""
    bound = 0.0 if zero else inputs**-0.5
    return nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound).repeat(stack, 1, 1))


class StackedLinear(nn.Module):
    """``S`` linear layers."""

    def __init__(self, stack: int, inputs: int, outputs: int, zero: bool = False) -> None:
        super().__init__()
        self.weight = matrix(stack, inputs, outputs, zero)
        self.bias = nn.Parameter(torch.zeros(stack, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[S or 1, N, inputs]`` to ``[S, N, outputs]``."""
        return torch.baddbmm(self.bias[:, None], x.expand(len(self.weight), -1, -1), self.weight)


class StackedNorm(nn.Module):
    """``S`` LayerNorms."""

    def __init__(self, stack: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(stack, width))
        self.bias = nn.Parameter(torch.zeros(stack, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[S or 1, N, width]`` to ``[S, N, width]``."""
        return torch.addcmul(self.bias[:, None], F.layer_norm(x, x.shape[-1:]), self.weight[:, None])


@dataclass(frozen=True)
class Sweep:
    """Training settings of heads.

    Attributes:
        settings: Learning rate and weight decay of each head.
        epochs: Passes over the rows, at least 300 steps.
        batch: Rows in a step.
    """

    settings: tuple[tuple[float, float], ...]
    epochs: int
    batch: int


def check_sweep(lrs: Sequence[float], weight_decays: Sequence[float], epochs: int, batch: int) -> None:
    """Raise if the settings train nothing.

    Raises:
        ConfigError: naming them.
    """
    fine = lrs and weight_decays and min(lrs) > 0 and min(weight_decays) >= 0
    if not fine or min(epochs, batch) < 1:
        raise ConfigError(
            "a sweep needs learning rates above 0, weight decays of 0 or more, and epochs and batch of at least 1; "
            f"got {tuple(lrs)}, {tuple(weight_decays)}, {epochs} and {batch}."
        )


def train_heads(task: Task, sweep: Sweep, build: Build, prepare: Prepare) -> Prediction:
    """Train a head for each setting in one pass, and predict with the best one.

    Each head is scored on the validation rows ten times during training. The best head at its best time predicts the
    held-out rows.

    Args:
        task: Data and settings.
        sweep: The settings and how long.
        build: From the number of heads and of outputs to a module ``[B, ...]`` to ``[S, B, outputs]``.
        prepare: Preprocessing of a batch of features for the heads.

    Raises:
        TrainingError: if no head keeps a finite loss.
    """
    shift, scale = _spread(task.fit.y)
    targets = (task.fit.y, task.validation.y)
    goals = [y if task.classes is not None else ((y - shift) / scale).float() for y in targets]
    size = task.classes or task.fit.y.shape[1]
    heads = _built(build, len(sweep.settings), size, task)
    least, best = _trained(heads, task, goals, sweep, prepare)
    if not least.isfinite().any():
        raise TrainingError("no head of the sweep has a finite loss. Give it smaller learning rates.")
    chosen = int(least.argmin())
    one = _built(build, 1, size, task)
    one.load_state_dict({name: value[chosen, None] for name, value in best.items()})
    outputs = _read(one, task.test, prepare, task.device)[0]
    lr, weight_decay = sweep.settings[chosen]
    predicted = outputs.argmax(dim=-1) if task.classes is not None else outputs.double() * scale + shift
    return predicted, {"lr": lr, "weight_decay": weight_decay}


def _trained(
    heads: nn.Module, task: Task, goals: Sequence[Tensor], sweep: Sweep, prepare: Prepare
) -> tuple[Tensor, dict[str, Tensor]]:
    """Train the heads; return the lowest error of each ``[S]``, and its parameters then."""
    parameters = list(heads.parameters())
    for parameter in parameters:
        parameter.register_hook(_tame)  # type: ignore[no-untyped-call]
    optimizer = StackedAdamW(parameters, sweep.settings)
    count = len(task.fit.x)
    steps = max(sweep.epochs * -(-count // sweep.batch), LEAST)
    order = _order(count, sweep.batch, task.seed)
    least, best = torch.full((len(sweep.settings),), torch.inf), dict[str, Tensor]()
    alive = torch.ones(len(sweep.settings), dtype=torch.bool, device=task.device)
    for step in track(range(steps), steps, "steps of the heads", show=task.progress):
        rows = next(order)
        x, y = prepare(task.fit.x[rows].to(task.device)), goals[0][rows].to(task.device)
        losses = _losses(heads(x), y)
        alive &= losses.isfinite()
        loss = torch.where(alive, losses, 0.0).sum()
        lr = lr_factor(step, steps, warmup=WARMUP, end=0.0)
        norm, stepped = optimizer_step(optimizer, parameters, loss, lr, 1.0, None)
        if not stepped:
            raise TrainingError(f"step {step}: the loss of the heads is {loss.item()}, its gradient {norm.item()}.")
        if (step + 1) % (steps // CHECKS) == 0 or step + 1 == steps:
            bad = selection_loss(_read(heads, task.validation.x, prepare, task.device), goals[1])
            bad = bad.masked_fill(~alive.cpu(), torch.inf)
            best = _kept(best, heads.state_dict(), bad < least)
            least = torch.minimum(least, bad)
    return least, best


class StackedAdamW(Optimizer):
    """AdamW with a learning rate and a weight decay for each head. The group's values are factors of these."""

    def __init__(
        self,
        parameters: Sequence[nn.Parameter],
        settings: Sequence[tuple[float, float]],
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, {"lr": 1.0, "weight_decay": 1.0, "decays": True})
        table = torch.tensor(settings, dtype=torch.float32, device=parameters[0].device)
        self._lr, self._decay = table.unbind(dim=1)
        self._betas, self._eps, self._count = betas, eps, 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update the parameters once. Vectors, which have two axes where they are stacked, do not decay."""
        del closure
        self._count += 1
        first, second = self._betas
        correction = (1 - second**self._count) ** 0.5
        for group in self.param_groups:
            lr, decay = group["lr"] * self._lr, group["weight_decay"] * self._decay
            for parameter in group["params"]:
                state, gradient = self.state[parameter], parameter.grad
                if not state:
                    state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
                axes = (-1, *[1] * (parameter.ndim - 1))
                if parameter.ndim > 2:
                    parameter.mul_(1 - (lr * decay).reshape(axes))
                mean, square = state["mean"].lerp_(gradient, 1 - first), state["square"]
                square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
                size = (square.sqrt() / correction).add_(self._eps)
                parameter.sub_(mean / size * (lr / (1 - first**self._count)).reshape(axes))


def _built(build: Build, stack: int, outputs: int, task: Task) -> nn.Module:
    """Build heads whose first weights are a function of the seed. The global random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.seed)
        return build(stack, outputs).to(task.device)


def _order(count: int, batch: int, seed: int) -> Iterator[Tensor]:
    """Yield batches of rows without end.

    Each row comes once before any comes again. Rows that do not fill a batch are left out.
    """
    generator = torch.Generator().manual_seed(seed)
    while True:
        rows = torch.randperm(count, generator=generator)
        yield from torch.split(rows[: max(count // batch, 1) * batch], batch)


def _spread(y: Tensor) -> tuple[Tensor, Tensor]:
    if not y.is_floating_point():
        return torch.zeros(()), torch.ones(())
    std, mean = torch.std_mean(y, dim=0, correction=0)
    return mean, torch.where(varies(std, y.abs().amax(dim=0)), std, 1.0)


def _losses(outputs: Tensor, y: Tensor) -> Tensor:
    """Return the mean loss ``[S]`` of each head."""
    if y.is_floating_point():
        return (outputs - y).square().mean(dim=(1, 2))
    logs = outputs.log_softmax(dim=-1)
    return -logs.gather(2, y.expand(len(outputs), -1)[..., None]).mean(dim=(1, 2))


def _tame(gradient: Tensor) -> Tensor:
    """Return a gradient that can be added up: a head that diverged must not stop the step of the others."""
    return gradient.nan_to_num(0.0).clamp(-HUGE, HUGE)


def _kept(best: Mapping[str, Tensor], now: Mapping[str, Tensor], better: Tensor) -> dict[str, Tensor]:
    """Return the parameters of each head when it was best."""
    if not best:
        return {name: value.clone() for name, value in now.items()}
    return {
        name: torch.where(better.to(value.device).reshape(-1, *[1] * (value.ndim - 1)), value, best[name])
        for name, value in now.items()
    }


@torch.no_grad()
def _read(heads: nn.Module, x: Rows, prepare: Prepare, device: torch.device) -> Tensor:
    """Return outputs ``[S, N, ...]`` on the CPU."""
    index = torch.split(torch.arange(len(x)), CHUNK)
    return torch.cat([heads(prepare(x[rows].to(device))).cpu() for rows in index], dim=1)

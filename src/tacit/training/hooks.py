"""Hooks: evaluations during training, and reasons to stop it.

A hook has no state of its own: what it returns is a function of its arguments. So a resumed run ends with the same
bytes as an uninterrupted one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from tacit._registry import suggest
from tacit.data.clips import Clips
from tacit.errors import ConfigError
from tacit.models import Model
from tacit.training.log import Record
from tacit.training.losses import BatchLosses
from tacit.training.processes import shard

__all__ = ["EarlyStopping", "EvalHook", "Hook", "HookContext", "ValidationLoss"]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class HookContext:
    """State of a training, as a hook receives it.

    Attributes:
        model: The model, in evaluation mode and without gradients.
        losses: Computes losses under the objective and the transforms of the run.
        step: The number of completed steps.
        steps: The number of steps of the run.
    """

    model: Model
    losses: BatchLosses
    step: int
    steps: int


class Hook:
    """Base class of hooks. A subclass overrides one of the two methods.

    An error in a hook stops the run and loses nothing: the step is saved first, and a resumed run continues after it.

    Attributes:
        every: Steps between evaluations; 0: the last step only, which is always evaluated.
    """

    every: int = 0

    def evaluate(self, context: HookContext) -> Mapping[str, float]:  # noqa: ARG002 - for subclasses
        """Return metrics by name, which are logged.

        Args:
            context: The training, after a step that is a multiple of ``every``.
        """
        return {}

    def stop(self, log: Sequence[Record]) -> str:  # noqa: ARG002 - for subclasses
        """Return the reason to stop the training now; an empty string to continue.

        Args:
            log: All lines of the log so far, of earlier processes too. It is asked after each new line.
        """
        return ""

    def due(self, step: int, steps: int) -> bool:
        """Return whether an evaluation is due after ``step`` of the steps."""
        return step == steps or (self.every > 0 and step % self.every == 0)


@dataclass(frozen=True)
class EvalHook(Hook):
    """Evaluation of the model by a function.

    Args:
        function: Returns metrics by name for the model, which is in evaluation mode and without gradients.
        every: Steps between evaluations; 0: the last step only.
        name: Prefix of the metrics in the log, as in ``eval/accuracy``.
    """

    function: Callable[[Model], Mapping[str, float]]
    every: int = 0
    name: str = "eval"

    def __post_init__(self) -> None:
        _check_every(self.every)

    def evaluate(self, context: HookContext) -> dict[str, float]:
        """See :meth:`Hook.evaluate`."""
        return {f"{self.name}/{key}": float(value) for key, value in self.function(context.model).items()}


@dataclass(frozen=True, eq=False)
class ValidationLoss(Hook):
    """Loss on held-out clips: ``validation/loss``, and ``validation/<term>`` before weighting.

    Every evaluation uses the same windows, and the same masks and views for them.

    Args:
        clips: Windows of held-out episodes, as long as those of training.
        every: Steps between evaluations; 0: the last step only.
        batches: Batches of an evaluation.
        batch_size: Clips in a batch, over all processes.
        seed: Seed of the windows.
    """

    clips: Clips
    every: int = 0
    batches: int = 4
    batch_size: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        _check_every(self.every)
        if self.batches < 1 or self.batch_size < 1:
            raise ConfigError(
                f"a validation needs batches >= 1 and batch_size >= 1; got {self.batches} and {self.batch_size}."
            )

    def evaluate(self, context: HookContext) -> dict[str, float]:
        """See :meth:`Hook.evaluate`."""
        found: list[dict[str, float]] = []
        for index in range(self.batches):
            clip = self.clips.batch(self.seed, index, self.batch_size)
            found.append(context.losses.validation(index, shard(clip)))
        return {f"validation/{name}": sum(one[name] for one in found) / len(found) for name in found[0]}


@dataclass(frozen=True)
class EarlyStopping(Hook):
    """Stop of a training whose metric no longer improves.

    The run can be resumed with more patience, or without this hook.

    Args:
        metric: A name in the log, such as ``validation/loss`` of :class:`ValidationLoss`.
        patience: Lines of the log with this metric, after the best one, until the training stops.
        min_delta: Smallest change that counts as an improvement.
        mode: ``min`` if the metric should fall, ``max`` if it should rise.
    """

    metric: str = "validation/loss"
    patience: int = 5
    min_delta: float = 0.0
    mode: Literal["min", "max"] = "min"

    def __post_init__(self) -> None:
        if self.patience < 1 or not self.min_delta >= 0 or self.mode not in ("min", "max"):
            raise ConfigError(
                "EarlyStopping needs patience >= 1, min_delta >= 0 and mode 'min' or 'max'; got "
                f"{self.patience}, {self.min_delta} and {self.mode!r}."
            )

    def stop(self, log: Sequence[Record]) -> str:
        """See :meth:`Hook.stop`."""
        rows = [(row["step"], row[self.metric]) for row in log if self.metric in row]
        if log and not rows:
            self._check_name(log[-1])
        best, since, best_step = math.inf, 0, rows[0][0] if rows else 0
        for step, value in rows:
            energy = value if isinstance(value, (int, float)) else math.nan  # a number that is not finite is a text
            energy = -energy if self.mode == "max" else energy
            if energy < best - self.min_delta:
                best, since, best_step = energy, 0, step
            else:
                since += 1
        if since < self.patience:
            return ""
        return f"{self.metric} did not improve on {abs(best):.4g} of step {best_step} in {since} evaluations"

    def _check_name(self, row: Record) -> None:
        """Refuse a metric that the log will never have, judged by the other names of its group."""
        group, slash, _ = self.metric.partition("/")
        if not slash or any(name.startswith(f"{group}/") for name in row):
            raise ConfigError(
                f"EarlyStopping reads {self.metric!r}, which the log does not have.{suggest(self.metric, row)} It has "
                f"{', '.join(row)}."
            )


def check_hooks(hooks: Sequence[Hook]) -> None:
    """Refuse what is no hook.

    Raises:
        ConfigError: naming it.
    """
    for hook in hooks:
        if not isinstance(hook, Hook):
            raise ConfigError(
                f"hooks are instances of tacit.training.Hook; got {type(hook).__name__}. Wrap a function of the model: "
                "EvalHook(function, every=100)."
            )


def merged_metrics(metrics: Mapping[str, T], more: Mapping[str, float]) -> dict[str, T | float]:
    """Return metrics of a step and those of a hook together.

    Raises:
        ConfigError: if both have the same name.
    """
    for name in more:
        if name in metrics:
            raise ConfigError(
                f"a hook returns {name!r}, which another hook or the log itself has. Choose another name, as in "
                "EvalHook(name=...)."
            )
    return {**metrics, **more}


def _check_every(every: int) -> None:
    if every < 0:
        raise ConfigError(f"a hook needs every >= 0; got {every}.")

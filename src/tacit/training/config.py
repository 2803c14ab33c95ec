"""Options of training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from tacit._config import OMIT_DEFAULT, from_json, to_json
from tacit._limits import BATCH, LENGTH
from tacit.errors import ConfigError
from tacit.training.optimizer import lr_factor

__all__ = [
    "FREE_OPTIONS",
    "CriticTraining",
    "GoalPolicyTraining",
    "TrainingConfig",
    "configured",
    "without_removed_options",
]

FREE_OPTIONS = frozenset(
    {
        "log_every",
        "checkpoint_every",
        "checkpoint_seconds",
        "keep",
        "resume",
        "threads",
        "prefetch",
        "progress",
    }
)
"""Options that the weights do not depend on, up to rounding; they may change when a run resumes."""

AHEAD = 1024
"""The largest number of batches that are read ahead."""

Options = TypeVar("Options", bound=object)


@dataclass(frozen=True)
class TrainingConfig:
    """The options of :func:`tacit.train` besides model, data, number of steps and seed.

    Args:
        batch_size: Clips in a batch, over all processes.
        lr: Largest learning rate of AdamW.
        weight_decay: Decoupled decay of matrices; biases, norms and every other vector have none.
        weight_decay_end: Value at the last step, reached along a half cosine; None: it is constant.
        betas: Decay rates of AdamW's moments.
        warmup: Share of the steps over which the learning rate rises from ``lr_start``.
        schedule: ``cosine`` falls to ``lr_end`` of ``lr`` after the warm-up; ``constant`` does not fall.
        cooldown: Last share of the steps over which it falls linearly to ``lr_end``: with ``constant``, the schedule
            warmup-stable-decay.
        stretch: Compute the schedules for ``stretch * steps``; their tail is never reached.
        lr_start: First learning rate as a share of ``lr``.
        lr_end: Last learning rate as a share of ``lr``.
        clip_norm: Largest norm of the gradient over all parameters; None does not clip.
        precision: ``bf16`` runs the model under autocast; weights, losses and the optimiser stay float32.
        ema: Share of the target encoder that stays at each step, rising linearly from the first number to the
            second; for a model with ``target="ema"``.
        compile: Compute forecasts with ``torch.compile``, which takes minutes at the first step and on the CPU needs a
            C++ compiler. Dropout then draws other random numbers.
        fit_statistics: Fit the model's input statistics on the training episodes before the first step; turn it
            off to continue the training of a model that has its own.
        log_every: Steps between lines of the log.
        checkpoint_every: Steps between checkpoints; the last step is always saved.
        checkpoint_seconds: Also save after this many seconds since the last checkpoint; None: by steps alone.
        keep: Steps after which the model is kept permanently, in ``kept/<step>``.
        resume: Continue from the checkpoint of an interrupted run in the same directory; if False, restart.
        threads: CPU threads to compute with; None: one for a model of up to four million parameters, which several
            threads slow down on a busy machine, and as many as torch has for a larger one. Restored afterwards.
        prefetch: Batches that a thread reads ahead; it does not change the batches.
        progress: Show a progress bar, and a line when a run resumes or is complete; None: on a terminal and in a
            notebook.

    Raises:
        ConfigError: if a value is out of range.
    """

    batch_size: int = 64
    lr: float = 1e-3
    weight_decay: float = 1e-3
    weight_decay_end: float | None = None
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.05
    schedule: Literal["cosine", "constant"] = "cosine"
    cooldown: float = 0.0
    stretch: float = 1.0
    lr_start: float = 0.0
    lr_end: float = 0.01
    clip_norm: float | None = 1.0
    precision: Literal["float32", "bf16"] = "float32"
    ema: tuple[float, float] = (0.996, 1.0)
    compile: bool = field(default=False, metadata=OMIT_DEFAULT)
    fit_statistics: bool = True
    log_every: int = 50
    checkpoint_every: int = 500
    checkpoint_seconds: float | None = 120.0
    keep: tuple[int, ...] = ()
    resume: bool = True
    threads: int | None = None
    prefetch: int = 2
    progress: bool | None = None

    def __post_init__(self) -> None:
        _within("batch_size", self.batch_size, 1, BATCH)
        _within("prefetch", self.prefetch, 1, AHEAD)
        for name in ("log_every", "checkpoint_every"):
            _within(name, vars(self)[name], 1, math.inf)
        _within("lr", self.lr, 0, math.inf)
        _within("weight_decay", self.weight_decay, 0, math.inf)
        _within("weight_decay_end", self.weight_decay_end or 0.0, 0, math.inf)
        _within("stretch", self.stretch, 1, math.inf)
        for name in ("warmup", "cooldown", "lr_start", "lr_end"):
            _within(name, vars(self)[name], 0, 1)
        for name in ("betas", "ema"):
            for value in vars(self)[name]:
                _within(name, value, 0, 1)
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ConfigError(f"clip_norm is above 0, or None not to clip; got {self.clip_norm}.")
        for step in self.keep:
            _within("keep", step, 1, math.inf)
        if self.threads is not None:
            _within("threads", self.threads, 1, math.inf)
        if self.checkpoint_seconds is not None:
            _within("checkpoint_seconds", self.checkpoint_seconds, 0, math.inf)

    def check(self, steps: int) -> None:
        """Refuse a number of steps that does not fit these options.

        Raises:
            ConfigError: if there is no step, or ``keep`` names a step after the last.
        """
        if steps < 1:
            raise ConfigError(f"a training needs steps >= 1; got {steps}.")
        late = [step for step in self.keep if step > steps]
        if late:
            raise ConfigError(f"keep names step {late[0]}, and the training ends after {steps}. Leave it out.")

    def lr_at(self, step: int, steps: int) -> float:
        """Return the learning rate of ``step`` in a run of ``steps``."""
        return self.lr * lr_factor(
            step,
            round(self.stretch * steps),
            warmup=self.warmup,
            end=self.lr_end,
            falls=self.schedule == "cosine",
            cooldown=self.cooldown,
            start=self.lr_start,
        )

    def weight_decay_at(self, step: int, steps: int) -> float:
        """Return the weight decay of ``step`` in a run of ``steps``."""
        if self.weight_decay_end is None:
            return self.weight_decay
        done = step / max(round(self.stretch * steps) - 1, 1)
        first, last = self.weight_decay, self.weight_decay_end
        return last + (first - last) * (1 + math.cos(math.pi * done)) / 2

    def ema_decay_at(self, step: int, steps: int) -> float:
        """Return the share of the target encoder that stays after ``step``."""
        first, last = self.ema
        return first + (last - first) * step / max(round(self.stretch * steps) - 1, 1)

    def result_options(self) -> dict[str, Any]:
        """Return the options that the weights depend on, as JSON values. They must be equal on resume."""
        return {name: value for name, value in to_json(self).items() if name not in FREE_OPTIONS}


@dataclass(frozen=True)
class GoalPolicyTraining:
    """The options of :func:`train_goal_policy`, which trains a goal-conditioned policy.

    Args:
        ahead: Largest distance from a latent to its goal, in steps of the model.
        batch_size: Pairs of a latent and a goal in a batch.
        lr: Largest learning rate of AdamW, with a warm-up of 5 % of the steps and a cosine to 1 %.
        weight_decay: Decoupled decay of matrices.

    Raises:
        ConfigError: if a value is out of range.
    """

    ahead: int = 32
    batch_size: int = 512
    lr: float = 1e-3
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        _within("ahead", self.ahead, 1, LENGTH)
        _within("batch_size", self.batch_size, 1, BATCH)
        _within("lr", self.lr, 0, math.inf)
        _within("weight_decay", self.weight_decay, 0, math.inf)


@dataclass(frozen=True)
class CriticTraining:
    """The options of :func:`train_critic`, which trains a temporal-distance critic.

    Args:
        batch_size: States in a batch.
        goals: Goals that each state is compared with: one of its own episode, the others of other states.
        lr: Largest learning rate of AdamW, with a warm-up of 2 % of the steps.
        weight_decay: Decoupled decay of matrices.
        cooldown: Last share of the steps over which the learning rate falls to 5 %.
        gamma: Discount of a block (``expectile``), and the distribution of goals of the same episode: a geometric
            number of blocks ahead with mean ``1 / (1 - gamma)``.
        tau: Weight of distances that are too long (``expectile``); close to 1, the shortest ways count.
        follow: Share by which target networks follow at each step (``expectile``).
        same_episode: Weight of goals of the same episode (``expectile``).
        reach: Distance up to which random pairs are pushed apart (``quasimetric``).
        slack: Distance beyond 1 that a block may cost (``quasimetric``).
        dual_lr: Step of the multiplier that holds blocks to a distance of 1 (``quasimetric``).

    Raises:
        ConfigError: if a value is out of range.
    """

    batch_size: int = 256
    goals: int = 8
    lr: float = 5e-4
    weight_decay: float = 0.0
    cooldown: float = 0.3
    gamma: float = 0.98
    tau: float = 0.95
    follow: float = 0.03
    same_episode: float = 0.625
    reach: float = 100.0
    slack: float = 0.25
    dual_lr: float = 0.01

    def __post_init__(self) -> None:
        _within("batch_size", self.batch_size, 2, BATCH)
        _within("goals", self.goals, 2, self.batch_size)
        for name in ("lr", "weight_decay", "reach", "slack", "dual_lr"):
            _within(name, vars(self)[name], 0, math.inf)
        for name in ("cooldown", "gamma", "tau", "follow", "same_episode"):
            _within(name, vars(self)[name], 0, 1)


@dataclass(frozen=True)
class ReturnTraining:
    """The options of :func:`train_critic` for a critic of returns.

    Args:
        batch_size: Blocks in a batch, and states.
        lr: Largest learning rate of AdamW, with a warm-up of 2 % of the steps.
        weight_decay: Decoupled decay of matrices.
        cooldown: Last share of the steps over which the learning rate falls to 5 %.
        bootstrap: Recorded blocks before the value of a later latent continues a return.
        tau: Weight of values that are too low; too high ones weigh ``1 - tau``. 0.5 gives the value of the recorded
            behaviour; close to 1, the best that episodes show from each state.
        follow: Share by which target networks follow at each step.

    Raises:
        ConfigError: if a value is out of range.
    """

    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 0.0
    cooldown: float = 0.3
    bootstrap: int = 5
    tau: float = 0.7
    follow: float = 0.02

    def __post_init__(self) -> None:
        _within("batch_size", self.batch_size, 1, BATCH)
        _within("bootstrap", self.bootstrap, 1, BATCH)
        for name in ("lr", "weight_decay"):
            _within(name, vars(self)[name], 0, math.inf)
        for name in ("cooldown", "tau", "follow"):
            _within(name, vars(self)[name], 0, 1)


def configured(config: Options, options: Mapping[str, Any]) -> Options:
    """Return ``config`` with some options replaced.

    Raises:
        ConfigError: on an unknown option, with the nearest name, or a value of another type.
    """
    return from_json(type(config), {**vars(config), **options})


def without_removed_options(record: Any) -> Any:
    """Return the content of a ``run.json`` without the options of training that only version 0.1 had."""
    options = record.get("options") if isinstance(record, dict) else None
    if not isinstance(options, dict) or not isinstance(options.get("training"), dict):
        return record
    training = {name: value for name, value in options["training"].items() if name != "tensorboard"}
    return {**record, "options": {**options, "training": training}}


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name} is between {low} and {high}; got {value}.")

"""Training of macro-actions on the frozen latents of a world model."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from tacit._limits import BATCH, HORIZON, limited
from tacit._threads import computing, suited_threads
from tacit.errors import ConfigError, DataError
from tacit.models import Dynamics, MacroModel
from tacit.nn._tuning import tune_cpu
from tacit.training._critic_fit import fit_critic
from tacit.training.config import configured
from tacit.training.encoded import RecordedBlocks
from tacit.training.report import FitReport

if TYPE_CHECKING:
    from tacit.data import Clips

__all__ = ["MacroTraining", "train_macros"]

QUANTILES = (0.02, 0.98)
"""The quantiles of recorded macro-actions that bound planned ones."""
SCALED = 16_384
"""Chunks from which quantiles and reach are estimated."""


@dataclass(frozen=True)
class MacroTraining:
    """The options of :func:`train_macros`.

    Args:
        batch_size: Sequences in a batch.
        lr: Largest learning rate of AdamW, with a warm-up of 2 % of the steps.
        weight_decay: Decoupled decay of matrices.
        cooldown: Last share of the steps over which the learning rate falls to 5 %.
        ahead: Macro-actions of a rollout.
        size: Weight of the mean square of macro-actions, which keeps them small.

    Raises:
        ConfigError: if a value is out of range.
    """

    batch_size: int = 256
    lr: float = 1e-3
    weight_decay: float = 0.0
    cooldown: float = 0.3
    ahead: int = 4
    size: float = 0.01

    def __post_init__(self) -> None:
        limited("MacroTraining", BATCH, batch_size=self.batch_size)
        limited("MacroTraining", HORIZON, ahead=self.ahead)
        positive = min(self.batch_size, self.ahead) >= 1
        rates = all(0 <= one < math.inf for one in (self.lr, self.weight_decay, self.size))
        if not (positive and rates and 0 <= self.cooldown <= 1):
            raise ConfigError(
                "MacroTraining needs batch_size and ahead >= 1, lr, weight_decay and size >= 0, and cooldown from 0 to "
                f"1; got {self}."
            )


def train_macros(
    model: Dynamics,
    macros: MacroModel,
    clips: Clips,
    *,
    steps: int,
    seed: int,
    progress: bool | None = None,
    **options: Any,
) -> FitReport:
    """Train a model of macro-actions, in place, and fill its bank with encoded chunks of the episodes.

    The world model is frozen and every observation is encoded once, before the first step. The loss is the mean
    absolute error of rollouts of several macro-actions, in standard deviations of the latents. Batches are a function
    of ``(seed, step)``.

    Args:
        model: The world model in whose latent space the macro-actions act.
        macros: The model of macro-actions. It is left in evaluation mode.
        clips: Their episodes and frameskip are used, their length is not.
        steps: The number of updates.
        seed: The seed of the run.
        progress: Show a progress bar; None: on a terminal and in a notebook.
        options: The fields of :class:`MacroTraining`.

    Raises:
        ConfigError: if an option is unknown or out of range, or model, macro-actions and clips do not fit together.
        DataError: if no episode has as many blocks as a rollout.
        TrainingError: if a loss or a gradient is not finite.
    """
    started, config = time.perf_counter(), configured(MacroTraining(), options)
    tune_cpu()
    _check(model, macros, clips, steps)
    macros.to(model.device)
    with computing(suited_threads(model, macros)):
        data = RecordedBlocks(model, clips)
        loss = _MacroLoss(macros, data, config)
        losses = fit_critic(loss, steps, seed, config, progress)
        _fill(macros, data, seed)
    return FitReport(steps, time.perf_counter() - started, tuple(losses))


def _check(model: Dynamics, macros: MacroModel, clips: Clips, steps: int) -> None:
    """Refuse what does not fit together, before the episodes are encoded."""
    wanted = (model.config.latent, model.frameskip * model.config.spec.action.size)
    if (macros.config.latent, macros.config.block) != wanted:
        raise ConfigError(
            f"the world model has latents of {wanted[0]} and blocks of {wanted[1]} numbers; the macro-actions are for "
            f"{macros.config.latent} and {macros.config.block}."
        )
    if clips.frameskip != model.frameskip or steps < 1:
        raise ConfigError(
            f"training macro-actions needs clips with the model's frameskip={model.frameskip} and steps >= 1; got "
            f"{clips.frameskip} and {steps}."
        )


class _MacroLoss:
    """The error of rollouts of recorded macro-actions; see :class:`tacit.training._critic_losses.CriticLoss`."""

    def __init__(self, macros: MacroModel, data: RecordedBlocks, config: MacroTraining) -> None:
        self.trained: nn.Module = macros
        self._macros, self._data, self._config = macros, data, config
        self._length = config.ahead * macros.config.stride
        self._starts = _starts(data, self._length)
        for name, values in (("latents", data.latents), ("blocks", data.blocks)):
            statistics = torch.stack([values.mean(dim=0), values.std(dim=0).clamp(min=1e-6)])
            macros.get_buffer(name).copy_(statistics)

    def __call__(self, rng: np.random.Generator) -> Tensor:
        """Return the loss of a batch."""
        macros, stride = self._macros, self._macros.config.stride
        chosen = self._starts[rng.integers(0, len(self._starts), self._config.batch_size)]
        latents, blocks = self._data.sequences(chosen, self._length)
        encoded = macros.encode(blocks.reshape(len(blocks), self._config.ahead, stride, -1))
        predicted = macros.rollout(latents[:, 0], encoded)
        error = ((predicted - latents[:, stride::stride]) / macros.latents[1]).abs().mean()
        loss: Tensor = error + self._config.size * encoded.square().mean()
        return loss

    def stepped(self) -> None:
        """Do nothing after a step."""


def _starts(data: RecordedBlocks, length: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the blocks with ``length`` whole blocks from each on.

    Raises:
        DataError: if there is none.
    """
    found = np.flatnonzero(data.blocks_left[data.row] >= length)
    if not len(found):
        raise DataError(
            f"no episode has {length} whole blocks. Record longer ones, or choose a smaller stride or a smaller ahead."
        )
    return found


@torch.no_grad()
def _fill(macros: MacroModel, data: RecordedBlocks, seed: int) -> None:
    """Fill the bank with recorded chunks, and measure their box and how far they reach."""
    stride, starts = macros.config.stride, _starts(data, macros.config.stride)
    chosen = np.random.default_rng([seed]).permutation(starts)[: max(SCALED, macros.config.bank)]
    latents, blocks = data.sequences(chosen, stride)
    encoded = macros.encode(blocks)
    count = min(macros.config.bank, len(encoded))
    macros.bank[:count] = encoded[:count]
    macros.known.fill_(count)
    macros.box.copy_(torch.quantile(encoded, torch.tensor(QUANTILES).to(encoded), dim=0))
    macros.reach.copy_((latents[:, -1] - latents[:, 0]).abs().mean(dim=1).median())

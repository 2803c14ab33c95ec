"""Training of carriers on the frozen latents of a world model."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch

from tacit._config import from_json
from tacit._threads import computing, suited_threads
from tacit.errors import ConfigError
from tacit.memory.carriers._module import CarrierModule
from tacit.models import Dynamics
from tacit.nn._tuning import tune_cpu
from tacit.training._critic_fit import fit_critic
from tacit.training._hindsight import CarrierTraining, Hindsight, whitening_of
from tacit.training.encoded import RecordedBlocks
from tacit.training.report import FitReport

if TYPE_CHECKING:
    from tacit.data import Clips

__all__ = ["train_carrier"]


def train_carrier(
    model: Dynamics,
    carrier: CarrierModule,
    clips: Clips,
    *,
    steps: int,
    seed: int,
    progress: bool | None = None,
    **options: Any,
) -> FitReport:
    """Train a carrier to recall what it saw, in place, without labels.

    The world model is frozen and every observation is encoded once, before the first step. What surprised the world
    model most, in three parts of the past, is told from the memory alone after it left the window: the hindsight loss
    of LeWorldModel-Memory, with the unpredicted part of latents in place of salient patches. The next latent is
    predicted from the memory before it and the block. Batches are a function of ``(seed, step)``.

    The statistics of the latents are fitted before; a carrier without weights, such as an
    :class:`tacit.memory.carriers.EMABank`, is ready then.

    Args:
        model: The world model of the agent.
        carrier: The carrier. It is left in evaluation mode.
        clips: Their episodes and frameskip are used, their length is not.
        steps: The number of updates.
        seed: The seed of the run.
        progress: Show a progress bar; None: on a terminal and in a notebook.
        options: The fields of :class:`tacit.training.CarrierTraining`.

    Raises:
        ConfigError: if an option is unknown or out of range, or model, carrier and clips do not fit together.
        DataError: if no episode is long enough.
        TrainingError: if a loss or a gradient is not finite.
    """
    started = time.perf_counter()
    tune_cpu()
    config = from_json(CarrierTraining, options, "train_carrier")
    _check(model, carrier, clips, steps)
    carrier.to(model.device)
    losses: list[float] = []
    with computing(suited_threads(model, carrier)):
        data = RecordedBlocks(model, clips)
        carrier.mean.copy_(data.latents.mean(dim=0))
        carrier.whitening.copy_(whitening_of(data.latents))
        if any(True for _ in carrier.parameters()):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                loss_of = Hindsight(model, carrier, data, config)
            losses = fit_critic(loss_of, steps, seed, config, progress, "carrier")
    carrier.eval()
    return FitReport(len(losses), time.perf_counter() - started, tuple(losses))


def _check(model: Dynamics, carrier: CarrierModule, clips: Clips, steps: int) -> None:
    """Refuse what does not fit together, before the episodes are encoded.

    Raises:
        ConfigError: if the sizes, the frameskip or the number of steps do not fit.
    """
    block = model.frameskip * model.config.spec.action.size
    if (carrier.config.latent, carrier.config.block) != (model.config.latent, block):
        raise ConfigError(
            f"the carrier is for latents of {carrier.config.latent} and blocks of {carrier.config.block} numbers; the "
            f"model has {model.config.latent} and {block}."
        )
    if clips.frameskip != model.frameskip or steps < 1:
        raise ConfigError(
            f"training a carrier needs clips with the model's frameskip={model.frameskip} and steps >= 1; "
            f"got {clips.frameskip} and {steps}."
        )

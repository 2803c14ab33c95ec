"""Training of a model, from its first or its last saved step."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tacit import checkpoint
from tacit._files import resolve
from tacit._progress import say
from tacit._seeds import TrainingStream, derive_seed
from tacit._threads import computing, suited_threads
from tacit.data.clips import Clips
from tacit.errors import ConfigError
from tacit.models import Model
from tacit.nn._tuning import tune_cpu
from tacit.nn.collectives import broadcast, world_size
from tacit.objectives import Objective
from tacit.training.config import TrainingConfig, configured
from tacit.training.hooks import Hook, check_hooks
from tacit.training.log import read_log
from tacit.training.loggers import Logger
from tacit.training.loop import Loop, kept_path, save
from tacit.training.losses import seed_generators
from tacit.training.memory import check_memory
from tacit.training.processes import barrier, run_lock
from tacit.training.report import TrainingReport
from tacit.training.run_spec import RunSpec
from tacit.training.state import State
from tacit.types import Transform

__all__ = ["train"]


def train(
    model: Model,
    objective: Objective,
    clips: Clips,
    *,
    steps: int,
    seed: int,
    to: str | Path,
    start: str | Path | None = None,
    transforms: Sequence[Transform] = (),
    hooks: Sequence[Hook] = (),
    loggers: Sequence[Logger] = (),
    config: TrainingConfig | None = None,
    **options: Any,
) -> TrainingReport:
    """Train a model, in place.

    All randomness is a function of ``(seed, step)``: the batch, the directions of SIGReg, dropout. A killed run
    continues from its last checkpoint when it is called again, and ends with the same bytes as an uninterrupted one
    (same machine, versions and threads; a :class:`ResumeWarning` names the changed ones). A complete run continues if
    it is called again with more steps; its schedules then cover all of them.

    The directory holds ``checkpoint``, with the model, the models selected by ``keep`` in ``kept``, and ``log.jsonl``,
    one line every ``log_every`` steps: the loss, each term before (``loss/<term>``) and after (``weighted/<term>``)
    weighting, learning rate, gradient norm, the health of the latents, the metrics of hooks and seconds. Within
    ``torch.distributed`` each process takes its share of every batch and rank 0 writes the checkpoints.
    It calls :func:`tacit.tune_cpu`.

    Args:
        model: The model; it is left in evaluation mode.
        objective: What to minimise.
        clips: Windows of training episodes, with more observations than the objective predicts ahead.
        steps: The number of updates.
        seed: The seed of the run.
        to: The directory of the run.
        start: A run or checkpoint with the initial weights, of a model with the same options.
        transforms: Transforms of a batch before the model, in this order: augmentation, masks.
        hooks: Evaluations during training, and reasons to stop it, such as :class:`ValidationLoss`.
        loggers: Destinations of the log besides ``log.jsonl``, such as TensorBoard.
        config: Options.
        options: Options by name, in place of those of ``config``: the fields of :class:`TrainingConfig`.

    Raises:
        ConfigError: if an option is unknown or out of range, or model, objective and clips do not fit together.
        CheckpointError: if ``to`` holds another run, another process is training in it, or the weights at ``start``
            are of another model.
        TrainingError: if a loss or a gradient is not finite; it names the step, the term and the last
            good checkpoint, which is kept.
    """
    started, to = time.perf_counter(), resolve(to)
    tune_cpu()
    _check_call(options, hooks, clips)
    config = configured(config or TrainingConfig(), options)
    origin = "" if start is None else str(start)
    spec = RunSpec(model, objective, clips, tuple(transforms), steps, seed, config, origin)
    spec.check()
    place = to / "checkpoint"
    resumes = config.resume and checkpoint.exists(place)
    if start is not None and not resumes:
        checkpoint.start_from(model, resolve(start))
    with run_lock(to), computing(config.threads or suited_threads(model, objective)), _reproducible(model, seed):
        objective.prepare(model.latent_size, model.action_size)
        objective.to(model.device)
        state = State(model, objective, config, spec.identity())
        loop = Loop(spec, state, hooks, to)
        check_memory(spec, (model, objective), loop.sample, world_size())
        barrier()
        if resumes:
            _resume(state, place, config.keep)
        else:
            _begin(state, place, clips if config.fit_statistics else None)
        first = state.step
        if resumes:
            done = "is complete" if first == steps else "resumes"
            say(f"{to} {done} at step {first} of {steps}", config.progress)
        stopped = loop.run(loggers) if first < steps else ""
    model.eval()
    return TrainingReport(to, state.step, time.perf_counter() - started, tuple(read_log(to)), first, stopped)


def _check_call(options: Mapping[str, Any], hooks: Sequence[Hook], clips: Clips) -> None:
    """Refuse arguments of other libraries that this one does not accept.

    Raises:
        ConfigError: with the replacement.
    """
    if "epochs" in options:
        raise ConfigError(
            "a training is measured in steps, one batch each: give steps=, in place of epochs=. Windows overlap, so "
            f"that passes over the data mean little; these clips have {len(clips)} windows."
        )
    check_hooks(hooks)


def _resume(state: State, place: Path, keep: Sequence[int]) -> None:
    """Load the state of an interrupted or complete run.

    Raises:
        ConfigError: if ``keep`` names a step that the run has passed without keeping it.
    """
    state.resume(place)
    gone = [step for step in keep if step <= state.step and not checkpoint.exists(kept_path(place.parent, step))]
    if gone:
        raise ConfigError(
            f"keep names step {gone[0]}, which the run in {place.parent} has passed without keeping it. Leave it out, "
            "or train to another directory."
        )


def _begin(state: State, place: Path, clips: Clips | None) -> None:
    """Save the state before the first step, with the statistics of ``clips``."""
    if clips is not None:
        state.model.set_statistics(clips.episodes.statistics())
    # Data-parallel training averages gradients, so all processes must start from the same weights.
    broadcast(state.model)
    broadcast(state.objective)
    save(state, place)


@contextmanager
def _reproducible(model: Model, seed: int) -> Iterator[None]:
    """Seed torch's global generators within a block, and restore their state afterwards."""
    device = model.device
    devices = [device] if device.type not in ("cpu", "meta") else []
    with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
        seed_generators(device, derive_seed(seed, TrainingStream.GLOBAL, bits=63))
        yield

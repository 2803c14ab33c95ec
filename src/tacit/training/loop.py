"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tacit import checkpoint
from tacit._files import resolve
from tacit._progress import say
from tacit._threads import computing, suited_threads
from tacit.data.clips import Clips
from tacit.errors import ConfigError, TrainingError
from tacit.models import Model
from tacit.nn.collectives import all_mean, broadcast, everywhere, world_size
from tacit.objectives import Losses, Objective, Outcome, Spread
from tacit.training.config import TrainingConfig, configured
from tacit.training.job import Job
from tacit.training.log import Log, Record, read_log
from tacit.training.memory import check_memory
from tacit.training.monitor import FOLLOW, REGULARISE, SLOW, Monitor
from tacit.training.optimizer import descend
from tacit.training.processes import meet, rank, share, sole
from tacit.training.state import State, derived
from tacit.training.watch import Watch
from tacit.types import Clip, Completion, Transform

__all__ = ["TrainingReport", "train"]


@dataclass(frozen=True)
class TrainingReport:
    """The result of training.

    Attributes:
        path: The directory of the run; ``tc.checkpoint.load_model`` accepts it.
        steps: Steps of the run.
        seconds: Time of this call, without the time of interrupted calls before it.
        log: All lines of the log.
        first: Step at which this call began; ``steps`` if the run was complete already.
    """

    path: Path
    steps: int
    seconds: float
    log: tuple[Record, ...]
    first: int = 0

    def __str__(self) -> str:
        begun = f" from step {self.first}" if self.first else ""
        text = f"{self.steps} steps{begun} in {self.seconds:.1f} s, saved in {self.path}"
        if not self.log:
            return text
        terms = [name for name in self.log[-1] if name == "loss" or name.startswith("loss/")]
        lines = (f"  {name:<24} {_number(self.log[0], name)} -> {_number(self.log[-1], name)}" for name in terms)
        return "\n".join([text, *lines])


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
    watch: Watch | None = None,
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
    weighting, learning rate, gradient norm, the health of the latents and seconds. Within ``torch.distributed`` each
    process takes its share of every batch and rank 0 writes the checkpoints.

    Args:
        model: The model; it is left in evaluation mode.
        objective: What to minimise.
        clips: Windows of training episodes, with more observations than the objective predicts ahead.
        steps: The number of updates.
        seed: The seed of the run.
        to: The directory of the run.
        start: A run or checkpoint with the initial weights, of a model with the same options.
        transforms: Transforms of a batch before the model, in this order: augmentation, masks.
        watch: An evaluation during training.
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
    _check_call(options, watch, clips)
    config = configured(config or TrainingConfig(), options)
    job = Job(model, objective, clips, tuple(transforms), steps, seed, config, "" if start is None else str(start))
    job.check()
    place = to / "checkpoint"
    resumes = config.resume and checkpoint.exists(place)
    if start is not None and not resumes:
        checkpoint.start_from(model, resolve(start))
    threads = config.threads or suited_threads(model, objective)
    with sole(to), computing(threads), _reproducible(model, derived(seed, 0)):
        objective.prepare(model.latent_size, model.action_size)
        objective.to(model.device)
        state = State(model, objective, config, job.identity())
        loop = _Loop(job, state, watch, place)
        check_memory(job, (model, objective), loop.sample, world_size())
        meet()
        if resumes:
            state.resume(place)
            gone = [step for step in config.keep if step <= state.step and not checkpoint.exists(_kept(to, step))]
            if gone:
                raise ConfigError(
                    f"keep names step {gone[0]}, which the run in {to} has passed without keeping it. Leave it out, or "
                    "train to another directory."
                )
        else:
            if config.fit_statistics:
                model.fit(clips.episodes.statistics())
            # Data-parallel training averages gradients, so all processes must start from the same weights.
            broadcast(model)
            broadcast(objective)
            _save(state, place)
        first = state.step
        if resumes:
            done = "is complete" if first == steps else "resumes"
            say(f"{to} {done} at step {first} of {steps}", config.progress)
        if first < steps:
            loop.run(to)
    model.eval()
    return TrainingReport(to, steps, time.perf_counter() - started, tuple(read_log(to)), first)


def _check_call(options: Mapping[str, Any], watch: object, clips: Clips) -> None:
    """Refuse arguments of other libraries that this one does not accept.

    Raises:
        ConfigError: with the replacement.
    """
    if "epochs" in options:
        raise ConfigError(
            "a training is measured in steps, one batch each: give steps=, in place of epochs=. Windows overlap, so "
            f"that passes over the data mean little; these clips have {len(clips)} windows."
        )
    if watch is not None and not isinstance(watch, Watch):
        raise ConfigError(
            f"watch is a tacit.training.Watch(look, every=100); got {type(watch).__name__}. Wrap your function in one."
        )


def _number(row: Record, name: str) -> str:
    return f"{row[name]:.4g}" if isinstance(row.get(name), float) else str(row.get(name, "-"))


class _Loop:
    """The steps from the current one of the state to the last."""

    def __init__(self, job: Job, state: State, watch: Watch | None, place: Path) -> None:
        self.state, self.watch, self.place = state, watch, place
        self.clips, self.transforms, self.config = job.clips, job.transforms, job.config
        self.steps, self.seed = job.steps, job.seed
        asked = _asked(state)
        advice = REGULARISE
        if not asked and state.model.gives is Completion:
            advice = SLOW if state.model.target_encoder is None else FOLLOW
        learns = any(parameter.requires_grad for parameter in state.model.encoder.parameters())
        # A frozen encoder cannot collapse: its health is logged without warnings.
        patience = max(100, round(job.config.warmup * job.steps)) if learns else job.steps
        self.monitor = Monitor(asked, patience, job.steps, advice)

    def run(self, to: Path) -> None:
        """Train to the end."""
        state, config = self.state, self.config
        state.model.train()
        started, first = time.perf_counter(), state.step
        saved = time.monotonic()
        batches = self.clips.batches(self.seed, config.batch_size, first, config.prefetch)
        with closing(batches), Log(to, first, self.steps, config.tensorboard, config.progress, rank()) as log:
            for step in range(first, self.steps):
                clip = self.transformed(step, share(next(batches)))
                losses, forecast, norm = self.update(step, clip)
                log.advance(step)
                failed: Exception | None = None
                try:
                    watched = self.watched(step)
                except Exception as error:  # any error is raised once the step is saved
                    watched, failed = {}, error
                if step % config.log_every == 0 or step + 1 == self.steps or watched:
                    seconds = log.spent + time.perf_counter() - started
                    health = self.monitor.look(step, self.monitored(clip, forecast))
                    log.write(self.record(step, losses, norm, seconds) | health | watched)
                if state.step in config.keep and rank() == 0:
                    checkpoint.save(_kept(to, state.step), state.model)
                due = state.step % config.checkpoint_every == 0 or state.step == self.steps
                if due or failed is not None or self.late(saved):
                    # A resumed run drops the lines after its checkpoint and does not rewrite those before it.
                    log.sync()
                    # Skip the barrier: processes that did not fail or check the time will not reach it.
                    _save(state, self.place, together=due and failed is None)
                    saved = time.monotonic()
                if failed is not None:
                    failed.add_note(f"The run is saved up to step {step}; called again, it goes on after this look.")
                    raise failed

    def late(self, saved: float) -> bool:
        """Return whether the last checkpoint, written at the time ``saved``, is too old."""
        limit = self.config.checkpoint_seconds
        return limit is not None and rank() == 0 and time.monotonic() - saved > limit

    def update(self, step: int, clip: Clip) -> tuple[Losses, Outcome, Tensor]:
        """Take one step of the optimiser."""
        state, config = self.state, self.config
        losses, forecast = self.judge(step, clip)
        rates = config.rate(step, self.steps), config.weight_decay_at(step, self.steps)
        norm, made = descend(
            state.optimizer, list(state.parameters.values()), losses.total, *rates, config.clip_norm, together=True
        )
        if not made:
            self.refuse(step, clip, losses)
        state.model.update_target(config.decay(step, self.steps))
        state.step = step + 1
        return losses, forecast, norm

    def monitored(self, clip: Clip, outcome: Outcome) -> Tensor:
        """Return the latents whose health is monitored."""
        model = self.state.model
        with torch.autocast(model.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            return model.monitored(clip, outcome)

    def watched(self, step: int) -> dict[str, float]:
        """Return the figures of the watch after ``step``, if it is due."""
        watch, model = self.watch, self.state.model
        if watch is None or not watch.due(step + 1, self.steps):
            return {}
        model.eval()
        with torch.no_grad():
            found = watch.look(model)
        model.train()
        return {f"watch/{name}": float(value) for name, value in found.items()}

    def transformed(self, step: int, clip: Clip) -> Clip:
        """Return the transformed batch; a pure function of the clip, the seed and the step."""
        if self.transforms:
            device = self.state.model.device
            clip = replace(clip, observation={name: value.to(device) for name, value in clip.observation.items()})
        for index, transform in enumerate(self.transforms):
            clip = transform(clip, seed=derived(self.seed, 3, index, step), rank=rank())
        return clip

    def judge(self, step: int, clip: Clip) -> tuple[Losses, Outcome]:
        """Compute losses and outcome of a transformed clip. Both are pure functions of weights, clip, seed and step."""
        model, objective = self.state.model, self.state.objective
        _seed(model.device, derived(self.seed, 1, step, rank()))
        with torch.autocast(model.device.type, torch.bfloat16, enabled=self.config.precision == "bf16"):
            forecast = model.forecast(clip, **objective.needs())
        if self.config.precision == "bf16":
            forecast = _float(forecast)
        losses: Losses = objective(forecast, derived(self.seed, 2, step), (step + 1) / self.steps)
        return losses, forecast

    def sample(self, size: int) -> Losses:
        """Return the losses of a few clips, to measure their memory; nothing is learned."""
        self.state.model.train()
        clip = self.transformed(0, self.clips.batch(self.seed, 0, size))
        return self.judge(0, clip)[0]

    def record(self, step: int, losses: Losses, norm: Tensor, seconds: float) -> dict[str, float | str]:
        """Return the line of the log for ``step``, without the health of the latents."""
        values = {name: (loss.value.item(), loss.weight) for name, loss in losses.terms.items()}
        return {
            "step": step,
            "seconds": round(seconds, 3),
            "loss": losses.total.item(),
            **{f"loss/{name}": value for name, (value, _) in values.items()},
            **{f"weighted/{name}": value * weight for name, (value, weight) in values.items()},
            "lr": self.config.rate(step, self.steps),
            "gradient_norm": norm.item(),
        }

    def refuse(self, step: int, clip: Clip, losses: Losses) -> None:
        """Raise on all processes, naming the term whose loss or gradient is not finite on any of them."""
        kept = f"the last good checkpoint is {self.place} (of step {self.state.saved})"
        for name, loss in losses.terms.items():
            value = all_mean(loss.value.detach())
            if not value.isfinite():
                raise TrainingError(f"step {step}: the loss of term {name!r} is {value.item()}; {kept}.")
        again, _ = self.judge(step, clip)
        for name, loss in again.terms.items():
            if loss.value.requires_grad:
                gradients = torch.autograd.grad(
                    loss.value, list(self.state.parameters.values()), retain_graph=True, allow_unused=True
                )
                finite = [gradient is None or bool(gradient.isfinite().all()) for gradient in gradients]
                agreed = everywhere(torch.tensor(finite, device=self.state.model.device)).tolist()
                for parameter, fine in zip(self.state.parameters, agreed, strict=True):
                    if not fine:
                        raise TrainingError(
                            f"step {step}: the gradient of term {name!r} by {parameter} is not finite; {kept}."
                        )
        raise TrainingError(f"step {step}: the gradient of the whole objective is not finite; {kept}.")


def _asked(state: State) -> Spread:
    """Return the required spread of the latents, by which the monitor judges them.

    Where no term separates the latents and no copy of the encoder gives the targets, the objective is smallest for
    equal latents: unit variance is then expected although no term requires it.
    """
    terms = [term for term, weight in state.objective.terms() if weight > 0]
    asks = {term.spread for term in terms}
    held = any(term.holds_apart for term in terms)
    copied = state.model.gives is Completion or state.model.target_encoder is not None
    return "gaussian" if "gaussian" in asks else "unit" if "unit" in asks or not (held or copied) else ""


@contextmanager
def _reproducible(model: Model, seed: int) -> Iterator[None]:
    """Seed torch's global generators within a block, and restore their state afterwards."""
    device = model.device
    devices = [device] if device.type not in ("cpu", "meta") else []
    with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
        _seed(device, seed)
        yield


def _seed(device: torch.device, seed: int) -> None:
    """Seed the generators that a step can use; ``torch.manual_seed`` takes longer than a small step."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type != "cpu":
        torch.manual_seed(seed)


def _save(state: State, place: Path, together: bool = True) -> None:
    if rank() == 0:
        state.save(place)
    state.saved = state.step
    if together:
        meet()


def _kept(to: Path, step: int) -> Path:
    return to / "kept" / str(step)


def _float(outcome: Outcome) -> Outcome:
    """Convert an outcome to float32, for means and squares; shared tensors stay shared."""
    made: dict[int, Tensor] = {}

    def cast(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(cast(item) for item in value)
        return made.setdefault(id(value), value.float()) if isinstance(value, Tensor) else value

    return replace(outcome, **{field.name: cast(getattr(outcome, field.name)) for field in fields(outcome)})

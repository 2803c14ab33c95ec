"""Loop over the steps of a training."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor

from tacit import checkpoint
from tacit.nn.collectives import all_true, world_size
from tacit.objectives import Losses, Spread
from tacit.training.hooks import Hook, HookContext, merged_metrics
from tacit.training.log import Log
from tacit.training.loggers import LoggedRun, Logger
from tacit.training.losses import BatchLosses
from tacit.training.monitor import FOLLOW, REGULARISE, SLOW, Monitor
from tacit.training.optimizer import optimizer_step
from tacit.training.processes import barrier, rank, shard
from tacit.training.run_spec import RunSpec
from tacit.training.state import State
from tacit.types import Clip, MaskedForecast
from tacit.types.outcomes import Outcome

__all__ = ["Loop", "kept_path", "save"]


class Loop:
    """Loop from the current step of the state to the last.

    Args:
        spec: The training run.
        state: The state, which it changes.
        hooks: Evaluations and reasons to stop.
        directory: The directory of the run.
    """

    def __init__(self, spec: RunSpec, state: State, hooks: Sequence[Hook], directory: Path) -> None:
        self.state, self.hooks, self.directory = state, hooks, directory
        self.place = directory / "checkpoint"
        self.clips, self.config, self.steps, self.seed = spec.clips, spec.config, spec.steps, spec.seed
        self.losses = BatchLosses(
            state.model,
            state.objective,
            spec.transforms,
            spec.seed,
            spec.steps,
            spec.config.precision,
            spec.config.compile,
        )
        expected = _expected_spread(state)
        advice = REGULARISE
        if not expected and state.model.forecast_type is MaskedForecast:
            advice = SLOW if state.model.target_encoder is None else FOLLOW
        learns = any(parameter.requires_grad for parameter in state.model.encoder.parameters())
        # A frozen encoder cannot collapse: its health is logged without warnings.
        patience = max(100, round(spec.config.warmup * spec.steps)) if learns else spec.steps
        self.monitor = Monitor(expected, patience, spec.steps, advice)

    def run(self, loggers: Sequence[Logger]) -> str:
        """Train to the end, or until a hook stops the training; return its reason."""
        state, config = self.state, self.config
        state.model.train()
        started, first, saved = time.perf_counter(), state.step, time.monotonic()
        run = LoggedRun(self.directory, first, self.steps, state.run)
        batches = iter(self.clips.batches(config.batch_size, self.seed, start=first, prefetch=config.prefetch))
        with closing(batches), Log(run, loggers, config.progress, rank()) as log:
            stopped = self.stopped(log) if first else ""
            for step in range(first, first if stopped else self.steps):
                clip = self.losses.transformed(step, shard(next(batches)))
                losses, outcome, norm = self.update(step, clip)
                log.advance(step)
                failed: Exception | None = None
                try:
                    metrics = self.evaluated(step)
                except Exception as error:  # any error is raised once the step is saved
                    metrics, failed = {}, error
                if step % config.log_every == 0 or step + 1 == self.steps or metrics:
                    seconds = log.spent + time.perf_counter() - started
                    health = self.monitor.check(step, self.monitored(clip, outcome))
                    log.write(merged_metrics(self.record(step, losses, norm, seconds) | health, metrics))
                    stopped = "" if failed else self.stopped(log)
                if state.step in config.keep and rank() == 0:
                    checkpoint.save(kept_path(self.directory, state.step), state.model)
                due = state.step % config.checkpoint_every == 0 or state.step == self.steps or bool(stopped)
                if due or failed is not None or self.late(saved):
                    # A resumed run drops the lines after its checkpoint and does not rewrite those before it.
                    log.sync()
                    # Skip the barrier: processes that did not fail or check the time will not reach it.
                    save(state, self.place, together=due and failed is None)
                    saved = time.monotonic()
                if failed is not None:
                    failed.add_note(f"The run is saved up to step {step}. Called again, it continues after this step.")
                    raise failed
                if stopped:
                    break
        return stopped if state.step < self.steps else ""

    def late(self, saved: float) -> bool:
        """Return whether the last checkpoint, written at the time ``saved``, is too old."""
        limit = self.config.checkpoint_seconds
        return limit is not None and rank() == 0 and time.monotonic() - saved > limit

    def update(self, step: int, clip: Clip) -> tuple[Losses, Outcome, Tensor]:
        """Take one step of the optimiser."""
        state, config = self.state, self.config
        losses, outcome = self.losses(step, clip)
        rates = config.lr_at(step, self.steps), config.weight_decay_at(step, self.steps)
        norm, stepped = optimizer_step(
            state.optimizer, list(state.parameters.values()), losses.total, *rates, config.clip_norm, together=True
        )
        if not stepped:
            last = f"the last good checkpoint is {self.place} (of step {state.saved})"
            self.losses.diagnose(step, clip, losses, state.parameters, last)
        state.model.update_target(config.ema_decay_at(step, self.steps))
        state.step = step + 1
        return losses, outcome, norm

    def monitored(self, clip: Clip, outcome: Outcome) -> Tensor:
        """Return the latents whose health is monitored."""
        with self.losses.autocast():
            return self.state.model.monitored(clip, outcome)

    def evaluated(self, step: int) -> dict[str, float]:
        """Return the metrics of the hooks that are due after ``step``."""
        hooks = [hook for hook in self.hooks if hook.due(step + 1, self.steps)]
        metrics: dict[str, float] = {}
        if not hooks:
            return metrics
        model, objective = self.state.model, self.state.objective
        training = objective.training
        model.eval()
        objective.eval()
        with torch.no_grad():
            context = HookContext(model, self.losses, step + 1, self.steps)
            for hook in hooks:
                found = {name: float(value) for name, value in hook.evaluate(context).items()}
                metrics = merged_metrics(metrics, found)
        model.train()
        objective.train(training)
        return metrics

    def stopped(self, log: Log) -> str:
        """Return the first reason of a hook to stop, the same on all processes."""
        reasons = [reason for hook in self.hooks if (reason := hook.stop(log.rows))]
        reason = reasons[0] if reasons else ""
        if self.hooks and world_size() > 1:
            none = bool(all_true(torch.tensor(not reason, device=self.state.model.device)))
            return "" if none else reason or "another process stopped"
        return reason

    def sample(self, size: int) -> Losses:
        """Return the losses of a few clips, to measure their memory; nothing is learned."""
        self.state.model.train()
        clip = self.losses.transformed(0, self.clips.batch(self.seed, 0, size))
        return self.losses(0, clip)[0]

    def record(self, step: int, losses: Losses, norm: Tensor, seconds: float) -> dict[str, float | str]:
        """Return the line of the log for ``step``, without the health of the latents."""
        values = {name: (loss.value.item(), loss.weight) for name, loss in losses.terms.items()}
        return {
            "step": step,
            "seconds": round(seconds, 3),
            "loss": losses.total.item(),
            **{f"loss/{name}": value for name, (value, _) in values.items()},
            **{f"weighted/{name}": value * weight for name, (value, weight) in values.items()},
            "lr": self.config.lr_at(step, self.steps),
            "gradient_norm": norm.item(),
        }


def _expected_spread(state: State) -> Spread:
    """Return the required spread of the latents, by which the monitor judges them.

    Where no term separates the latents and no copy of the encoder gives the targets, the objective is smallest for
    equal latents: unit variance is then expected although no term requires it.
    """
    terms = [term for term, weight in state.objective.terms() if weight > 0]
    spreads = {term.spread for term in terms}
    separated = any(term.prevents_collapse for term in terms)
    copied = state.model.forecast_type is MaskedForecast or state.model.target_encoder is not None
    return "gaussian" if "gaussian" in spreads else "unit" if "unit" in spreads or not (separated or copied) else ""


def save(state: State, place: Path, together: bool = True) -> None:
    """Write a checkpoint by the first process; with ``together`` all processes wait for it."""
    if rank() == 0:
        state.save(place)
    state.saved = state.step
    if together:
        barrier()


def kept_path(directory: Path, step: int) -> Path:
    """Return the place of a model that is kept permanently."""
    return directory / "kept" / str(step)

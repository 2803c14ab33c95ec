"""Open-loop accuracy of imagined latents, and rank correlation of plan energies with outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._check import require_simulation
from tacit._html import html_table
from tacit._progress import track
from tacit.data.groups import units
from tacit.errors import ConfigError
from tacit.evaluation.tasks import held_out_tasks
from tacit.probing.encoder import CHUNK, clip_latents, draw_clips, frozen
from tacit.statistics.intervals import Estimate, bootstrap, rank_correlation
from tacit.types import Context, Cost, GoalEnvironment, Rollout

if TYPE_CHECKING:
    from tacit.data import Episodes
    from tacit.models import Dynamics

__all__ = ["OpenLoop", "energy_rank_correlation", "open_loop"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OpenLoop:
    """Latent errors of imagined rollouts for each step of the horizon.

    They are mean squared errors, with intervals over episodes.

    Attributes:
        error: Error of the model.
        copy_last: Error of a baseline that repeats the last observed latent.
        shuffled_actions: Error of the model with the actions of another window: equal to ``error`` if the model
            ignores its actions.
        context: Number of observed latents before the first imagined one.
        windows: Number of held-out windows.
        seed: Seed of the drawn windows.
    """

    error: tuple[Estimate, ...]
    copy_last: tuple[Estimate, ...]
    shuffled_actions: tuple[Estimate, ...]
    context: int
    windows: int
    seed: int

    @property
    def horizon(self) -> int:
        """Return the number of imagined steps."""
        return len(self.error)

    def __str__(self) -> str:
        rows = [f"error of imagined latents over {self.windows} held-out windows", "  step   model   copy of the last"]
        pairs = zip(self.error, self.copy_last, strict=True)
        rows += [f"  {step:>4} {mine.mean:7.4f}  {copy.mean:7.4f}" for step, (mine, copy) in enumerate(pairs, 1)]
        return "\n".join(rows)

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        columns = zip(self.error, self.copy_last, self.shuffled_actions, strict=True)
        rows = [(step, *(f"{one.mean:.4f}" for one in column)) for step, column in enumerate(columns, 1)]
        header = ("step", "model", "copy of the last", "shuffled actions")
        return html_table(f"error of imagined latents, {self.windows} held-out windows", header, rows)


def open_loop(
    model: Dynamics,
    held_out: Episodes,
    horizon: int = 8,
    *,
    windows: int = 512,
    seed: int = 0,
    progress: bool | None = None,
) -> OpenLoop:
    """Roll the model out along recorded actions of held-out windows.

    The imagined latents are compared with the recorded ones.

    Args:
        model: The world model; its context is as long as its history.
        held_out: Episodes that it was not trained on.
        horizon: Number of model steps to imagine.
        windows: The largest number of windows.
        seed: Seed of the drawn windows.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if horizon or windows is below one, or there is only one window.
        DataError: if no episode is long enough.
    """
    if horizon < 1 or windows < 1:
        raise ConfigError(f"open_loop needs horizon >= 1 and windows >= 1; got {horizon} and {windows}.")
    context = model.history
    clips = held_out.clips(context + horizon, model.config.frameskip, model.config.inputs)
    observed, targets, actions, episode = [], [], [], []
    batches = -(-min(windows, len(clips)) // CHUNK)
    for clip in track(draw_clips(clips, windows, seed), batches, "batches of windows", show=progress):
        observed.append(clip_latents(model, clip)[:, :context])
        targets.append(clip_latents(model, clip, target=True)[:, context - 1 :])
        actions.append(clip.action)
        episode.append(clip.episode)
    latents, target, action = torch.cat(observed), torch.cat(targets), torch.cat(actions)
    if len(latents) < 2:
        raise ConfigError("open_loop needs two windows, so that their actions can be exchanged; got one.")
    past, future = action[:, : context - 1], action[:, context - 1 :]
    # Windows come in random order, so the neighbour's actions belong to another time.
    guesses = (
        _imagined(model, latents, past, future),
        target[:, :1].expand(-1, horizon, -1),
        _imagined(model, latents, past, future.roll(1, dims=0)),
    )
    group = units(held_out.groups)[torch.cat(episode).numpy()]
    error, copy_last, shuffled = (_by_episode(guess, target[:, 1:], group, seed) for guess in guesses)
    return OpenLoop(error, copy_last, shuffled, context, len(latents), seed)


def energy_rank_correlation(
    model: Dynamics,
    cost: Cost,
    env: GoalEnvironment,
    *,
    horizon: int,
    tasks: int = 50,
    candidates: int = 128,
    seed: int = 1,
    progress: bool | None = None,
) -> Estimate:
    """Compute Spearman's correlation of plan energy and true final distance.

    It measures whether low energy means a good outcome. For each held-out task, random plans with one action for each
    block are scored by the model and executed by ``env.simulate``. The correlations of the tasks are averaged, with a
    bootstrap interval: 1 is the true ranking of plans, 0 a random one.

    Args:
        model: The world model.
        cost: The cost that the planner minimises.
        env: The environment.
        horizon: Number of blocks in a plan.
        tasks: Number of held-out tasks.
        candidates: Number of plans for each task.
        seed: Seed of tasks and plans.
        progress: Show a progress bar; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if the environment has no ``simulate``, or an option is too small.
    """
    world = require_simulation(env, "energy_rank_correlation")
    if min(horizon, tasks) < 1 or candidates < 3:
        raise ConfigError(f"horizon and tasks are at least 1, candidates 3; got {horizon}, {tasks} and {candidates}.")
    drawn_tasks, _ = held_out_tasks(env, tasks, seed)
    space, frameskip = env.spec.action, model.config.frameskip
    rng = np.random.default_rng(seed)
    raw = space.sample(rng, (tasks, candidates, horizon)).repeat(frameskip, axis=2)
    blocks = torch.from_numpy(raw.reshape(tasks, candidates, horizon, -1))
    correlations = []
    with frozen(model):
        latents, goals = (
            model.encode(
                {name: np.array(values) for name, values in env.observe(state).items() if name in model.config.inputs}
            )
            for state in (drawn_tasks.start, drawn_tasks.goal)
        )
        for task in track(range(tasks), tasks, "tasks with random plans", show=progress):
            one = slice(task, task + 1)
            actions = blocks[one].to(model.device)
            imagined = model.rollout(Context(latents[one, None]), actions)
            rollout = Rollout(latents[one], imagined, actions, goals[one], model.latent_parts)
            energy = cost(rollout)[0].cpu().numpy()
            start, goal = (
                {name: np.repeat(values[one], candidates, axis=0) for name, values in state.items()}
                for state in (drawn_tasks.start, drawn_tasks.goal)
            )
            end = {name: values[:, -1] for name, values in world.simulate(start, raw[task]).items()}
            finite = np.isfinite(energy)
            correlations.append(rank_correlation(energy[finite], env.distance(end, goal)[finite]))
    return bootstrap(correlations, seed)


def _imagined(model: Dynamics, latents: Tensor, past: Tensor, future: Tensor) -> Tensor:
    with frozen(model):
        latents, past, future = (part.to(model.device) for part in (latents, past, future))
        return model.rollout(Context(latents, past), future).float().cpu()


def _by_episode(guess: Tensor, target: Tensor, group: npt.NDArray[np.int64], seed: int) -> tuple[Estimate, ...]:
    """Return an estimate for each step. Windows of one episode are averaged first, since they are not independent."""
    error = (guess - target).square().mean(dim=-1).double().numpy()
    means = np.stack([error[group == index].mean(axis=0) for index in np.unique(group)])
    return tuple(bootstrap(step, seed) for step in means.T)

"""Counterfactual queries of a world model, and their error against true interventions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._check import require_simulation
from tacit._registry import suggest
from tacit.errors import ConfigError, SpecError
from tacit.models import Dynamics
from tacit.probing.encoder import frozen
from tacit.statistics.intervals import Estimate, Rate, bootstrap, wilson
from tacit.types import Array, Context, Episode, GoalEnvironment, Readout, State

__all__ = [
    "CauseAndEffect",
    "Counterfactual",
    "Interventions",
    "cause_and_effect",
    "counterfactual",
    "recorded_counterfactual",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """Imagined outcomes of executed and of other actions from the same observation.

    Attributes:
        executed: ``[B, H, D]`` imagined latents under the executed actions.
        other: ``[B, H, D]`` imagined latents under the other actions.
        readouts: Quantities of both by their name, ``[B, H, P]`` each, in the unit of the quantity.
    """

    executed: Tensor = field(repr=False)
    other: Tensor = field(repr=False)
    readouts: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict, repr=False)

    @property
    def difference(self) -> Tensor:
        """Return the effect of the other actions on the latents, ``[B, H, D]``: other minus executed."""
        return self.other - self.executed

    def effect(self, target: str) -> Tensor:
        """Return the effect of the other actions on a quantity, ``[B, H, P]``: other minus executed.

        Raises:
            ConfigError: if there is no readout of this name.
        """
        if target not in self.readouts:
            there = ", ".join(self.readouts) or "none"
            raise ConfigError(f"there is no readout {target!r}.{suggest(target, self.readouts)} There are: {there}.")
        executed, other = self.readouts[target]
        return other - executed


def counterfactual(
    model: Dynamics,
    observation: Mapping[str, Tensor | Array],
    executed: Tensor | Array,
    other: Tensor | Array,
    *,
    readouts: Sequence[Readout] = (),
    past: Tensor | Array | None = None,
) -> Counterfactual:
    """Imagine the outcomes of two sequences of actions from one observation.

    Args:
        model: The world model; its weights and its mode do not change.
        observation: Observations ``[B, ...]`` by modality, or ``[B, T, ...]`` with the blocks between them in ``past``.
        executed: ``[B, H, A']`` raw action blocks.
        other: ``[B, H, A']`` the blocks to compare with.
        readouts: Readouts of the quantities to compare, such as those of :func:`tacit.probing.fit`.
        past: ``[B, T - 1, A']`` raw action blocks between the observations.

    Raises:
        SpecError: if the actions have other shapes than each other or than the model needs.
    """
    first, second = (_blocks(actions) for actions in (executed, other))
    if first.shape != second.shape or first.ndim != 3:
        raise SpecError(
            "a counterfactual needs executed and other actions of one shape [B, H, A'], a row for each block; got "
            f"{list(first.shape)} and {list(second.shape)}."
        )
    given = {name: observation[name] for name in model.config.inputs if name in observation}
    with frozen(model):
        latents = model.encode(given)
        latents = latents[:, None] if latents.ndim == 2 else latents
        blocks = None if past is None else _blocks(past).to(model.device)
        context = Context(latents, blocks)
        imagined = [model.rollout(context, actions.to(model.device)).float() for actions in (first, second)]
        found = {one.target: (_read(one, imagined[0]), _read(one, imagined[1])) for one in readouts}
    return Counterfactual(imagined[0].cpu(), imagined[1].cpu(), found)


def recorded_counterfactual(
    model: Dynamics, episode: Episode, step: int, other: Tensor | Array, *, readouts: Sequence[Readout] = ()
) -> Counterfactual:
    """Imagine what other actions would have led to at a step of a recorded episode.

    The observations before the step are the context, as many as the model keeps.

    Args:
        model: The world model.
        episode: The recording; its own actions after the step are the executed ones.
        step: The step of the world to branch at.
        other: ``[H, A']`` raw action blocks in place of the executed ones.
        readouts: Readouts of the quantities to compare.

    Raises:
        ConfigError: if the episode is too short for the step and the blocks.
        SpecError: if the actions do not fit the model.
    """
    instead, frameskip = _blocks(other), model.config.frameskip
    last = len(episode) - 1 - len(instead) * frameskip
    if not 0 <= step <= last:
        raise ConfigError(
            f"the episode has {len(episode)} observations, so {len(instead)} blocks of {frameskip} steps can start at "
            f"steps 0 to {last}; got step={step}."
        )
    before = min(model.history - 1, step // frameskip)
    start = step - before * frameskip
    steps = np.arange(start, step + 1, frameskip)
    observation = {name: np.array(episode.observation[name][steps])[None] for name in model.config.inputs}

    def blocks(first: int, count: int) -> npt.NDArray[np.float32]:
        return episode.action[first : first + count * frameskip].reshape(1, count, -1)

    executed = blocks(step, len(instead))
    return counterfactual(
        model, observation, executed, instead[None], readouts=readouts, past=blocks(start, before) if before else None
    )


@dataclass(frozen=True)
class Interventions:
    """Pairs of action sequences from the same states.

    Attributes:
        start: ``n`` states ``[n, ...]``.
        executed: ``[n, S, A]`` raw actions, one for each step of the world.
        other: ``[n, S, A]`` the actions of the intervention.

    Raises:
        ConfigError: if there are fewer than two pairs, or shapes do not fit.
    """

    start: State
    executed: npt.NDArray[np.float32]
    other: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(next(iter(self.start.values())))
        if self.executed.shape != self.other.shape or self.executed.ndim != 3 or len(self.executed) != count:
            raise ConfigError(
                f"interventions from {count} states need executed and other actions of one shape [{count}, S, A]; got "
                f"{self.executed.shape} and {self.other.shape}."
            )
        if count < 2:
            raise ConfigError(f"interventions need two pairs, so that their actions can be exchanged; got {count}.")


@dataclass(frozen=True)
class CauseAndEffect:
    """Errors of imagined outcomes of interventions, as mean distances of a quantity in its unit.

    Attributes:
        error: Distance of the imagined outcome from the true one.
        copy_last: Distance of the last observed value, a baseline.
        shuffled_actions: Distance of the outcome that is imagined with the actions of another pair, a baseline.
        right: Share of the pairs whose imagined outcomes and effect are right; see :func:`cause_and_effect`.
        effect: Mean size of the true effect, the distance between the two true outcomes.
    """

    error: Estimate
    copy_last: Estimate
    shuffled_actions: Estimate
    right: Rate
    effect: float

    @property
    def gain(self) -> float:
        """Return the error of the better baseline divided by that of the model."""
        return min(self.copy_last.mean, self.shuffled_actions.mean) / self.error.mean


def cause_and_effect(
    model: Dynamics,
    env: GoalEnvironment,
    pairs: Interventions,
    readout: Readout,
    *,
    smallest: float,
    seed: int = 0,
) -> CauseAndEffect:
    """Compare imagined outcomes of interventions with the true ones.

    A pair is right if both imagined outcomes, and their difference, are less than half of the true effect away from the
    true ones. Effects below ``smallest`` count as that large, so that none may be imagined where there is
    none.

    Args:
        model: The world model.
        env: The environment, which simulates the true outcomes; its running episodes are replaced.
        pairs: The interventions, of as many steps as whole blocks of the model.
        readout: The quantity, a label of the environment, read from latents.
        smallest: The smallest effect to tell from none, in the unit of the quantity.
        seed: Seed of the intervals, which are over pairs.

    Raises:
        ConfigError: if the environment does not simulate, has no such label, the steps are no whole blocks, or
            ``smallest`` is not above 0.
    """
    world, frameskip = require_simulation(env, "cause_and_effect"), model.config.frameskip
    count, steps, _ = pairs.executed.shape
    if steps % frameskip or not smallest > 0:
        raise ConfigError(
            f"cause_and_effect needs steps in whole blocks of {frameskip} and smallest > 0; got {steps} steps and "
            f"smallest={smallest}."
        )
    actions = (pairs.executed, pairs.other)
    outcomes = [{name: values[:, -1] for name, values in world.simulate(pairs.start, one).items()} for one in actions]
    true = np.stack([_label(world, state, readout.target) for state in outcomes])
    observation = {name: np.array(values) for name, values in world.begin(pairs.start).items()}

    def imagined(executed: Array, other: Array) -> Floats:
        """Return the last values ``[2, n, P]`` of both."""
        blocks = [np.ascontiguousarray(one).reshape(count, steps // frameskip, -1) for one in (executed, other)]
        found = counterfactual(model, observation, blocks[0], blocks[1], readouts=(readout,)).readouts[readout.target]
        return np.stack([values[:, -1].double().numpy() for values in found])

    mine, shuffled = imagined(*actions), imagined(*(np.roll(one, 1, axis=0) for one in actions))
    with frozen(model):
        given = {name: observation[name] for name in model.config.inputs}
        last = _read(readout, model.encode(given).float()).double().numpy()
    error, copy_last, other = (
        bootstrap(np.linalg.norm(guess - true, axis=-1).mean(axis=0), seed) for guess in (mine, last[None], shuffled)
    )
    effect = np.linalg.norm(true[1] - true[0], axis=-1)
    parts = np.concatenate([mine - true, ((mine[1] - mine[0]) - (true[1] - true[0]))[None]])
    wrong = np.linalg.norm(parts, axis=-1).max(axis=0)
    right = int((wrong < np.maximum(effect, smallest) / 2).sum())
    return CauseAndEffect(error, copy_last, other, wilson(right, count), float(effect.mean()))


def _label(env: GoalEnvironment, state: State, target: str) -> Floats:
    """Return a label ``[n, P]`` of states."""
    env.begin(state)
    labels = env.labels()
    if target not in labels:
        raise ConfigError(
            f"the environment has no label {target!r}.{suggest(target, labels)} There are: {', '.join(labels)}."
        )
    values = np.asarray(labels[target], np.float64)
    return values.reshape(len(values), -1)


def _blocks(actions: Tensor | Array) -> Tensor:
    return torch.as_tensor(np.array(actions, np.float32) if not isinstance(actions, Tensor) else actions)


def _read(readout: Readout, latents: Tensor) -> Tensor:
    """Return a quantity ``[..., P]`` on the CPU."""
    values = readout(latents.cpu())
    return torch.as_tensor(values)

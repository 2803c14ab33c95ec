"""Linear identifiability of a trained model: its latents next to the recorded states of a simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from tacit._registry import suggest
from tacit.errors import ConfigError, DataError
from tacit.identification.metrics import fit_linear, orthogonality
from tacit.identification.state_law import StateLaw, advise, state_law
from tacit.probing.encoder import Encoder
from tacit.probing.features import Features, features, target_names, targets_at
from tacit.types import REWARD, SUCCESS, Array

if TYPE_CHECKING:
    from tacit.data import Episodes

__all__ = ["Identification", "VariableScores", "identify"]

Doubles = npt.NDArray[np.float64]
LINEAR = 0.95
"""R2 from which states are called linearly identified."""


@dataclass(frozen=True)
class VariableScores:
    """Held-out scores of one state variable.

    Attributes:
        name: Its name, with its place in a vector: ``position[0]``.
        r2: R2 of the variable from the latents.
        latents_r2: R2 of the latents from this variable alone: the share of their variance that it explains.
    """

    name: str
    r2: float
    latents_r2: float


@dataclass(frozen=True)
class Identification:
    """Result of :func:`identify`.

    Attributes:
        variables: Scores of each state variable.
        r2_states: R2 of all standardised states from the latents.
        r2_latents: R2 of the latents from all states.
        orthogonality: Of the map from whitened states to latents, up to one scale: 0 if distances of latents are
            distances of states; see :func:`tacit.identification.orthogonality`.
        latent_size: Numbers in a latent.
        rows_fit: Observations that the linear maps were fitted on.
        rows_test: Held-out observations that they were scored on.
        law: The law of the states of the episodes to fit on.
        advice: Advice on the coverage of the data.
    """

    variables: tuple[VariableScores, ...]
    r2_states: float
    r2_latents: float
    orthogonality: float
    latent_size: int
    rows_fit: int
    rows_test: int
    law: StateLaw
    advice: tuple[str, ...]

    def __str__(self) -> str:
        head = f"{'state':<16} {'R2':>7} {'share':>7} {'kurtosis':>9} {'coverage':>9} {'rho':>7}"
        lines = [
            f"{one.name:<16} {one.r2:7.3f} {one.latents_r2:7.3f} {law.kurtosis:9.2f} {law.coverage:9.2f} {law.rho:7.3f}"
            for one, law in zip(self.variables, self.law.variables, strict=True)
        ]
        both = (
            f"linear R2: states from latents {self.r2_states:.3f}, latents from states {self.r2_latents:.3f}; "
            f"orthogonality {self.orthogonality:.2f}"
        )
        return "\n".join([head, *lines, both, *(f"- {sentence}" for sentence in self.advice)])


def identify(
    model: Encoder,
    *,
    fit_on: Episodes,
    test_on: Episodes,
    targets: Sequence[str] = (),
    frames: int = 8192,
    seed: int = 0,
    progress: bool | None = None,
) -> Identification:
    """Compare the latents of a model with recorded states by linear maps in both directions.

    The maps are fitted by least squares on ``fit_on`` and scored on ``test_on``. The law of the states is that of all
    of ``fit_on``: give the training episodes of the model for advice on its data.

    Args:
        model: The encoder; its weights and its mode do not change.
        fit_on: Episodes to fit the maps on.
        test_on: Held-out episodes.
        targets: Names of the labels and observed vectors that make up the state; by default all with floating-point
            numbers.
        frames: The largest number of encoded observations of each of the two.
        seed: Seed of the drawn observations.
        progress: Show progress bars; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if there is no such target, or it has no floating-point numbers.
        DataError: if no state varies, an episode is in both parts, or there are not more rows than latent numbers.
    """
    if shared := test_on.shared(fit_on):
        raise DataError(
            f"{len(shared)} of {len(test_on)} test episodes are also fitted on, so the score would not be of held-out "
            "data. Split with episodes.split(0.5, seed=0)."
        )
    chosen = _chosen(fit_on, targets)
    law, kept = _recorded_law(fit_on, chosen, model.config.frameskip)
    fit, test = (features(model, part, frames=frames, seed=seed, progress=progress) for part in (fit_on, test_on))
    if len(fit) <= fit.values.shape[1] + 1:
        raise DataError(
            f"a linear map from {fit.values.shape[1]} latent numbers needs more observations than that; got "
            f"{len(fit)}. Record more episodes, or raise frames."
        )
    scores = _scores([one.name for one in law.variables], kept, chosen, fit, test)
    advice = advise(law) or (_conclusion(scores.r2_states),)
    return Identification(
        scores.variables,
        scores.r2_states,
        scores.r2_latents,
        scores.orthogonality,
        fit.values.shape[1],
        len(fit),
        len(test),
        law,
        advice,
    )


def _recorded_law(episodes: Episodes, chosen: Sequence[str], frameskip: int) -> tuple[StateLaw, list[int]]:
    """Return the law of all recorded states, and the numbers of the variables that vary."""
    lengths = episodes.lengths
    episode = np.repeat(np.arange(len(lengths)), lengths)
    step = np.concatenate([np.arange(length) for length in lengths])
    names, every = state_variables(targets_at(episodes, episode, step)[0], chosen)
    law = state_law(names, every, episode, frameskip)
    return law, [names.index(one.name) for one in law.variables]


def state_variables(targets: Mapping[str, Array], names: Sequence[str]) -> tuple[list[str], Doubles]:
    """Return the names of all state variables and their values ``[N, n]``, from targets ``[N, ...]``."""
    found: list[str] = []
    columns = []
    for name in names:
        values = np.asarray(targets[name], np.float64).reshape(len(targets[name]), -1)
        found += [name] if values.shape[1] == 1 else [f"{name}[{place}]" for place in range(values.shape[1])]
        columns.append(values)
    return found, np.concatenate(columns, axis=1)


@dataclass(frozen=True)
class _Scores:
    """Scores of the linear maps."""

    variables: tuple[VariableScores, ...]
    r2_states: float
    r2_latents: float
    orthogonality: float


def _scores(names: Sequence[str], kept: Sequence[int], chosen: Sequence[str], fit: Features, test: Features) -> _Scores:
    """Fit the maps in both directions and score them."""
    (z, h), (z_test, h_test) = (
        (state_variables(part.targets, chosen)[1][:, kept], np.asarray(torch.as_tensor(part.values), np.float64))
        for part in (fit, test)
    )
    scale = np.maximum(z.std(axis=0), 1e-12)
    z, z_test = z / scale, z_test / scale
    to_states, to_latents = fit_linear(h, z), fit_linear(z, h)
    moving = np.ptp(z_test, axis=0) > 0
    if not moving.any():
        raise DataError("no state variable varies in the held-out episodes. Record more of them.")
    predicted = to_states(h_test)
    variables = []
    for column, name in enumerate(names):
        total = np.square(z_test[:, column] - z_test[:, column].mean()).sum()
        left = np.square(z_test[:, column] - predicted[:, column]).sum()
        alone = fit_linear(z[:, [column]], h).r2(z_test[:, [column]], h_test)
        variables.append(VariableScores(name, float(1 - left / total) if moving[column] else float("nan"), alone))
    return _Scores(
        tuple(variables),
        to_states.r2(h_test, z_test),
        to_latents.r2(z_test, h_test),
        orthogonality(_whitened(z), h, scaled=True),
    )


def _whitened(states: Doubles) -> Doubles:
    """Return states with covariance ``I``; directions that do not vary are left out."""
    centred = states - states.mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    kept = values > 1e-9 * values.max()
    found: Doubles = centred @ axes[:, kept] / np.sqrt(values[kept])
    return found


def _chosen(episodes: Episodes, targets: Sequence[str]) -> list[str]:
    """Return the names of the targets that make up the state."""
    first = targets_at(episodes, np.zeros(1, np.int64), np.zeros(1, np.int64))[0]
    known = [
        name
        for name in target_names(episodes)
        if name not in (REWARD, SUCCESS) and np.issubdtype(first[name].dtype, np.floating)
    ]
    for name in targets:
        if name not in known:
            there = f"There are: {', '.join(known)}." if known else "There are none."
            raise ConfigError(
                f"the episodes have no state {name!r} in floating-point numbers.{suggest(name, known)} {there}"
            )
    if not known:
        raise ConfigError(
            "the episodes have no state in floating-point numbers: identify compares latents with labels or observed "
            "vectors. Record them in a simulator with tacit collect, or pass an environment."
        )
    return list(targets) or known


def _conclusion(r2: float) -> str:
    """Return the advice for data near the assumptions of the theorem."""
    if r2 >= LINEAR:
        return "The law of the states is near that of the theorem, and they are linear in the latents."
    return (
        f"The law of the states is near that of the theorem, yet their R2 is {r2:.2f}: the training or the size of the "
        "model is the more likely limit than the data."
    )

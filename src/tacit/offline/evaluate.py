"""Forecasts of a world model on held-out recordings, in physical units and in latents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from torch import Tensor

from tacit._html import html_table
from tacit._registry import suggest
from tacit.errors import ConfigError, DataError
from tacit.nn.readout import LinearReadout
from tacit.offline._windows import Windows, draw_windows
from tacit.offline.forecasts import Forecasts, linear_forecast, squared_errors
from tacit.probing.features import features
from tacit.probing.readout import fit_features
from tacit.types import REWARD, SUCCESS

if TYPE_CHECKING:
    from tacit.data import Episodes
    from tacit.models import Dynamics

__all__ = ["OfflineScores", "evaluate"]

Floats = npt.NDArray[np.float64]
FRAMES = 4096
"""Observations that a readout is fitted on, at the most."""


@dataclass(frozen=True, eq=False)
class OfflineScores:
    """Result of :func:`evaluate`.

    Attributes:
        latents: Errors of imagined latents.
        quantities: Errors of each component of each quantity, in its unit.
        action_effect: ``[H]`` distance of the imagined latents under the actions of another time, over the distance
            that the recorded latents moved; 0 for a model that ignores actions.
        component_effect: The same at the end of the horizon, where one component of the actions is exchanged.
        windows: Held-out windows.
        recordings: Independent recordings that they are from.
        step_seconds: Seconds of one step ahead.
    """

    latents: Forecasts
    quantities: tuple[Forecasts, ...]
    action_effect: Floats
    component_effect: Mapping[str, float]
    windows: int
    recordings: int
    step_seconds: float

    @property
    def horizon(self) -> int:
        """Return the number of steps ahead."""
        return len(self.action_effect)

    @property
    def score(self) -> float:
        """Return the mean skill over the quantities, or that of the latents where there are none.

        See :attr:`Forecasts.skill`. It can be compared between models for the same recordings, horizon and step.
        """
        return float(np.mean([one.skill for one in self.quantities or (self.latents,)]))

    @property
    def wins(self) -> int:
        """Return the number of steps up to which every quantity beats both baselines."""
        return min(one.wins for one in self.quantities or (self.latents,))

    def rows(self) -> list[tuple[str, str, str, str, str, str]]:
        """Return a row for each quantity: errors at the end of the horizon, and the steps that the model wins."""
        found = []
        for one in (*self.quantities, self.latents):
            last = [f"{one.error(method)[-1]:.4g}" for method in ("model", "persistence", "linear", "shuffled actions")]
            until = f"{one.wins} of {self.horizon} steps ({one.wins * self.step_seconds:.3g} s)"
            found.append((one.name, last[0], last[1], last[2], last[3], until))
        return found

    def __str__(self) -> str:
        lines = [
            f"{self.windows} windows of {self.recordings} held-out recordings, {self.horizon} steps of "
            f"{self.step_seconds:.3g} s",
        ]
        header = ("error at the end", "model", "persistence", "linear", "shuffled", "model wins for")
        for name, model, persistence, linear, shuffled, until in (header, *self.rows()):
            lines.append(f"{name:<24} {model:>10} {persistence:>12} {linear:>10} {shuffled:>10}  {until}")
        effect = self.action_effect[-1]
        lines.append(f"score {self.score:.3f}; other actions move the imagined end by {effect:.2f} of the way")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return a table for notebooks."""
        header = ("error at the end", "model", "persistence", "linear", "shuffled actions", "model wins for")
        return html_table(f"{self.windows} held-out windows, score {self.score:.3f}", header, self.rows())


def evaluate(
    model: Dynamics,
    *,
    fit_on: Episodes,
    held_out: Episodes,
    horizon: int = 8,
    windows: int = 512,
    targets: Sequence[str] = (),
    seed: int = 0,
    progress: bool | None = None,
) -> OfflineScores:
    """Compare imagined futures with recorded ones, next to persistence and a linear autoregressive model.

    Quantities are read from imagined latents by linear readouts that are fitted on ``fit_on``, as the linear baseline
    is. A model is of use for planning as far ahead as it beats both baselines and depends on its actions.

    Args:
        model: The world model; its weights do not change.
        fit_on: The recordings that it was trained on.
        held_out: Recordings that it was not trained on.
        horizon: Model steps ahead.
        windows: The largest number of held-out windows; four times as many are fitted on.
        targets: Labels, observed vectors or series of one sample a step, of floating-point numbers; by default all
            that vary.
        seed: Seed of the drawn windows.
        progress: Show progress bars; None: on a terminal and in a notebook.

    Raises:
        ConfigError: if there is no such target, or an option is too small.
        DataError: if no episode is long enough, or an episode is in both parts.
    """
    if shared := set(fit_on.digests()) & set(held_out.digests()):
        raise DataError(f"{len(shared)} held-out episodes are also fitted on. Split with episodes.split(0.9, seed=0).")
    test = draw_windows(model, held_out, horizon, windows, seed, progress)
    fit = draw_windows(model, fit_on, horizon, 4 * windows, seed, progress)
    # A window that is half of them away belongs to another time, and mostly to another episode.
    exchanged = test.future.roll(len(test.future) // 2, dims=0)
    imagined, swapped = test.imagined(model, test.future), test.imagined(model, exchanged)
    quantities: list[Forecasts] = []
    names = _chosen(targets, fit)
    encoded = [features(model, part, frames=FRAMES, seed=seed, progress=progress) for part in (fit_on, held_out)]
    for name in names:
        fitted, tested = encoded
        readout = fit_features(fitted, tested, name, seed=seed)
        quantities += _quantity(readout, component_names(held_out, name, readout.size), fit, test, imagined, swapped)
    moved = (test.targets[:, test.lead :] - test.targets[:, test.lead - 1, None]).square().mean(dim=(0, 2))
    effect = ((imagined - swapped).square().mean(dim=(0, 2)) / moved.clamp(min=1e-12)).sqrt().double().numpy()
    return OfflineScores(
        _latents(fit, test, imagined, swapped),
        tuple(quantities),
        effect,
        _components(model, test, imagined, exchanged, float(moved[-1])),
        len(test.unit),
        len(np.unique(test.unit)),
        model.config.frameskip / held_out.spec.fps,
    )


def component_names(episodes: Episodes, name: str, size: int) -> list[str]:
    """Return the names of the components of a quantity, with their units where they are known."""
    modality = episodes.spec.modalities.get(name)
    if modality is not None and modality.names:
        return list(modality.names)
    return [name] if size == 1 else [f"{name}[{index}]" for index in range(size)]


def _chosen(targets: Sequence[str], fit: Windows) -> list[str]:
    """Return the named targets, or all of floating-point numbers that vary."""
    for name in targets:
        if name not in fit.quantities:
            there = ", ".join(fit.quantities) or "none"
            raise ConfigError(
                f"the recordings have no quantity {name!r}.{suggest(name, fit.quantities)} There are: {there}."
            )
    if targets:
        return list(targets)
    return [
        name
        for name, values in fit.quantities.items()
        if name not in (REWARD, SUCCESS) and (values.reshape(-1, values.shape[-1]).std(axis=0) > 0).any()
    ]


def _quantity(
    readout: LinearReadout, names: Sequence[str], fit: Windows, test: Windows, imagined: Tensor, swapped: Tensor
) -> list[Forecasts]:
    """Return the errors of each component of a quantity."""
    known, asked = fit.quantities[readout.target], test.quantities[readout.target]
    actual = asked[:, test.lead :]
    guesses = {
        "model": cast("Tensor", readout(imagined)).double().numpy(),
        "persistence": np.broadcast_to(asked[:, test.lead - 1, None], actual.shape),
        "linear": linear_forecast(known, fit, asked, test),
        "shuffled actions": cast("Tensor", readout(swapped)).double().numpy(),
    }
    found = []
    for index, name in enumerate(names):
        if known[..., index].std() > 0:
            at = slice(index, index + 1)
            squared = {
                method: squared_errors(guess[..., at], actual[..., at], test.unit) for method, guess in guesses.items()
            }
            found.append(Forecasts(name, squared, readout.error[index]))
    return found


def _latents(fit: Windows, test: Windows, imagined: Tensor, swapped: Tensor) -> Forecasts:
    """Return the errors of latents."""
    known, asked = (part.targets.double().numpy() for part in (fit, test))
    actual = asked[:, test.lead :]
    guesses = {
        "model": imagined.double().numpy(),
        "persistence": np.broadcast_to(asked[:, test.lead - 1, None], actual.shape),
        "linear": linear_forecast(known, fit, asked, test),
        "shuffled actions": swapped.double().numpy(),
    }
    return Forecasts("latents", {name: squared_errors(guess, actual, test.unit) for name, guess in guesses.items()})


def _components(model: Dynamics, test: Windows, imagined: Tensor, exchanged: Tensor, moved: float) -> dict[str, float]:
    """Return how far each component of the actions moves the imagined end, over the way of the recorded one."""
    size = exchanged.shape[-1] // model.config.frameskip
    found = {}
    for index in range(size):
        future = test.future.clone()
        future[..., index::size] = exchanged[..., index::size]
        end = test.imagined(model, future)[:, -1]
        apart = float((end - imagined[:, -1]).square().mean())
        found[f"action[{index}]"] = float(np.sqrt(apart / max(moved, 1e-12)))
    return found

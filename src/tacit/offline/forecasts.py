"""Errors of forecasts of one quantity, next to baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit.offline._windows import Windows
from tacit.probing.probes.linear import RIDGE, ridge

__all__ = ["BASELINES", "Forecasts"]

Floats = npt.NDArray[np.float64]
BASELINES = ("persistence", "linear", "shuffled actions")
"""Repeat the last value; a linear map of the last values and all actions; the model under actions of another time."""
HELD = 0.2
"""Share of the recordings that choose the penalty of the linear baseline."""


@dataclass(frozen=True, eq=False)
class Forecasts:
    """Errors of a model and of baselines at each step of a horizon.

    Attributes:
        name: The quantity.
        squared: By method ``[U, H]``: mean squared error in each of ``U`` independent recordings.
        readout: Root mean square error of the quantity when it is read from the recorded observation itself, which no
            forecast falls below by much; 0 for latents.
    """

    name: str
    squared: Mapping[str, Floats]
    readout: float = 0.0

    def error(self, method: str = "model") -> Floats:
        """Return the root mean square error ``[H]`` of ``model`` or of a baseline, in the unit of the quantity."""
        return np.asarray(np.sqrt(self.squared[method].mean(axis=0)))

    @property
    def best(self) -> Floats:
        """Return the error ``[H]`` of the better of persistence and the linear baseline."""
        return np.minimum(self.error("persistence"), self.error("linear"))

    @property
    def wins(self) -> int:
        """Return the number of steps, from the first on, at which the model beats both baselines."""
        ahead = self.error() < self.best
        return len(ahead) if ahead.all() else int(np.argmin(ahead))

    @property
    def skill(self) -> float:
        """Return 1 minus the squared error of the model over that of persistence, the mean over the horizon.

        It is 1 for a perfect forecast, 0 for one that is as good as repeating the last value, and not below -1.
        """
        usual = np.maximum(self.error("persistence") ** 2, np.finfo(float).tiny)
        return float(np.clip(1 - self.error() ** 2 / usual, -1, 1).mean())


def squared_errors(guess: Floats, actual: Floats, unit: npt.NDArray[np.int64]) -> Floats:
    """Return the mean squared error ``[U, H]`` of guesses ``[N, H, P]`` in each recording.

    Windows of one recording are averaged first, since they are not independent.
    """
    error = np.square(guess - actual).mean(axis=-1)
    return np.stack([error[unit == one].mean(axis=0) for one in np.unique(unit)])


def linear_forecast(known: Floats, fit: Windows, asked: Floats, test: Windows) -> Floats:
    """Return forecasts ``[N, H, P]`` of a ridge regression, one for each step ahead.

    Its inputs are the values at all observations up to the last known one, and every action block up to the step.

    Args:
        known: ``[M, lead + H, P]`` values in the windows to fit on.
        fit: These windows.
        asked: ``[N, lead + H, P]`` values in the windows to forecast; the later ones are not read.
        test: These windows.
    """
    recordings = np.unique(fit.unit)
    held = np.isin(fit.unit, recordings[:: max(2, round(1 / HELD))])
    if held.all():
        held = np.arange(len(fit.unit)) % round(1 / HELD) == 0
    guesses = []
    for step in range(1, test.horizon + 1):
        rows = [_inputs(values, windows, step) for values, windows in ((known, fit), (asked, test))]
        mean, std = rows[0].mean(axis=0), rows[0].std(axis=0)
        x, new = ((one - mean) / np.where(std > 1e-8, std, 1.0) for one in rows)
        y = known[:, fit.lead - 1 + step]
        tried = ridge(x[~held], y[~held], np.array(RIDGE))
        best = int(np.argmin([np.square(one(x[held]) - y[held]).sum() for one in tried]))
        (solution,) = ridge(x, y, np.array(RIDGE[best : best + 1]))
        guesses.append(solution(new))
    return np.stack(guesses, axis=1)


def _inputs(values: Floats, windows: Windows, step: int) -> Floats:
    """Return what is known for a forecast, ``[N, F]``."""
    past = values[:, : windows.lead].reshape(len(values), -1)
    actions = windows.actions[:, : windows.lead - 1 + step].double().flatten(1).numpy()
    return np.concatenate([past, actions], axis=1)

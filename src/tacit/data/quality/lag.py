"""Actions that are recorded too early or too late: which one moves the state."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tacit.data.quality._check import Note, QualityCheck, is_clock, numbers
from tacit.types import Episode, Spec

__all__ = ["Lag"]

Floats = npt.NDArray[np.float64]
MOST = 32
"""The most components of state and action that are read."""


class Lag(QualityCheck):
    """Check for shifted actions: R2 of linear fits of the change of the state on the action of each lag.

    ``action[t]`` takes ``observation[t]`` to ``observation[t + 1]``. The change of the state is fitted to the state and
    to ``action[t + lag]``, and the R2 is of what the state alone leaves. A lag below zero is a delay of the effect; one
    above zero means that an action is recorded after its effect. Lags above zero are not examined where actions follow
    from the observations, as those of a controller: their future values then tell the change.

    Args:
        steps: The largest lag in both directions.
        least: The least R2 of a lag that is reported.
        factor: The least ratio of its R2 to that of lag 0.
        feedback: The least R2 of actions on the state that means a controller.
    """

    def __init__(self, steps: int = 5, least: float = 0.2, factor: float = 4.0, feedback: float = 0.5) -> None:
        self._steps, self._least, self._factor, self._feedback = steps, least, factor, feedback
        self._gram: Floats | None = None
        self._rows = self._states = self._actions = 0
        self._mean: Floats | None = None
        self._scale: Floats | None = None

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:
        """Yield nothing; add the products of states, changes and actions."""
        state = self._state(episode, spec)
        margin, action = self._steps, episode.action[:, :MOST].astype(np.float64)
        rows = np.arange(margin, len(episode) - 1 - margin)
        if state is None or not action.shape[1] or len(rows) < 2:
            return iter(())
        lags = [action[rows + lag] for lag in range(-margin, margin + 1)]
        table = np.concatenate([state[rows], state[rows + 1] - state[rows], *lags], axis=1)
        if self._mean is None:
            self._mean, scale = table.mean(axis=0), table.std(axis=0)
            self._scale = np.where(scale > 0, scale, 1.0)
            self._states, self._actions = state.shape[1], action.shape[1]
        if table.shape[1] != len(self._mean):
            return iter(())
        assert self._scale is not None
        table = np.concatenate([np.ones((len(rows), 1)), (table - self._mean) / self._scale], axis=1)
        self._gram = table.T @ table + (0.0 if self._gram is None else self._gram)
        self._rows += len(rows)
        return iter(())

    def conclude(self, spec: Spec) -> Iterator[Note]:  # noqa: ARG002 - the interface
        """Yield a note if the action of another lag moves the state."""
        if self._gram is None or self._rows < 10 * (1 + self._states + self._actions):
            return
        scores = {lag: self._score(lag) for lag in range(-self._steps, self._steps + 1)}
        if self._follows() >= self._feedback:
            scores = {lag: score for lag, score in scores.items() if lag <= 0}
        lag = max(scores, key=lambda one: scores[one])
        if lag == 0 or scores[lag] < self._least or scores[lag] < self._factor * max(scores[0], 0.0):
            return
        count = f"{abs(lag)} step{'s' * (abs(lag) > 1)}"
        told = f"R2 {scores[lag]:.2f}, and {max(scores[0], 0.0):.2f} of the action of the step itself"
        if lag > 0:
            yield Note(
                "action",
                f"the state changes {count} before its action is recorded ({told}).",
                f"The action leaks into observations before it: record action[t + {lag}] as action[t].",
            )
        else:
            yield Note(
                "action",
                f"the state follows its action {count} late ({told}).",
                f"If the recorder wrote actions too early, record action[t - {-lag}] as action[t]; if the process has "
                "a dead time, give the model a history that covers it.",
            )

    def _state(self, episode: Episode, spec: Spec) -> Floats | None:
        """Return ``[T, D]`` the numbers of each observation, or else those of the labels."""
        steps = len(episode)
        found = []
        for name, values in numbers(episode, spec):
            if name == "exogenous":
                continue
            firsts = spec.starts(name, steps)[:-1]
            found.append(values if len(values) == steps else values[np.minimum(firsts, len(values) - 1)])
        if not found:
            for name, label in sorted(episode.labels.items()):
                if label.dtype.kind == "f" and not (name.startswith("episode.") or is_clock(name, label)):
                    found.append(label.reshape(steps, -1).astype(np.float64))
        return np.concatenate(found, axis=1)[:, :MOST] if found else None

    def _score(self, lag: int) -> float:
        """Return the largest R2 of a component of the change, of what the state leaves."""
        action = self._places(lag)
        state = list(range(1 + self._states))
        before, after = self._rest(state), self._rest([*state, *action])
        there = before > 1e-9 * self._rows
        return float(np.max(1 - after[there] / before[there], initial=0.0))

    def _places(self, lag: int) -> list[int]:
        first = 1 + 2 * self._states + (lag + self._steps) * self._actions
        return list(range(first, first + self._actions))

    def _rest(self, inputs: list[int]) -> Floats:
        """Return the squared errors of the changes after a linear fit on columns."""
        return self._errors(inputs, list(range(1 + self._states, 1 + 2 * self._states)))

    def _follows(self) -> float:
        """Return the R2 of the actions on the state of their step."""
        targets = self._places(0)
        before, after = self._errors([0], targets), self._errors(list(range(1 + self._states)), targets)
        there = before > 1e-9 * self._rows
        return float(np.mean(1 - after[there] / before[there])) if there.any() else 0.0

    def _errors(self, inputs: list[int], targets: list[int]) -> Floats:
        assert self._gram is not None
        inner, cross = self._gram[np.ix_(inputs, inputs)], self._gram[np.ix_(inputs, targets)]
        weights = np.linalg.lstsq(inner + 1e-9 * self._rows * np.eye(len(inputs)), cross, rcond=None)[0]
        return np.asarray(np.maximum(np.diag(self._gram)[targets] - (cross * weights).sum(axis=0), 0.0), np.float64)

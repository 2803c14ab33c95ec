"""Actors on the line of :class:`tacit.testing.worlds.LineWorld`."""

import numpy as np

from tacit.types import Verdict


class Walker:
    """Walks towards the goal that its observation shows, and keeps everything that it was given."""

    def __init__(self, name="vector", speed=1.0):
        self._name, self._speed, self.given = name, speed, []

    def start(self, *, seed, batch=1, goal=None):
        self.given.append(goal)
        return goal[self._name][:, :1]

    def act(self, state, observation):
        self.given.append(observation)
        action = np.clip(state - observation[self._name][:, :1], -self._speed, self._speed).astype(np.float32)
        return action, Verdict.acting(len(action)), state


class Still:
    """Never moves."""

    def start(self, *, seed, batch=1, goal=None):
        return batch

    def act(self, state, observation):
        return (
            np.zeros((state, 1), np.float32),
            Verdict(("stop",) * state, np.zeros(state, np.float32), ("frozen",) * state),
            state,
        )


class Passing(Still):
    """Walks right until the wall, past every goal."""

    def act(self, state, observation):
        return np.ones((state, 1), np.float32), Verdict.acting(state), state

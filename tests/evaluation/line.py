"""A world with known answers: a point on a line from 0 to 10, one step moves it by its action."""

import numpy as np

from tacit.types import Box, Modality, Spec, TaskRules, Tasks, Transition, Verdict


class Line:
    """``x`` moves by the action in [-1, 1]; its picture is a 2-vector, and it offers one that leaks the state."""

    def __init__(self, budget=12, success_at="last", solved_share=0.0, end_at=None):
        self.spec = Spec({"vector": Modality("vector", (2,))}, Box((-1.0,), (1.0,), "delta"))
        self.rules = TaskRules(radius=0.5, budget=budget, success_at=success_at, unit="m")
        self._solved_share, self._end_at = solved_share, end_at
        self._x = np.zeros((1, 1))

    @property
    def num_envs(self):
        return len(self._x)

    def reset(self, seed):
        return self.begin({"x": np.random.default_rng(seed).uniform(0, 10, self._x.shape)})

    def begin(self, state):
        self._x = np.array(state["x"], np.float64)
        return self.observe(state)

    def step(self, action):
        self._x = np.clip(self._x + action, 0.0, 10.0)
        never = np.zeros(len(self._x), np.bool_)
        ended = never if self._end_at is None else self._x[:, 0] >= self._end_at
        return Transition(self.observe({"x": self._x}), ended, never)

    def labels(self):
        return {"position": self._x.astype(np.float32)}

    def close(self):
        pass

    def tasks(self, count, seed):
        rng = np.random.default_rng(seed)
        start, goal = rng.uniform(0, 4, (count, 1)), rng.uniform(6, 9, (count, 1))
        return Tasks({"x": start}, {"x": np.where(rng.random((count, 1)) < self._solved_share, start, goal)})

    def observe(self, state):
        x = np.asarray(state["x"], np.float32)
        return {"vector": np.concatenate([x, 10 - x], axis=1), "secret": x.copy()}

    def state(self):
        return {"x": self._x}

    def distance(self, state, goal):
        return np.abs(np.asarray(state["x"])[..., 0] - np.asarray(goal["x"])[..., 0])

    def simulate(self, state, actions):
        x, steps = np.asarray(state["x"]), []
        for index in range(actions.shape[1]):
            x = np.clip(x + actions[:, index], 0.0, 10.0)
            steps.append(x)
        return {"x": np.stack(steps, axis=1)}

    def expert(self, state, goal):
        return np.clip(np.asarray(goal["x"]) - np.asarray(state["x"]), -1, 1).astype(np.float32)


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

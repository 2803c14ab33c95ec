"""A small agent with a known answer."""

import numpy as np

import tacit as tc
from tacit.testing.worlds import PointModel


def agent_of(model=None, planner=None, **options):
    planner = planner or tc.planners.CEM(samples=16, iterations=2, elites=4)
    return tc.Agent(model or PointModel(frameskip=2), planner, tc.costs.Goal(), **{"horizon": 2, **options})


def act(actor, model, steps=6, batch=2, shown=lambda step, observation: observation, **options):
    """Let an actor pursue the origin; return its actions and verdicts."""
    position = np.full((batch, 2), 0.75, np.float32)
    state = actor.start(seed=7, batch=batch, goal={"position": np.zeros((batch, 2), np.float32)}, **options)
    actions, verdicts = [], []
    for step in range(steps):
        action, verdict, state = actor.act(state, shown(step, {"position": position}))
        position = position + action
        actions.append(action)
        verdicts.append(verdict)
    return np.stack(actions), verdicts

"""An arm of two joints with a camera, whose parts take known times, and its agent."""

import numpy as np
import torch

import tacit as tc
from tacit.testing.clocks import VirtualClock
from tacit.types import Box, Modality, Spec

SPEC = Spec(
    {"camera": Modality("pixels", (3, 4, 4)), "joints": Modality("vector", (2,))},
    Box((-1.0, -1.0), (1.0, 1.0), kind="position"),
    fps=10.0,
    position="joints",
)


class JointModel:
    """A latent is the pose of the joints, and an action is the next pose."""

    spec, frameskip, history = SPEC, 1, 2
    device, latent_parts = torch.device("cpu"), {}

    def __init__(self, clock=None, plan_seconds=()):
        self.clock, self.plan_seconds = clock, iter(plan_seconds)
        self.contexts = []

    def encode(self, observation):
        if self.clock is not None:
            self.clock.spend(next(self.plan_seconds, 0.0))
        return torch.as_tensor(np.asarray(observation["joints"], np.float32))

    def rollout(self, context, blocks):
        self.contexts.append(context)
        return blocks


def agent(model=None, **options):
    planner = tc.planners.CEM(samples=32, iterations=4, elites=6)
    return tc.Agent(model or JointModel(), planner, tc.costs.Goal(), horizon=1, **options)


class Arm:
    """A robot: its camera has noise, each command is executed at once, and reading and writing take known times."""

    def __init__(self, clock=None, read_seconds=(), write_seconds=(), broken=()):
        self.clock = clock or VirtualClock()
        self.read_seconds, self.write_seconds = iter(read_seconds), iter(write_seconds)
        self.broken = dict(broken)
        self.rng = np.random.default_rng(0)
        self.joints = np.array([0.5, -0.5], np.float32)
        self.read_at, self.written, self.written_at = [], [], []

    def read(self):
        count = len(self.read_at)
        self.read_at.append(self.clock.now())
        self.clock.spend(next(self.read_seconds, 0.0)) if isinstance(self.clock, VirtualClock) else None
        found = {"camera": self.rng.integers(0, 256, (3, 4, 4), dtype=np.uint8), "joints": self.joints.copy()}
        return self.broken[count](found) if count in self.broken else found

    def write(self, action):
        self.written_at.append(self.clock.now())
        self.clock.spend(next(self.write_seconds, 0.0)) if isinstance(self.clock, VirtualClock) else None
        self.joints = action.copy()
        self.written.append(action.copy())


GOAL = {"joints": np.array([-0.25, 0.75], np.float32), "camera": np.zeros((3, 4, 4), np.uint8)}

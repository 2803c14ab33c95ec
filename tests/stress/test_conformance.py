"""Every perturbation of the registry keeps its promises, and the suite notices those that do not."""

from dataclasses import dataclass

import numpy as np
import pytest

from tacit import stress
from tacit.envs import TwoRooms
from tacit.stress import (
    ActionDelay,
    ActionGain,
    ActionNoise,
    ChangedFactor,
    DroppedFrames,
    FrozenSensor,
    Latency,
    MissingModality,
    Perturbed,
    SensorBias,
    StaleFrames,
    Teleport,
)
from tacit.stress._suite import IMAGES
from tacit.testing.stress import check_perturbation
from tacit.testing.worlds import LineWorld

BUILT = {
    "changed_factor": [ChangedFactor("wall_x", shift=4.0), ChangedFactor("agent_color", hue=60.0)],
    "dropped_frames": [DroppedFrames()],
    "frozen_sensor": [FrozenSensor()],
    "missing_modality": [MissingModality(first=(9, 9))],
    "teleport": [Teleport(first=(3, 9))],
    "latency": [Latency()],
    "stale_frames": [StaleFrames()],
    "action_noise": [ActionNoise()],
    "action_delay": [ActionDelay()],
    "action_gain": [ActionGain()],
    **{name: [stress.load(name)()] for one in IMAGES.values() for name in one},
}


@pytest.mark.parametrize("name", stress.names())
def test_perturbations_conform(name):
    if name == "sensor_bias":
        check_perturbation(SensorBias(), LineWorld)
    for one in BUILT.get(name, []):
        check_perturbation(one, TwoRooms)
    assert name in {"sensor_bias", *BUILT}


def test_a_missing_vector_conforms():
    check_perturbation(MissingModality("vector", (2, 9)), LineWorld)


@dataclass(frozen=True)
class Broken:
    kind: type

    def __call__(self, env, seed):
        return self.kind(env, seed)


class Plain(Perturbed):
    pass


class Random(Perturbed):
    def changed(self, observation):
        return {"pixels": observation["pixels"] ^ np.random.default_rng().integers(2, dtype=np.uint8)}


class Mixed(Perturbed):
    def changed(self, observation):
        return {"pixels": observation["pixels"] ^ observation["pixels"].mean(axis=0).astype(np.uint8)}


@pytest.mark.parametrize(
    ("kind", "promise"), [(Plain, "change something"), (Random, "same faults"), (Mixed, "depend on the others")]
)
def test_a_broken_perturbation_is_noticed(kind, promise):
    with pytest.raises(AssertionError, match=promise):
        check_perturbation(Broken(kind), TwoRooms)

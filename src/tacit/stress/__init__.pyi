"""Perturbations of environments that test an agent and its guard; each file is one perturbation."""

from typing import Any

from tacit.stress._perturbation import Perturbation as Perturbation
from tacit.stress._perturbation import Perturbed as Perturbed
from tacit.stress.changed_factor import ChangedFactor as ChangedFactor
from tacit.stress.dropped_frames import DroppedFrames as DroppedFrames
from tacit.stress.frozen_sensor import FrozenSensor as FrozenSensor
from tacit.stress.missing_modality import MissingModality as MissingModality
from tacit.stress.teleport import Teleport as Teleport

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

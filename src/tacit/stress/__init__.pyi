"""Perturbations of environments that test an agent and its guard; each file is one perturbation."""

from typing import Any

from tacit.stress._perturbation import Perturbation as Perturbation
from tacit.stress._perturbation import Perturbed as Perturbed
from tacit.stress._results import On as On
from tacit.stress._results import StressCase as StressCase
from tacit.stress._results import StressResult as StressResult
from tacit.stress._results import StressTest as StressTest
from tacit.stress._stressing import stress_test as stress_test
from tacit.stress._suite import Change as Change
from tacit.stress._suite import FAMILIES as FAMILIES
from tacit.stress._suite import suite as suite
from tacit.stress.action_delay import ActionDelay as ActionDelay
from tacit.stress.action_gain import ActionGain as ActionGain
from tacit.stress.action_noise import ActionNoise as ActionNoise
from tacit.stress.blur import Blur as Blur
from tacit.stress.brightness import Brightness as Brightness
from tacit.stress.changed_factor import ChangedFactor as ChangedFactor
from tacit.stress.compression import Compression as Compression
from tacit.stress.contrast import Contrast as Contrast
from tacit.stress.dropped_frames import DroppedFrames as DroppedFrames
from tacit.stress.frozen_sensor import FrozenSensor as FrozenSensor
from tacit.stress.hue import Hue as Hue
from tacit.stress.latency import Latency as Latency
from tacit.stress.missing_modality import MissingModality as MissingModality
from tacit.stress.moving_patch import MovingPatch as MovingPatch
from tacit.stress.noise import Noise as Noise
from tacit.stress.occlusion import Occlusion as Occlusion
from tacit.stress.random_convolution import RandomConvolution as RandomConvolution
from tacit.stress.resolution import Resolution as Resolution
from tacit.stress.saturation import Saturation as Saturation
from tacit.stress.sensor_bias import SensorBias as SensorBias
from tacit.stress.shift import Shift as Shift
from tacit.stress.stale_frames import StaleFrames as StaleFrames
from tacit.stress.teleport import Teleport as Teleport
from tacit.stress.tint import Tint as Tint
from tacit.stress.video_background import VideoBackground as VideoBackground

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

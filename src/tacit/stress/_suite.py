"""The changes of a stress test: what is changed, in which family, and how much at each severity."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tacit._registry import suggest
from tacit.errors import ConfigError
from tacit.stress._perturbation import Perturbation
from tacit.stress.action_delay import ActionDelay
from tacit.stress.action_gain import ActionGain
from tacit.stress.action_noise import ActionNoise
from tacit.stress.blur import Blur
from tacit.stress.brightness import Brightness
from tacit.stress.changed_factor import ChangedFactor
from tacit.stress.compression import Compression
from tacit.stress.contrast import Contrast
from tacit.stress.dropped_frames import DroppedFrames
from tacit.stress.frozen_sensor import FrozenSensor
from tacit.stress.hue import Hue
from tacit.stress.latency import Latency
from tacit.stress.moving_patch import MovingPatch
from tacit.stress.noise import Noise
from tacit.stress.occlusion import Occlusion
from tacit.stress.random_convolution import RandomConvolution
from tacit.stress.resolution import Resolution
from tacit.stress.saturation import Saturation
from tacit.stress.sensor_bias import SensorBias
from tacit.stress.shift import Shift
from tacit.stress.stale_frames import StaleFrames
from tacit.stress.tint import Tint
from tacit.stress.video_background import VideoBackground
from tacit.types import Box, GoalEnvironment

__all__ = ["FAMILIES", "Change", "suite"]

FAMILIES = ("detail", "color", "cover", "texture", "view", "environment", "sensors", "actuators")
"""Changes of the image: its detail, its colors, things in front of the camera, textures and the view; then those of the
world, of the sensors and of the actuators."""


@dataclass(frozen=True)
class Change:
    """A change with five severities.

    Attributes:
        name: Its name, such as ``noise`` or ``wall_x moved``.
        family: One of ``FAMILIES``.
        at: Returns the perturbation of a severity from 1 to 5.
        of_images: Whether it changes single images, so that a goal image can be changed like an observation.
    """

    name: str
    family: str
    at: Callable[[int], Perturbation]
    of_images: bool = False


IMAGES: Mapping[str, Mapping[str, Any]] = {
    "detail": {"noise": Noise, "blur": Blur, "resolution": Resolution, "compression": Compression},
    "color": {"brightness": Brightness, "tint": Tint, "hue": Hue, "contrast": Contrast, "saturation": Saturation},
    "cover": {"occlusion": Occlusion, "moving_patch": MovingPatch},
    "texture": {"random_convolution": RandomConvolution, "video_background": VideoBackground},
    "view": {"shift": Shift},
}
SENSORS: Mapping[str, Any] = {
    "dropped_frames": DroppedFrames,
    "frozen": FrozenSensor,
    "latency": Latency,
    "stale_frames": StaleFrames,
}
ACTUATORS: Mapping[str, Any] = {"action_noise": ActionNoise, "action_delay": ActionDelay, "action_gain": ActionGain}
FACTORS: Mapping[str, tuple[str, str, tuple[float, ...]]] = {
    "agent_color hue": ("agent_color", "hue", (20, 40, 60, 90, 120)),
    "agent_color darker": ("agent_color", "shift", (-20, -40, -60, -80, -100)),
    "wall_color hue": ("wall_color", "hue", (20, 40, 60, 90, 120)),
    "wall_color brighter": ("wall_color", "shift", (20, 40, 60, 80, 100)),
    "background_color hue": ("background_color", "hue", (20, 40, 60, 90, 120)),
    "background_color darker": ("background_color", "shift", (-20, -40, -60, -80, -100)),
    "wall_x moved": ("wall_x", "shift", (1, 2, 4, 6, 8)),
    "door_y moved": ("door_y", "shift", (1, 2, 4, 6, 8)),
    "wall_thickness more": ("wall_thickness", "shift", (1, 2, 4, 5, 6)),
    "agent_radius more": ("agent_radius", "scale", (1.1, 1.2, 1.3, 1.4, 1.5)),
    "speed less": ("speed", "scale", (0.9, 0.75, 0.6, 0.5, 0.4)),
    "speed more": ("speed", "scale", (1.1, 1.25, 1.5, 1.75, 2.0)),
}
"""Factors of a state by the name of their change: the factor, the option of :class:`ChangedFactor`, five values."""


def suite(env: GoalEnvironment, names: Iterable[str] = ()) -> tuple[Change, ...]:
    """Return the changes that an environment allows.

    Args:
        env: The environment.
        names: Names of changes or families; none: all.

    Raises:
        ConfigError: if there is no such change or family for this environment.
    """
    found = [*_of_images(env), *_of_factors(env), *_of_sensors(env), *_of_actuators(env)]
    chosen = list(names)
    known = {one.name for one in found} | {one.family for one in found}
    for name in chosen:
        if name not in known:
            raise ConfigError(
                f"there is no change or family {name!r} for this environment.{suggest(name, known)} There are "
                f"{', '.join(sorted(known))}."
            )
    return tuple(one for one in found if not chosen or one.name in chosen or one.family in chosen)


def _of_images(env: GoalEnvironment) -> list[Change]:
    if not env.spec.cameras:
        return []
    return [Change(name, family, kind.at, True) for family, kinds in IMAGES.items() for name, kind in kinds.items()]


def _of_factors(env: GoalEnvironment) -> list[Change]:
    state, found = env.state(), list[Change]()
    if not hasattr(env, "simulate"):
        return found
    for name, (factor, option, values) in FACTORS.items():
        if factor in state:

            def at(
                severity: int, factor: str = factor, option: str = option, values: tuple[float, ...] = values
            ) -> Any:
                return ChangedFactor(factor, **{option: float(values[severity - 1])})

            found.append(Change(name, "environment", at))
    return found


def _of_sensors(env: GoalEnvironment) -> list[Change]:
    found = [Change(name, "sensors", kind.at) for name, kind in SENSORS.items()]
    if set(env.spec.modalities) > set(env.spec.cameras):
        found.append(Change("sensor_bias", "sensors", SensorBias.at))
    return found


def _of_actuators(env: GoalEnvironment) -> list[Change]:
    if not isinstance(env.spec.action, Box):
        return []
    return [Change(name, "actuators", kind.at) for name, kind in ACTUATORS.items()]

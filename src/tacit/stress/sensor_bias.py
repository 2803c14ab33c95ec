"""A constant error of a sensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._graded import Graded
from tacit.stress._perturbation import Perturbed
from tacit.types import GoalEnvironment, Observation

__all__ = ["SensorBias"]


@dataclass(frozen=True)
class SensorBias(Graded):
    """Numbers that are off by a constant, which each episode draws for each component.

    Images are not changed; see :class:`Brightness`.

    Args:
        scale: The standard deviation of the constant, in the unit of the sensor.

    Raises:
        ConfigError: if it is not above 0.
    """

    LEVELS: ClassVar = ({"scale": 0.02}, {"scale": 0.05}, {"scale": 0.1}, {"scale": 0.2}, {"scale": 0.4})

    scale: float = 0.1

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ConfigError(f"SensorBias needs scale > 0; got {self}.")

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`.

        Raises:
            ConfigError: if the environment shows nothing but images.
        """
        if set(env.spec.modalities) <= set(env.spec.cameras):
            raise ConfigError(f"SensorBias changes numbers; the observations are {', '.join(env.spec.modalities)}.")
        return _Biased(env, seed, self.scale)


class _Biased(Perturbed):
    """Environment of :class:`SensorBias`."""

    def __init__(self, env: GoalEnvironment, seed: int, scale: float) -> None:
        self._scale = scale
        super().__init__(env, seed)

    def changed(self, observation: Observation) -> Observation:
        """Return the observation with the errors of its episode."""
        shown = dict(observation)
        for name in sorted(set(shown) - set(self.env.spec.cameras)):
            values = np.asarray(shown[name])
            if values.dtype.kind == "f":
                if name not in self._bias:
                    drawn = [one.normal(0, self._scale, values.shape[1:]) for one in self.generators]
                    self._bias[name] = np.stack(drawn).astype(values.dtype)
                shown[name] = values + self._bias[name]
        return shown

    def _rest(self, count: int) -> None:
        super()._rest(count)
        self._bias: dict[str, np.ndarray] = {}

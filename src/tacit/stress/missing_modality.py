"""Modality that stops arriving."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tacit.errors import ConfigError
from tacit.stress._perturbation import Perturbed, chosen
from tacit.types import GoalEnvironment, Observation

__all__ = ["MissingModality"]


@dataclass(frozen=True)
class MissingModality:
    """A modality that from one step on is missing.

    Numbers become NaN in each world from its own step on. Bytes such as pixels cannot: the modality is then left out of
    the observation of all worlds from the first of these steps on.

    Args:
        modality: Its name.
        first: The first and the last step after which it is missing.
    """

    modality: str = "pixels"
    first: tuple[int, int] = (20, 60)

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`.

        Raises:
            ConfigError: if there is no such modality.
        """
        if self.modality not in env.spec.modalities:
            raise ConfigError(f"the modalities are {', '.join(env.spec.modalities)}; got {self.modality!r}.")
        return _Missing(env, seed, self)


class _Missing(Perturbed):
    """Environment of :class:`MissingModality`."""

    def __init__(self, env: GoalEnvironment, seed: int, options: MissingModality) -> None:
        self._modality = options.modality
        super().__init__(env, seed, options.first)

    def changed(self, observation: Observation) -> Observation:
        """Return the observation without the modality."""
        gone = (self.onset < self.elapsed) & bool(self.elapsed)
        if not gone.any():
            return observation
        values = observation[self._modality]
        if values.dtype.kind != "f":
            return {name: value for name, value in observation.items() if name != self._modality}
        name = self._modality
        return {**observation, **chosen(gone, {name: np.full_like(values, np.nan)}, {name: values})}

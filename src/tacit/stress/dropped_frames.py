"""Frames that do not arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError
from tacit.stress._graded import Graded
from tacit.stress._perturbation import Perturbed, chosen
from tacit.types import GoalEnvironment, Observation

__all__ = ["DroppedFrames"]


@dataclass(frozen=True)
class DroppedFrames(Graded):
    """Random observations that do not arrive: the last one is shown again, and its age grows.

    The environment has the property ``age [B]`` in seconds, for the ``age`` of an agent's ``act``.

    Args:
        share: The probability that a frame begins a gap.
        length: The number of frames in a gap.

    Raises:
        ConfigError: unless ``0 < share <= 1`` and ``length`` is at least 1.
    """

    LEVELS: ClassVar = (
        {"share": 0.02, "length": 3},
        {"share": 0.05, "length": 4},
        {"share": 0.1},
        {"share": 0.2},
        {"share": 0.3, "length": 6},
    )

    share: float = 0.1
    length: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.length < 1:
            raise ConfigError(f"DroppedFrames needs 0 < share <= 1 and length >= 1; got {self}.")

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`."""
        return _Dropped(env, seed, self)


class _Dropped(Perturbed):
    """Environment of :class:`DroppedFrames`."""

    _last: Observation
    _left: npt.NDArray[np.int64]
    _frames: npt.NDArray[np.int64]

    def __init__(self, env: GoalEnvironment, seed: int, options: DroppedFrames) -> None:
        self._options = options
        super().__init__(env, seed)

    @property
    def age(self) -> npt.NDArray[np.float32]:
        """Return the age of the observation of each world in seconds, ``[B]``."""
        return (self._frames / np.float32(self.env.spec.fps)).astype(np.float32)

    def changed(self, observation: Observation) -> Observation:
        """Return the last observation in worlds with a gap."""
        begins = np.array([one.random() < self._options.share for one in self.generators])
        self._left = np.where(self._left > 0, self._left - 1, np.where(begins, self._options.length, 0))
        if not self.elapsed:
            self._left[:] = 0
        lost = self._left > 0
        if lost.any():
            observation = chosen(lost, self._last, observation)
        self._frames = np.where(lost, self._frames + 1, 0)
        self._last = observation
        return observation

    def _rest(self, count: int) -> None:
        super()._rest(count)
        self._left, self._frames = np.zeros(count, np.int64), np.zeros(count, np.int64)

"""The guard: scores, calibrated thresholds and decisions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError, SpecError
from tacit.guard._assessment import ACT, SLOW, STOP, Assessment, GuardMemory
from tacit.guard._calibration import Calibration
from tacit.guard._measure import Reading, measured
from tacit.types import GuardScore, Sensed

__all__ = ["Caution", "Guard"]

LONGEST = 86_400.0
"""The age in seconds above which a clock must have jumped."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Caution:
    """The settings of a guard's decisions.

    Attributes:
        release: An agent acts again below this share of the threshold to slow down.
        calm: It does so after this many boundaries in a row.
        max_change: The factor of the maximum change of an action per step while the agent is slow.

    Raises:
        ConfigError: if ``release`` or ``max_change`` is not above 0 and at most 1, or ``calm`` is below 1.
    """

    release: float = 0.8
    calm: int = 3
    max_change: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.release <= 1 and 0 < self.max_change <= 1 and self.calm >= 1):
            raise ConfigError(f"Caution needs 0 < release <= 1, 0 < max_change <= 1 and calm >= 1; got {self}.")


@dataclass(frozen=True, eq=False)
class Guard:
    """A detector of unusual situations that decides whether an agent acts, slows down or stops.

    A world stops where a score is above its threshold to stop, a modality is missing, the latents are not finite or the
    clock jumped, and stays stopped until :meth:`resume`. It slows down above the threshold to slow down, until all
    scores were below the release threshold for some boundaries.

    Attributes:
        scores: The scores, with their fitted constants.
        calibration: The thresholds; see :func:`tacit.guard.fit`.
        caution: The settings of its decisions.
    """

    scores: tuple[GuardScore, ...]
    calibration: Calibration
    caution: Caution = field(default_factory=Caution)

    def __post_init__(self) -> None:
        wide = self.calibration.standardization.center.shape[0]
        if wide != 2 * len(self.calibration.names):
            raise SpecError(
                f"{len(self.calibration.names)} scores need {2 * len(self.calibration.names)} columns; got {wide}."
            )

    @property
    def reach(self) -> tuple[int, ...]:
        """Return the numbers of blocks of the forecasts that the scores read."""
        return reach_of(self.scores)

    def start(self, batch: int) -> GuardMemory:
        """Return the memory of ``batch`` new episodes."""
        return GuardMemory.begin(batch, len(self.calibration.names))

    def resume(self, memory: GuardMemory, worlds: npt.NDArray[np.bool_] | None = None) -> GuardMemory:
        """Return the memory in which stopped worlds act again; all of them, or those of the mask ``[B]``."""
        return memory.resumed(worlds)

    def assess(self, sensed: Sensed, memory: GuardMemory) -> tuple[Assessment, GuardMemory]:
        """Return the decision at one block boundary, and the next memory.

        Raises:
            SpecError: if the memory has another number of worlds, or the scores are not those of the calibration.
        """
        if len(memory.level) != sensed.batch:
            raise SpecError(f"expected a memory of {sensed.batch} worlds; got one of {len(memory.level)}.")
        readings = measured(self.scores, sensed)
        limited = {reading: reading.limits for reading in readings if reading.limits is not None}
        standard, drift = self._standardized(readings, sensed.steps, memory.drift)
        largest = np.fmax.reduce(standard, axis=1, initial=-np.inf)
        slow, stop = self.calibration.slow.value, self.calibration.stop.value
        slows, stops, rests = largest > slow, largest > stop, largest <= slow - (1 - self.caution.release) * abs(slow)
        for reading, (first, second) in limited.items():
            slows, stops = slows | (reading.values > first), stops | (reading.values > second)
            rests = rests & ~(reading.values > self.caution.release * first)
        reasons = _broken(sensed)
        stops = stops | np.array([reason != "" for reason in reasons])
        alarms = np.where(stops, STOP, np.where(slows, SLOW, ACT))
        calm = np.where(rests & (alarms == ACT), memory.calm + 1, 0)
        released = (memory.level == SLOW) & (calm >= self.caution.calm)
        level = np.maximum(np.where(released, ACT, memory.level), alarms)
        reasons = tuple(
            reason if reason or now == ACT else self._reason(world, int(alarms[world]), now, standard, limited)
            for world, (reason, now) in enumerate(zip(reasons, level.tolist(), strict=True))
        )
        found = Assessment(
            level,
            np.where(np.isfinite(largest), largest, np.nan).astype(np.float32),
            np.full(sensed.batch, stop, np.float32),
            {reading.name: reading.values.astype(np.float32) for reading in readings},
            reasons,
        )
        return found, GuardMemory(level, calm, drift)

    def _standardized(
        self, readings: tuple[Reading, ...], steps: npt.NDArray[np.int64], drift: Floats
    ) -> tuple[Floats, Floats]:
        """Return standardised scores and sums ``[B, 2 C]``, and the new sums ``[B, C]``."""
        calibrated = [reading for reading in readings if reading.limits is None]
        if (names := tuple(reading.name for reading in calibrated)) != self.calibration.names:
            raise SpecError(
                f"the calibration is of the scores {', '.join(self.calibration.names)}; got {', '.join(names)}. "
                "Calibrate again with this model and these scores."
            )
        values = np.stack([reading.values for reading in calibrated], axis=1)
        return self.calibration.standardization(values, steps, drift)

    def _reason(
        self, world: int, alarm: int, level: int, standard: Floats, limited: Mapping[Reading, tuple[float, float]]
    ) -> str:
        """Return the reason of a world that does not act, in words."""
        if alarm < level:
            return "it stopped before; resume it to act again" if level == STOP else "the scores have to stay low first"
        for reading, limits in limited.items():
            if reading.values[world] > limits[alarm - SLOW]:
                return f"{reading.name} {reading.values[world]:.3g} above {limits[alarm - SLOW]:.3g}"
        term = int(np.nanargmax(standard[world]))
        limit = (self.calibration.slow if alarm == SLOW else self.calibration.stop).value
        return f"{self.calibration.terms[term]} {standard[world, term]:.3g} above {limit:.3g}"

    def pack(self) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Return the guard as JSON values and arrays by name.

        Raises:
            ConfigError: if a score is not registered or not a dataclass.
        """
        from tacit.guard._saving import pack

        return pack(self)

    @classmethod
    def unpack(cls, config: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> Guard:
        """Return the guard of :meth:`pack`.

        Raises:
            CheckpointError: if something is missing or does not fit, or names a score that is not installed.
        """
        from tacit.guard._saving import unpack

        return unpack(config, arrays)

    def save(self, path: str | Path) -> None:
        """Write the guard to a directory, atomically.

        Raises:
            ConfigError: if a score is not registered or not a dataclass.
        """
        from tacit.guard._saving import save_guard

        save_guard(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Guard:
        """Read the guard that :meth:`save` wrote.

        Raises:
            CheckpointError: if it is missing, damaged, or names a score that is not installed.
        """
        from tacit.guard._saving import load_guard

        return load_guard(Path(path))

    def __str__(self) -> str:
        limited = [
            f"{score.name}: slow above {score.limits[0]:g}, stop above {score.limits[1]:g}"
            for score in self.scores
            if score.limits is not None
        ]
        return "\n".join([str(self.calibration), *limited])


def reach_of(scores: tuple[GuardScore, ...]) -> tuple[int, ...]:
    """Return the numbers of blocks of the forecasts that scores read."""
    return tuple(sorted({score.steps for score in scores if score.steps}))


def _broken(sensed: Sensed) -> tuple[str, ...]:
    """Return what makes an assessment impossible in each world ``[B]``, in words; empty where nothing does."""
    found = [""] * sensed.batch
    finite = np.asarray(np.isfinite(sensed.latents).all(axis=1))
    for world in range(sensed.batch):
        missing = [name for name, flags in sensed.missing.items() if flags[world]]
        age = float(sensed.age[world])
        if missing:
            found[world] = f"{', '.join(missing)} is missing or not finite"
        elif not math.isnan(age) and not 0 <= age <= LONGEST:
            found[world] = f"the observation is {age:.3g} s old: the clock jumped"
        elif not finite[world]:
            found[world] = "the latents are not finite"
    return tuple(found)

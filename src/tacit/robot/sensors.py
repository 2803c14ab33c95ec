"""Reading of observations in a control loop, with lost observations and frozen cameras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from tacit.errors import SpecError
from tacit.robot.clock import Clock
from tacit.types import Array, Observation, Spec

__all__ = ["Read", "Reading", "Sensors"]

Read: TypeAlias = Callable[[], Mapping[str, Any] | None]


@dataclass(frozen=True, eq=False)
class Reading:
    """The result of a cycle of reading.

    Attributes:
        observation: The observation of one world without a batch axis; None where it is lost.
        fault: ``lost``, ``frozen`` or an empty string.
        reason: The fault in words.
        age: Seconds since the reading of the observation began.
        seconds: Duration of the reading.
    """

    observation: Observation | None
    fault: Literal["", "lost", "frozen"] = ""
    reason: str = ""
    age: float = 0.0
    seconds: float = 0.0


class Sensors:
    """A source of observations that never blocks for longer than it may.

    Args:
        read: Returns one observation. It is called in a worker, at most once at a time.
        spec: The Spec of the observations.
        clock: The clock.
        frozen_after: See :class:`tacit.robot.Faults`.
    """

    def __init__(self, read: Read, spec: Spec, clock: Clock, frozen_after: int | None) -> None:
        self._read, self._spec, self._clock, self._frozen_after = read, spec, clock, frozen_after
        self._worker = clock.worker("tacit-read")
        self._began = 0.0
        self._frames: dict[str, Array] = {}
        self._identical = dict.fromkeys(spec.cameras, 0)

    def next(self, until: float) -> Reading:
        """Return the observation that is there by a time; a late one is returned in the cycle in which it arrives.

        Raises:
            SpecError: if it does not fit the Spec.
        """
        if not self._worker.busy:
            self._began = self._clock.now()
            self._worker.begin(self._timed)
        if not self._worker.done(until):
            return Reading(None, "lost", "no observation came in time")
        try:
            found, seconds = self._worker.take()
        except Exception as error:
            return Reading(None, "lost", f"read raised {type(error).__name__}: {error}")
        age = self._clock.now() - self._began
        missing = self._missing(found)
        if missing:
            return Reading(None, "lost", missing, age, seconds)
        observation = {name: self._checked(name, found[name]) for name in self._spec.modalities}
        frozen = self._frozen(observation)
        if frozen:
            return Reading(observation, "frozen", f"camera {', '.join(frozen)} shows one frame", age, seconds)
        return Reading(observation, age=age, seconds=seconds)

    def close(self) -> None:
        """Stop reading."""
        self._worker.close()

    def _timed(self) -> tuple[Any, float]:
        began = self._clock.now()
        found = self._read()
        return found, self._clock.now() - began

    def _missing(self, found: Any) -> str:
        """Return what an observation lacks, in words; empty if it is complete."""
        if found is None:
            return "read returned None"
        if not isinstance(found, Mapping):
            raise SpecError(f"read returns arrays by name, or None; got a {type(found).__name__}.")
        missing = [name for name in self._spec.modalities if found.get(name) is None]
        return f"the observation has no {', '.join(missing)}" if missing else ""

    def _checked(self, name: str, value: Any) -> Array:
        """Return a copy of a value, since a driver may write the next one to the same memory."""
        modality, array = self._spec.modalities[name], np.array(value)
        if modality.kind != "series" and (array.shape != modality.shape or array.dtype != modality.dtype):
            raise SpecError(
                f"read returns {name!r} as {modality.dtype} of shape {list(modality.shape)}, without a batch axis; got "
                f"{array.dtype} of shape {list(array.shape)}."
            )
        return array

    def _frozen(self, observation: Observation) -> list[str]:
        """Return the cameras that are frozen."""
        for name, count in self._identical.items():
            same = name in self._frames and np.array_equal(self._frames[name], observation[name])
            self._identical[name] = count + 1 if same else 0
            self._frames[name] = observation[name]
        return [name for name, count in self._identical.items() if self._frozen_after and count >= self._frozen_after]

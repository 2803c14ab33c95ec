"""Report of a control loop: latency, jitter, faults and limits."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tacit._config import to_json
from tacit._files import resolve, write_atomically

__all__ = ["LoopReport", "Percentiles"]


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of durations in milliseconds.

    Attributes:
        count: Number of durations.
        p50: The median; all percentiles are 0 without any.
        p90: The 90th percentile.
        p99: The 99th percentile.
        max: The largest.
    """

    count: int
    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Percentiles:
        """Return the percentiles of durations in seconds."""
        if not len(seconds):
            return cls(0, 0.0, 0.0, 0.0, 0.0)
        return cls(len(seconds), *(1e3 * np.percentile(seconds, [50, 90, 99, 100])).tolist())

    def __str__(self) -> str:
        if not self.count:
            return "none"
        return f"p50 {self.p50:.2f}, p90 {self.p90:.2f}, p99 {self.p99:.2f}, max {self.max:.2f} ms"


@dataclass(frozen=True)
class LoopReport:
    """Report of a run of a loop.

    Attributes:
        ended: The reason why the run ended: ``complete``, ``interrupted``, ``fault`` or ``error``.
        reason: The reason in words; empty if it is complete.
        hz: Cycles per second.
        cycles: Number of cycles.
        seconds: Duration of the run.
        missed: Cycles that were left out, since an earlier one took until after their start.
        late: Cycles without a plan at the deadline.
        lost: Cycles without an observation.
        frozen: Cycles with a frozen camera.
        clipped: Commands that a limit changed.
        clipped_components: ``[A]`` the number of commands that a limit changed in each component.
        invalid: Actions that were not finite.
        stopped: Whether the safe stop was written.
        sources: The number of commands of each source: ``agent`` or a reaction.
        decisions: The number of verdicts with each decision.
        problems: Each different problem in words, with its number of cycles.
        latency: Milliseconds to ``read``, to ``plan`` and to ``write``, and of a ``cycle``.
        jitter: Milliseconds between the time at which a cycle should begin and at which it began.
        episodes: The number of recorded episodes.
    """

    ended: str
    reason: str
    hz: float
    cycles: int
    seconds: float
    missed: int = 0
    late: int = 0
    lost: int = 0
    frozen: int = 0
    clipped: int = 0
    clipped_components: tuple[int, ...] = ()
    invalid: int = 0
    stopped: bool = False
    sources: Mapping[str, int] = field(default_factory=dict)
    decisions: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, int] = field(default_factory=dict)
    latency: Mapping[str, Percentiles] = field(default_factory=dict)
    jitter: Percentiles = field(default_factory=lambda: Percentiles.of(()))
    episodes: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        found: dict[str, Any] = to_json(self)
        return found

    def save(self, path: str | Path) -> None:
        """Write the report as a JSON file, atomically."""
        place = resolve(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(place, json.dumps(self.to_json(), indent=2) + "\n")

    def __str__(self) -> str:
        rows = [
            f"{self.ended}: {self.cycles} cycles in {self.seconds:.2f} s at {self.hz:g} Hz"
            + (f" ({self.reason})" if self.reason else ""),
            *(f"  {name:<8} {value}" for name, value in self.latency.items()),
            f"  jitter   {self.jitter}",
            f"  cycles   {self.missed} missed, {self.late} late, {self.lost} lost, {self.frozen} frozen",
            f"  commands {self.clipped} clipped, {self.invalid} invalid; {_counted(self.sources)}",
        ]
        rows += [f"  verdicts {_counted(self.decisions)}"] if self.decisions else []
        rows += [f"  {count:>8} x {problem}" for problem, count in self.problems.items()]
        rows += [f"  recorded {self.episodes} episodes"] if self.episodes else []
        return "\n".join(rows)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"

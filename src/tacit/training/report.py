"""Result of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tacit._html import html_table
from tacit.training.log import Record

__all__ = ["FitReport", "TrainingReport"]


@dataclass(frozen=True)
class TrainingReport:
    """The result of training.

    Attributes:
        path: The directory of the run; ``tc.checkpoint.load_model`` accepts it.
        steps: Completed steps of the run.
        seconds: Time of this call, without the time of interrupted calls before it.
        log: All lines of the log.
        first: Step at which this call began; ``steps`` if the run was complete already.
        stopped: The reason of a hook to stop before the last step; empty if the run is complete.
    """

    path: Path
    steps: int
    seconds: float
    log: tuple[Record, ...]
    first: int = 0
    stopped: str = ""

    def __str__(self) -> str:
        lines = (f"  {name:<24} {first} -> {last}" for name, first, last in self._losses())
        return "\n".join([self._summary(), *lines])

    def _repr_html_(self) -> str:
        return html_table(self._summary(), ("", "first", "last"), self._losses())

    def _summary(self) -> str:
        begun = f" from step {self.first}" if self.first else ""
        ended = f" ({self.stopped})" if self.stopped else ""
        return f"{self.steps} steps{begun} in {self.seconds:.1f} s{ended}, saved in {self.path}"

    def _losses(self) -> list[tuple[str, str, str]]:
        """Return each loss in the first and the last line of the log."""
        if not self.log:
            return []
        first, last = self.log[0], self.log[-1]
        names = [name for name in last if name == "loss" or name.startswith("loss/")]
        return [(name, _number(first, name), _number(last, name)) for name in names]


def _number(row: Record, name: str) -> str:
    return f"{row[name]:.4g}" if isinstance(row.get(name), float) else str(row.get(name, "-"))


@dataclass(frozen=True)
class FitReport:
    """The result of training a policy or a critic on frozen latents.

    Attributes:
        steps: The number of updates.
        seconds: Time of the call, including encoding.
        losses: The loss of each step.
    """

    steps: int
    seconds: float
    losses: tuple[float, ...]

"""Result of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tacit.training.log import Record

__all__ = ["TrainingReport"]


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
        begun = f" from step {self.first}" if self.first else ""
        ended = f" ({self.stopped})" if self.stopped else ""
        text = f"{self.steps} steps{begun} in {self.seconds:.1f} s{ended}, saved in {self.path}"
        if not self.log:
            return text
        terms = [name for name in self.log[-1] if name == "loss" or name.startswith("loss/")]
        lines = (f"  {name:<24} {_number(self.log[0], name)} -> {_number(self.log[-1], name)}" for name in terms)
        return "\n".join([text, *lines])


def _number(row: Record, name: str) -> str:
    return f"{row[name]:.4g}" if isinstance(row.get(name), float) else str(row.get(name, "-"))

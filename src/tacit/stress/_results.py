"""Cases and results of a stress test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tacit.statistics import Paired, Rate

__all__ = ["On", "StressCase", "StressResult", "StressTest"]

On: TypeAlias = Literal["observation", "goal", "both"]
"""What is changed: what the agent sees while it acts, the image of its goal, or both in the same way."""


@dataclass(frozen=True)
class StressCase:
    """A change at one severity.

    Attributes:
        change: Its name in :func:`suite`.
        family: Its family.
        severity: 1 to 5.
        on: What is changed.
    """

    change: str
    family: str
    severity: int
    on: On

    def __str__(self) -> str:
        return f"{self.change} {self.severity}" + ("" if self.on == "observation" else f", {self.on}")


@dataclass(frozen=True)
class StressResult:
    """Success under one change, next to the success on the same tasks without it.

    Attributes:
        case: The change.
        success: Share of the tasks that are solved with the change.
        clean: Share of these tasks that are solved without it.
        paired: Difference of the two, paired by task: bootstrap interval and exact McNemar test.
        displacement: Mean squared change of the latents of the starts, in the mean squared difference of two of them;
            0 where no start is changed.
        refused: Share of the tasks in which the guard stopped the agent; None without a guard.
        acted: Share of the other tasks that are solved; None without a guard, or where all were refused.
        auroc: Chance that the largest score of the guard is larger in a changed episode than in a clean one.
    """

    case: StressCase
    success: Rate
    clean: Rate
    paired: Paired
    displacement: float | None
    refused: Rate | None = None
    acted: Rate | None = None
    auroc: float | None = None

    @property
    def kept(self) -> float:
        """Return the share of the clean success that is left."""
        return self.success.rate / self.clean.rate if self.clean.rate else float("nan")


@dataclass(frozen=True)
class StressTest:
    """The result of :func:`stress_test`.

    Attributes:
        clean: Success without a change.
        random: Success of random actions.
        refused: Share of the clean tasks in which the guard stopped the agent; None without a guard.
        results: A result for each case.
        config: What was tested.
    """

    clean: Rate
    random: Rate
    refused: Rate | None
    results: tuple[StressResult, ...]
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        width = max(len(str(name)) for name in ("random actions", *(one.case for one in self.results)))
        lines = [f"{'clean':<{width}}  {self.clean}", f"{'random actions':<{width}}  {self.random}"]
        lines += [
            f"{one.case!s:<{width}}  {one.success}  keeps {100 * one.kept:.0f} % (p {one.paired.p:.2g})"
            for one in self.results
        ]
        return "\n".join(lines)

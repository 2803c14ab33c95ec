"""Evaluation of a model during training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Watch"]


@dataclass(frozen=True)
class Watch:
    """An evaluation during training, such as an online probe; its figures are logged.

    An error in it stops the run and loses nothing: the step is saved first, and a resumed run continues after it.

    Attributes:
        look: Returns figures by name for the model in evaluation mode and without gradients.
        every: Steps between evaluations; 0: none. The last step is always evaluated.
    """

    look: Callable[[Any], Mapping[str, float]]
    every: int = 0

    def due(self, done: int, steps: int) -> bool:
        """Return whether an evaluation is due after ``done`` of the steps."""
        return done == steps or (self.every > 0 and done % self.every == 0)

"""What looks at a model while it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Watch"]


@dataclass(frozen=True)
class Watch:
    """Looks at the model while it trains, such as an online probe; what it finds goes into the log.

    A look that fails stops the run and loses nothing: the step is saved first, and a run that resumes goes on after it.

    Attributes:
        look: Figures by name, of the model in evaluation mode and without gradients.
        every: Steps from one look to the next; 0: none. The last step is looked at in any case.
    """

    look: Callable[[Any], Mapping[str, float]]
    every: int = 0

    def due(self, done: int, steps: int) -> bool:
        """Whether to look after so many of the steps."""
        return done == steps or (self.every > 0 and done % self.every == 0)

"""Episodes that are far shorter than the others."""

from __future__ import annotations

from collections.abc import Iterator

from tacit.data.quality._check import Note, QualityCheck
from tacit.types import Episode, Spec

__all__ = ["Short"]


class Short(QualityCheck):
    """Check for episodes of one or two observations in a dataset whose other episodes are long.

    Args:
        steps: The largest number of observations of a short episode.
        usual: The least length of the longest episode.
    """

    def __init__(self, steps: int = 2, usual: int = 10) -> None:
        self._steps, self._usual = steps, usual
        self._longest, self._found = 0, list[int]()

    def check(self, episode: Episode, spec: Spec) -> Iterator[Note]:  # noqa: ARG002 - the interface
        """Yield nothing; note the lengths."""
        self._longest = max(self._longest, len(episode))
        if len(episode) <= self._steps:
            self._found.append(episode.index)
        return iter(())

    def conclude(self, spec: Spec) -> Iterator[Note]:  # noqa: ARG002 - the interface
        """Yield one note on the short episodes."""
        if self._found and self._longest >= self._usual:
            named = ", ".join(map(str, self._found[:5])) + (", ..." if len(self._found) > 5 else "")
            yield Note(
                "episode",
                f"{len(self._found)} episodes have at most {self._steps} observations, and the longest has "
                f"{self._longest}: {named}.",
                "No clip fits them: leave them out, or find out why the recording ended.",
            )

"""Output of findings in data and of a ranking of episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tacit.data import Episodes, Finding

__all__ = ["show", "show_surprise"]

MOST = 20
"""The most findings of one check that are printed."""
RANKED = 10
"""Episodes of a ranking that are printed."""


def show(path: Path, findings: Sequence[Finding]) -> None:
    """Print findings, of each check of quality the first ones, and their numbers."""
    shown: Counter[str] = Counter()
    for finding in findings:
        shown[finding.check] += 1
        if not finding.check or shown[finding.check] <= MOST:
            print(finding)
    for check, count in shown.items():
        if check and count > MOST:
            print(f"... and {count - MOST} more of {check}")
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    parts = [
        f"{count} {word}{'s' * (count != 1)}" for count, word in ((errors, "finding"), (warnings, "warning")) if count
    ]
    print(f"{path}: {' and '.join(parts) or 'nothing wrong'}")


def show_surprise(run: Path, episodes: Episodes) -> None:
    """Print the episodes that surprise the model of a run most."""
    import tacit as tc

    ranking = tc.offline.rank_episodes(tc.runs.open(run).model(), episodes)
    print(f"Episodes by the surprise of {run}, the largest first (1 is the median):")
    for one in ranking[:RANKED]:
        print(f"  episode {one.episode:<6} {one.ratio:8.2f}  largest at step {one.step}  {episodes.file(one.episode)}")

"""Examination of a dataset by all checks of quality."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Sequence

from tacit.data.episodes import Episodes
from tacit.data.quality._check import Note, QualityCheck
from tacit.data.validation import Finding
from tacit.errors import ConfigError
from tacit.types import Episode

__all__ = ["examine"]


def examine(episodes: Episodes, checks: Sequence[str | QualityCheck] | None = None) -> list[Finding]:
    """Examine the quality of recorded data, in one pass that holds one episode at a time.

    ::

        for finding in tc.data.quality.examine(tc.data.open("data/two_rooms")):
            print(finding)

    Args:
        episodes: The episodes.
        checks: Names of checks, or checks with their options; None: all of ``tacit.data.quality.names()``.

    Returns:
        The findings in the order of the episodes; those on the whole dataset come last, without an episode.

    Raises:
        DataError: if an episode is damaged; :func:`tacit.data.check` names all such.
        ConfigError: if there is no such check.
    """
    registry = importlib.import_module("tacit.data.quality")
    chosen = registry.names() if checks is None else checks
    used: list[tuple[str, QualityCheck]] = []
    for one in chosen:
        check = registry.load(one)() if isinstance(one, str) else one
        if not isinstance(check, QualityCheck):
            raise ConfigError(f"checks are names or objects of QualityCheck; got {one!r}.")
        used.append((one if isinstance(one, str) else type(one).__module__.rpartition(".")[2], check))
    findings: list[Finding] = []
    for index, episode in enumerate(_numbered(episodes)):
        for name, check in used:
            findings += _findings(name, check.check(episode, episodes.spec), episodes.file(index), index)
    for name, check in used:
        findings += _findings(name, check.conclude(episodes.spec), "", None)
    return findings


def _numbered(episodes: Episodes) -> Iterator[Episode]:
    """Yield the episodes with their numbers among them."""
    from dataclasses import replace

    for index, episode in enumerate(episodes.stream()):
        yield replace(episode, index=index)


def _findings(check: str, notes: Iterable[Note], file: str, index: int | None) -> list[Finding]:
    return [
        Finding(file, index, note.field, note.problem, note.severity, check, note.steps, note.advice) for note in notes
    ]

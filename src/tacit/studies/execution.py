"""Execution of the missing runs of a study."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tacit._files import locked
from tacit._resources import processor
from tacit.errors import DataError
from tacit.studies.results import Results
from tacit.studies.study import Run, RunResult, Study

__all__ = ["machine", "missing", "run"]

S = TypeVar("S")


def missing(
    study: Study[S], results: Path, only: Sequence[str] = (), seeds: Sequence[int] | None = None
) -> list[tuple[str, str, int]]:
    """Return name, case and seed of each run that is not recorded; see :func:`run`."""
    runs = {one[0]: one for one in study.runs(only, seeds)}
    left = Results(results).missing({name: study.settings(case) for name, case, _ in runs.values()})
    return [runs[name] for name in left]


def run(
    study: Study[S],
    results: Path,
    *,
    work: Path,
    data: Path = Path(),
    only: Sequence[str] = (),
    seeds: Sequence[int] | None = None,
) -> Iterator[tuple[str, RunResult]]:
    """Run what is missing, and yield each run after it was recorded.

    Results are written after each run, so an interrupted study continues with the next one. Processes that run the
    same study share its runs.

    Args:
        study: The manifest.
        results: The result file.
        work: A folder for checkpoints and other files of runs.
        data: The folder of the data.
        only: Names or patterns of cases; empty for all.
        seeds: Seeds to select; None for all.

    Raises:
        ConfigError: if a run was recorded with other settings.
        DataError: if the data are not those of the manifest.
    """
    import torch

    left = missing(study, results, only, seeds)
    if left:
        _check_data(study, data)
    threads = torch.get_num_threads()
    torch.set_num_threads(study.budget.threads)
    try:
        for name, case, seed in left:
            one = Run(name, study.cases[case], seed, study.budget, data, work / name, work / "shared")
            try:
                with locked(one.work / ".lock", wait=False):
                    if Results(results).missing({name: study.settings(case)}):
                        found = _measured(study, case, one)
                        Results(results).add(name, found)
                        yield name, found
            except BlockingIOError:
                continue  # another process runs it
    finally:
        torch.set_num_threads(threads)


def machine() -> dict[str, Any]:
    """Return versions, git revision, model of the processor and its load average."""
    from tacit.checkpoint import provenance

    return {**provenance(), "cpu": processor(), "load": round(os.getloadavg()[1], 1)}


def _measured(study: Study[S], case: str, one: Run[S]) -> RunResult:
    """Measure a run, and add what made it."""
    from tacit.reports import plain

    begin = sum(os.times()[:4])
    values = study.measure(one)
    spent = {"cpu_seconds": round(sum(os.times()[:4]) - begin, 1)}
    return RunResult(study.settings(case), plain(values), {**machine(), **spent})


def _check_data(study: Study[S], data: Path) -> None:
    """Compare the datasets with the hashes of the manifest."""
    import tacit.data

    for part, wanted in study.data.items():
        found = tacit.data.open(data / part).hash()
        if found != wanted:
            raise DataError(
                f"{data / part} has the hash {found[:12]}; the study {study.name!r} was made with {wanted[:12]}. "
                "Give the folder of its data with --data."
            )

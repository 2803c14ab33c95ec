"""Log of a run: one JSON object per line, loggers and a progress bar."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeAlias

from tacit._files import check_file, parse_json, resolve, write_atomically
from tacit._notebook import NotebookBar, in_notebook
from tacit._progress import shown
from tacit.errors import DataError
from tacit.training.loggers import LoggedRun, Logger

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["Complaint", "Log", "Record", "complaints", "read_log"]

LINE = 2**20
"""The largest number of bytes of a line."""

Record: TypeAlias = Mapping[str, float | str]


@dataclass(frozen=True)
class Complaint:
    """Unbroken run of warnings of the collapse monitor.

    Attributes:
        first: The first step with a warning.
        healthy_again: The next step without one; None if there is none.
        words: The first warning.
    """

    first: int
    healthy_again: int | None
    words: str


def read_log(path: str | Path) -> list[dict[str, float | str]]:
    """Return the lines of ``log.jsonl``, given its path or the directory of a run.

    A last line that was cut short by a kill is left out.

    Raises:
        DataError: if the file cannot be read, or a line is not a JSON object of a step and further numbers and texts.
    """
    path = resolve(path)
    path = path / "log.jsonl" if path.is_dir() else path
    rows: list[dict[str, float | str]] = []
    try:
        check_file(path)
        with path.open("rb") as file:
            while line := file.readline(LINE):
                if not line.endswith(b"\n"):
                    if len(line) == LINE:
                        raise ValueError(f"expected lines of at most {LINE} bytes")
                    break  # it was not written completely
                rows.append(_row(line))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}, line {len(rows) + 1} is no line of a log ({error}). Remove that line, or the file."
        ) from error
    return rows


def _row(line: bytes) -> dict[str, float | str]:
    """Return the content of a line.

    Raises:
        ValueError: if it is no line of a log.
    """
    row = parse_json(line)
    if not isinstance(row, dict) or not isinstance(row.get("step"), int) or isinstance(row["step"], bool):
        raise ValueError(f"expected a JSON object with a whole number as 'step', not {line[:40]!r}")
    for name, value in row.items():
        if not isinstance(value, (int, float, str)):
            raise ValueError(f"{name!r} must be a number or a text, not a {type(value).__name__}")
    return row


class Log:
    """A writer of log lines at each logged step; a context manager.

    Args:
        run: The directory and the steps of the run. Lines from its first step on, of a killed process, are dropped.
        loggers: Further destinations of the lines.
        progress: Show a progress bar; None: on a terminal and in a notebook.
        rank: The rank of the process; each but rank 0 writes only a separate file.

    Attributes:
        spent: Seconds of training of earlier calls, read from the last kept line.
        rows: All lines, of earlier calls too.
    """

    spent = 0.0

    def __init__(
        self, run: LoggedRun, loggers: Sequence[Logger] = (), progress: bool | None = False, rank: int = 0
    ) -> None:
        self._path = run.directory / ("log.jsonl" if rank == 0 else f"log.{rank}.jsonl")
        self._run, self._loggers = run, loggers if rank == 0 else ()
        self.rows: list[Record] = []
        self._bar: tuple[Progress, TaskID] | None = None
        self._line: NotebookBar | None = None
        self._progress, self._stack = shown(progress) and rank == 0, ExitStack()

    def __enter__(self) -> Log:
        kept = [row for row in read_log(self._path) if _step(row) < self._run.first] if self._path.exists() else []
        write_atomically(self._path, "".join(json.dumps(row) + "\n" for row in kept))
        self.rows += kept
        spent = kept[-1].get("seconds", 0.0) if kept else 0.0
        self.spent = spent if isinstance(spent, float) else 0.0
        self._file = self._stack.enter_context(self._path.open("a", encoding="utf-8"))
        try:
            for logger in self._loggers:
                logger.open(self._run)
                self._stack.callback(logger.close)
        except BaseException:
            self._stack.close()
            raise
        if self._progress and in_notebook():
            self._line = self._stack.enter_context(NotebookBar("steps", self._run.steps, self._run.first))
        elif self._progress:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
            bar = self._stack.enter_context(Progress(*columns, console=Console(stderr=True)))
            self._bar = bar, bar.add_task("training", total=self._run.steps, completed=self._run.first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def advance(self, step: int) -> None:
        """Move the progress bar past ``step``."""
        if self._bar is not None:
            self._bar[0].update(self._bar[1], completed=step + 1)
        if self._line is not None:
            self._line.update(step + 1)

    def sync(self) -> None:
        """Wait until every line is on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def write(self, record: Record) -> None:
        """Append one line; numbers that are not finite become strings, as JSON cannot hold them."""
        row = {
            key: value if isinstance(value, str) or math.isfinite(value) else str(value)
            for key, value in record.items()
        }
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.rows.append(row)
        for logger in self._loggers:
            logger.write(_step(record), {key: value for key, value in record.items() if key != "step"})
        if self._bar is not None:
            self._bar[0].update(self._bar[1], description=f"loss {record['loss']:.4g}")
        if self._line is not None:
            self._line.update(what=f"steps, loss {record['loss']:.4g}")


def _step(record: Record) -> int:
    return int(record["step"])


def complaints(log: Sequence[Record]) -> list[Complaint]:
    """Return the unbroken runs of warnings of the collapse monitor in a log."""
    found: list[Complaint] = []
    start: Record = {}
    for before, row in itertools.pairwise((start, *log)):
        if "warning" in row and "warning" not in before:
            found.append(Complaint(int(row["step"]), None, str(row["warning"])))
        elif "warning" in before and "warning" not in row:
            found[-1] = replace(found[-1], healthy_again=int(row["step"]))
    return found

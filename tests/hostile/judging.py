"""A reused worker process with limits on memory and time, and the rule that every outcome is judged by."""

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["TESTS", "Outcome", "Worker", "broken_rules", "size_of"]

TESTS = Path(__file__).parents[1]
STALL = 10.0
"""Seconds of computing, or of sleep without any, after which a file counts as a stall."""
LATEST = 120.0
"""Seconds without an answer after which it does however busy the machine is."""
PEAK = 2**30
"""Bytes of memory that a file may take beyond the size of the data."""
MESSAGE = 5_000
"""Characters of an error message at most."""
START = 900.0
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Outcome:
    """What came of a file.

    Attributes:
        outcome: ``value``, the class of an error of Tacit, ``raw`` and the class of another one, ``memory`` where an
            allocation failed, ``stall``, or ``crash`` and the signal.
        message: Of the error, its beginning.
        length: Of the whole message.
        where: The last line of Tacit that a raw error came through.
        peak: Bytes of memory beyond those before.
        seconds: Until the answer.
    """

    outcome: str
    message: str = ""
    length: int = 0
    where: str = ""
    peak: int = 0
    seconds: float = 0.0


def broken_rules(found: Outcome, size: int) -> list[str]:
    """What is wrong with the outcome of ``size`` bytes of files: nothing, for a value or an error of Tacit in time.

    Args:
        found: The outcome.
        size: Bytes that the files hold, or that they rightly hold once unpacked.
    """
    broken = []
    kind = found.outcome
    if kind.startswith(("raw", "crash", "stall", "memory")):
        broken.append(f"{kind} {found.where}: {found.message[:300]}")
    if found.peak > PEAK + size:
        broken.append(f"peak of {found.peak / 2**20:.0f} MB")
    if found.length > MESSAGE:
        broken.append(f"message of {found.length} characters: {found.message[:200]}")
    return broken


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


class Worker:
    """One process of :mod:`hostile.worker`, begun anew after a crash or a stall."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.started = 0

    def open(self, kind: str, folder: Path) -> Outcome:
        """Open the folder of a specimen in the process."""
        process = self._running()
        began, (busy, _) = time.perf_counter(), _computed(process.pid)
        last, moved = busy, began
        process.stdin.write(json.dumps([kind, str(folder)]) + "\n")
        process.stdin.flush()
        while True:
            answer = self._answer(process, 0.5)
            spent = time.perf_counter() - began
            if answer is not None:
                return Outcome(**answer)
            if process.poll() is not None:
                self.close()
                return Outcome(f"crash {-process.returncode}", seconds=spent)
            computed, sleeps = _computed(process.pid)
            if computed > last or not sleeps:
                last, moved = computed, time.perf_counter()
            if max(computed - busy, time.perf_counter() - moved) > STALL or spent > LATEST:
                self.close()
                return Outcome("stall", f"{computed - busy:.0f} s of computing", seconds=spent)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                stream.close()
            self._process = None

    def _running(self) -> "subprocess.Popen[str]":
        if self._process is None:
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS)}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hostile.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=environment,
                cwd=TESTS,
            )
            self.started += 1
            if self._answer(self._process, START) != "ready":
                self.close()
                raise RuntimeError("the worker did not start; run python -m hostile.worker in tests/ to see why.")
        return self._process

    def _answer(self, process: "subprocess.Popen[str]", seconds: float) -> object:
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        line = process.stdout.readline() if ready else ""
        return json.loads(line) if line.endswith("\n") else None


def _computed(pid: int) -> tuple[float, bool]:
    """Seconds of computing that a process has used, and whether it sleeps."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0, False
    return (int(fields[11]) + int(fields[12])) / TICKS, fields[0] == "S"

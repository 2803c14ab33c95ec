"""The log on disk."""

import os
from pathlib import Path

import pytest

from tacit.errors import DataError
from tacit.training import read_log
from tacit.training.log import Complaint, Log, complaints
from tacit.training.loggers import LoggedRun


def write(directory: Path, first: int, steps: list[int]) -> None:
    with Log(LoggedRun(directory, first, 100, {})) as log:
        for step in steps:
            log.write({"step": step, "loss": step / 2, "warning": "x"})
            log.advance(step)


def test_it_goes_on_where_a_killed_run_stopped(tmp_path: Path) -> None:
    write(tmp_path, 0, [0, 5, 10])
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 15, "lo')
    assert [row["step"] for row in read_log(tmp_path)] == [0, 5, 10]
    write(tmp_path, 7, [10, 15])
    assert [row["step"] for row in read_log(tmp_path)] == [0, 5, 10, 15]
    assert read_log(tmp_path / "log.jsonl")[1] == {"step": 5, "loss": 2.5, "warning": "x"}
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]


def test_every_line_is_on_the_disk_once_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, 0, [0, 5])
    synced, real = [], os.fsync

    def fsync(handle: int) -> None:
        real(handle)
        synced.append((os.fstat(handle).st_ino, os.fstat(handle).st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    with Log(LoggedRun(tmp_path, 5, 100, {})) as log:
        path = tmp_path / "log.jsonl"
        # Before the trimmed log took the place of the old one.
        assert synced == [(path.stat().st_ino, path.stat().st_size)]
        log.write({"step": 5, "loss": 1.0})
        log.sync()
        assert synced[1:] == [(path.stat().st_ino, path.stat().st_size)]


def test_numbers_that_json_lacks_become_words(tmp_path: Path) -> None:
    with Log(LoggedRun(tmp_path, 0, 1, {})) as log:
        log.write({"step": 0, "loss": float("nan"), "lr": float("inf")})
    assert read_log(tmp_path) == [{"step": 0, "loss": "nan", "lr": "inf"}]


@pytest.mark.parametrize("line", ["no json", "[1]"])
def test_a_damaged_log_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "log.jsonl").write_text(f'{{"step": 0}}\n{line}\n')
    with pytest.raises(DataError, match="line 2"):
        read_log(tmp_path)


def test_complaints_are_unbroken_runs_of_warnings() -> None:
    words = [None, "flat", "flatter", None, "line"]
    log = [{"step": 10 * step, **({} if word is None else {"warning": word})} for step, word in enumerate(words)]
    assert complaints(log) == [Complaint(10, 30, "flat"), Complaint(40, None, "line")]
    assert complaints(log[:1]) == []

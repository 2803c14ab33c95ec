"""The log on disk: segments, limits, a full disk, and processes that are killed."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

import tacit as tc
from tacit.errors import AuditError, ConfigError, DataError

BODY = '"x":"' + "x" * 200 + '"'


def log_of(path, **options):
    log = tc.audit.Log(path, **options)
    log.begin({"agent": "none"})
    return log


def numbers(path, kind="act"):
    return [one.number for one in tc.audit.read(path) if one.kind == kind]


def full(monkeypatch, after=0, error=errno.ENOSPC, partial=50):
    """Let the disk be full after some writes; the last one writes a part of its bytes."""
    write, calls = os.write, [0]

    def limited(file, content):
        calls[0] += 1
        if calls[0] == after + 1 and partial:
            return write(file, content[:partial])
        if calls[0] > after:
            raise OSError(error, os.strerror(error))
        return write(file, content)

    monkeypatch.setattr(os, "write", limited)


def test_a_segment_begins_with_the_hash_of_the_last_record(tmp_path):
    with log_of(tmp_path, segment_mb=0.002) as log:
        for _ in range(20):
            log.write("act", lambda: BODY)
    records = list(tc.audit.read(tmp_path))
    files = {one.file.name for one in records}
    assert files == {path.name for path in tmp_path.glob("*.jsonl")}
    assert len(files) > 3
    assert all(path.stat().st_size < 3000 for path in tmp_path.glob("*.jsonl"))
    assert len(numbers(tmp_path)) == 20
    assert all((one.line == 1) == (one.kind == "segment") for one in records)


def test_a_limit_stops(tmp_path):
    def fill(log):
        for _ in range(20):
            log.write("act", lambda: BODY)

    with log_of(tmp_path, segment_mb=0.001, limit_mb=0.003) as log, pytest.raises(AuditError, match=r"0\.003 MB"):
        fill(log)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.jsonl")) <= 3000
    assert 3 < len(numbers(tmp_path)) < 20


def test_the_oldest_segments_are_deleted_only_if_asked(tmp_path):
    with log_of(tmp_path, segment_mb=0.001, limit_mb=0.003, when_full="delete_oldest") as log:
        written = [log.write("act", lambda: BODY) for _ in range(40)]
    assert sum(path.stat().st_size for path in tmp_path.glob("*.jsonl")) <= 3000
    kept = numbers(tmp_path)
    assert kept == written[-len(kept) :]
    assert 1 < len(kept) < 10
    next(iter(sorted(tmp_path.glob("*.jsonl")))).unlink()
    with pytest.raises(DataError, match="are missing, and the log did not delete them"):
        numbers(tmp_path)


def test_a_full_disk_stops_and_leaves_a_whole_log(tmp_path, monkeypatch):
    with log_of(tmp_path) as log:
        log.write("act", lambda: BODY)
        with monkeypatch.context() as patch:
            full(patch)
            with pytest.raises(AuditError, match=r"No space left on device.*when_full='continue'"):
                log.write("act", lambda: BODY)
        log.write("act", lambda: BODY)
    assert len(numbers(tmp_path)) == 2


def test_a_full_disk_continues_and_counts(tmp_path, monkeypatch):
    with log_of(tmp_path, when_full="continue") as log:
        log.write("act", lambda: BODY)
        with monkeypatch.context() as patch:
            full(patch, error=errno.EDQUOT)
            with pytest.warns(UserWarning, match="acting without an audit log"):
                assert log.write("act", lambda: BODY) is None
            assert log.write("act", lambda: BODY) is None
        assert log.lost == 2
        log.write("act", lambda: BODY)
    records = list(tc.audit.read(tmp_path))
    assert [one.values.get("lost") for one in records if one.kind == "act"] == [None, 2]


def test_a_full_disk_makes_room(tmp_path, monkeypatch):
    with log_of(tmp_path, segment_mb=0.001, when_full="delete_oldest") as log:
        for _ in range(10):
            log.write("act", lambda: BODY)
        before = len(list(tmp_path.glob("*.jsonl")))
        with monkeypatch.context() as patch:
            write, calls = os.write, [0]

            def once(file, content):
                calls[0] += 1
                if calls[0] == 1:
                    raise OSError(errno.ENOSPC, "full")
                return write(file, content)

            patch.setattr(os, "write", once)
            log.write("act", lambda: BODY)
    assert not (tmp_path / "000000.jsonl").exists()
    assert len(list(tmp_path.glob("*.jsonl"))) <= before + 1
    assert numbers(tmp_path)[-1] > 0


def test_a_part_that_cannot_be_removed_is_named_by_the_next_segment(tmp_path, monkeypatch):
    with log_of(tmp_path, when_full="continue") as log:
        log.write("act", lambda: BODY)
        with monkeypatch.context() as patch:
            full(patch)
            patch.setattr(os, "ftruncate", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "no")))
            with pytest.warns(UserWarning, match="acting without an audit log"):
                log.write("act", lambda: BODY)
        log.write("act", lambda: BODY)
    assert len(numbers(tmp_path)) == 2
    assert (tmp_path / "000001.jsonl").exists()
    first = tmp_path / "000000.jsonl"
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"000000\.jsonl, line 3"):
        numbers(tmp_path)


def test_a_log_is_continued_in_a_new_segment(tmp_path):
    with log_of(tmp_path) as log:
        log.write("act", lambda: BODY)
    with log_of(tmp_path) as log:
        log.write("act", lambda: BODY)
    kinds = [one.kind for one in tc.audit.read(tmp_path)]
    assert kinds == ["segment", "act", "end", "segment", "act", "end"]


def test_a_cut_log_is_continued_and_a_changed_one_is_not(tmp_path):
    with log_of(tmp_path) as log:
        log.write("act", lambda: BODY)
        log.write("act", lambda: BODY)
    first = tmp_path / "000000.jsonl"
    whole = first.read_bytes()
    first.write_bytes(whole[:-150])
    with log_of(tmp_path) as log:
        log.write("act", lambda: BODY)
    assert len(numbers(tmp_path)) >= 2
    (tmp_path / "000001.jsonl").unlink()
    first.write_bytes(whole.replace(b'"x":"xx', b'"x":"xy', 1))
    with pytest.raises(DataError, match=r"000000\.jsonl, line 2: a record was changed"):
        tc.audit.Log(tmp_path)


@pytest.mark.parametrize("sync", ["never", "decision", "always"])
def test_the_disk_is_asked_as_often_as_chosen(tmp_path, monkeypatch, sync):
    calls = []
    monkeypatch.setattr(os, "fsync", lambda file: calls.append(file))
    log = log_of(tmp_path, sync=sync)
    log.write("act", lambda: BODY)
    begun = len(calls)
    log.write("act", lambda: BODY, decision=True)
    log.write("act", lambda: BODY)
    assert len(calls) - begun == {"never": 0, "decision": 1, "always": 2}[sync]
    log.close()


def test_bad_options_and_second_writers_are_refused(tmp_path):
    for options in ({"sync": "often"}, {"when_full": "wait"}, {"segment_mb": 0}, {"segment_mb": 2, "limit_mb": 3}):
        with pytest.raises(ConfigError, match="Log needs"):
            tc.audit.Log(tmp_path, **options)
    with log_of(tmp_path) as log:
        with pytest.raises(ConfigError, match="an actor writes the audit log"):
            log.begin({})
        with pytest.raises(ConfigError, match="another process writes"):
            tc.audit.Log(tmp_path)
    with pytest.raises(ConfigError, match="was closed"):
        log.write("act", lambda: BODY)


KILLED = """
import sys
import tacit as tc
log = tc.audit.Log(sys.argv[1], segment_mb=0.05)
log.begin({"agent": "none"})
body = '"x":"' + "x" * 5000 + '"'
while True:
    number = log.write("act", lambda: body)
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


def test_a_killed_process_loses_no_act_that_it_returned(tmp_path):
    returned = []
    for round in range(4):
        with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE) as process:
            first = process.stdout.readline()
            time.sleep(0.05 + 0.013 * round)
            process.send_signal(signal.SIGKILL)
            lines = [first, *process.stdout.read().splitlines(keepends=True)]
        returned += [int(line) for line in lines if line.endswith(b"\n")]
    with log_of(tmp_path):  # the next one names what the last one left
        pass
    found = numbers(tmp_path)
    assert set(returned) <= set(found)
    assert len(found) - len(returned) <= 4

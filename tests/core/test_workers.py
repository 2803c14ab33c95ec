"""Worker processes: results in order, named errors, and nothing left behind."""

import functools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tacit._workers import Workers
from tacit.errors import ConfigError, MissingExtra, SpecError, TacitError


class Held:
    """Runs in a worker."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def nap(self, seconds: float) -> tuple[int, float]:
        time.sleep(seconds)
        return os.getpid(), seconds

    def add(self, one: int, two: int) -> int:
        return self.number + one + two

    def fail(self, kind: str) -> None:
        if kind == "foreign":
            raise ZeroDivisionError("by nothing")
        if kind == "caused":
            try:
                int("x")
            except ValueError as error:
                raise SpecError("world 3 shows NaN") from error
        if kind == "extra":
            raise MissingExtra("h5py", "hdf5", "reading")
        if kind == "local":
            raise type("Local", (Exception,), {})("of a class that cannot be sent")
        if kind == "exit":
            sys.exit(3)
        if kind == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        os._exit(7)

    def threads(self, _: int) -> tuple[str | None, str | None, int]:
        import torch

        return os.environ.get("OMP_NUM_THREADS"), os.environ.get("OMP_WAIT_POLICY"), torch.get_num_threads()


def children() -> set[str]:
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True
    )
    return {line for line in listed.stdout.splitlines() if "tacit._workers" in line}


def test_results_come_in_order_from_several_processes() -> None:
    naps = [0.2, 0.0, 0.1, 0.0, 0.05, 0.0, 0.0]
    with Workers([Held, Held], "a test") as workers:
        found = list(workers.map("nap", naps))
    assert [seconds for _, seconds in found] == naps
    assert len({process for process, _ in found} - {os.getpid()}) == 2
    assert not children()


def test_each_worker_has_its_own_object_and_arguments() -> None:
    with Workers([functools.partial(Held, 10 * index) for index in range(3)], "a test") as workers:
        assert workers.call("add", [(1, 2), (3, 4), (5, 6)]) == [3, 17, 31]
        assert workers.call("add", [(0, 0)] * 3) == [0, 10, 20]
    with pytest.raises(TacitError, match="of a test have ended"):
        workers.call("add", [(0, 0)] * 3)


def test_a_worker_has_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with Workers([Held], "a test") as workers:
        assert workers.call("threads", [(0,)]) == [("1", "PASSIVE", 1)]


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("foreign", TacitError, "^a test, in a worker process, raised ZeroDivisionError: by nothing"),
        ("caused", SpecError, "^world 3 shows NaN"),
        ("extra", MissingExtra, "^reading needs the package 'h5py'"),
        ("local", TacitError, "of a class that cannot be sent"),
        ("exit", TacitError, "SystemExit: 3"),
        ("killed", TacitError, r"worker process 1 of 1 of a test was ended by SIGKILL.*memory"),
        ("gone", TacitError, r"worker process 1 of 1 of a test exited with status 7"),
    ],
)
def test_a_failure_is_named(kind: str, error: Any, message: str) -> None:
    workers = Workers([Held], "a test")
    with pytest.raises(error, match=message) as caught:
        workers.call("fail", [(kind,)])
    assert not children()
    if kind == "foreign":
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        assert 'raise ZeroDivisionError("by nothing")' in "".join(caught.value.__cause__.__notes__)
    if kind == "caused":
        assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize(("kind", "message"), [("foreign", "by nothing"), ("killed", "process [12] of 2 .* SIGKILL")])
def test_a_failure_ends_every_worker(kind: str, message: str) -> None:
    workers = Workers([Held, Held], "a test")
    with pytest.raises(TacitError, match=message):
        list(workers.map("fail", [kind] * 5))
    assert not children()


def broken() -> Held:
    raise OSError("no such simulator")


def test_an_object_that_cannot_be_made_or_sent_is_named() -> None:
    with pytest.raises(TacitError, match="a test, in a worker process, raised OSError: no such simulator"):
        Workers([Held, broken], "a test")
    assert not children()
    lock = threading.Lock()
    with pytest.raises(ConfigError, match=r"a test cannot be sent to a worker process: .*lock.*into a module"):
        Workers([lambda: Held(int(lock.locked()))], "a test")


def run(code: str, *arguments: str, **options: Any) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], input=code, capture_output=True, text=True, timeout=240, **options
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


PROGRAM = textwrap.dedent(
    """
    from tacit._workers import Workers

    START = 5

    class Mine:
        def add(self, number):
            return START + number

    workers = Workers([Mine, lambda: Mine()], "mine")
    print(*workers.map("add", range(4)))
    """
)


def test_what_the_main_program_defines_is_sent_by_value(tmp_path: Path) -> None:
    file = tmp_path / "unguarded.py"
    file.write_text(PROGRAM)
    assert run("", "-c", PROGRAM) == run(PROGRAM) == run(PROGRAM, "-") == run("", str(file)) == "5 6 7 8\n"


INTERRUPTED = textwrap.dedent(
    """
    import time
    from tacit._workers import Workers

    class Slow:
        def wait(self, seconds):
            time.sleep(seconds)

    with Workers([Slow, Slow], "slow") as workers:
        print("ready", flush=True)
        workers.call("wait", [(300,), (300,)])
    """
)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_stays_behind(how: signal.Signals) -> None:
    started = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert started.stdout is not None and started.stdout.readline() == b"ready\n"
    if how is signal.SIGINT:
        os.killpg(started.pid, how)  # as a terminal does
    else:
        started.kill()
    _, printed = started.communicate(timeout=400)
    assert (b"KeyboardInterrupt" in printed) == (how is signal.SIGINT) and printed.count(b"Traceback") <= 1
    until = time.monotonic() + 60
    while time.monotonic() < until and _members(started.pid):
        time.sleep(0.1)
    assert not _members(started.pid)


def _members(group: int) -> list[str]:
    listed = subprocess.run(
        ["ps", "-e", "-o", "pgid=", "-o", "stat=", "-o", "args="], capture_output=True, text=True
    ).stdout.splitlines()
    return [line for line in listed if line.split()[0] == str(group) and not line.split()[1].startswith("Z")]

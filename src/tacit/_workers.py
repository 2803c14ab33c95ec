"""Worker processes, spawned and never forked.

A worker has one object, which a function creates in the worker, and runs its methods. Functions and classes of a script
or a notebook are sent by value, others by name. So a worker never imports the main program, which needs no guard by
``__name__`` and no file. A fork would copy locks of other threads, torch's thread pool and OpenGL contexts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.reduction import ForkingPickler
from multiprocessing.spawn import get_executable
from typing import Any

from tacit._foreign import packed_error, unpacked_error
from tacit.errors import ConfigError, TacitError

__all__ = ["Workers", "serve"]

Process = subprocess.Popen[bytes]
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""One thread for each worker, which does not spin while it waits; read when numpy or torch is imported."""
PATIENCE = 3.0
"""Seconds for all workers together to close their objects."""


class Workers:
    """Processes with one object each; they end when this value is deleted or the ``with`` block ends.

    Args:
        makes: A function for each worker, which creates its object in the worker.
        what: The name of the objects, for errors, such as ``"environment 'CartPole-v1'"``.

    Raises:
        ConfigError: if a function cannot be sent to another process.
        TacitError: if a worker dies or its object cannot be created, here or later; all workers are then stopped.
    """

    def __init__(self, makes: Sequence[Callable[[], Any]], what: str) -> None:
        if os.name != "posix":
            raise ConfigError(f"worker processes need Linux or macOS; run {what} in one process.")
        self._what = what
        sent = {id(make): _packed(make, what) for make in makes}
        self._all: list[tuple[Process, Connection]] = []
        self._end = weakref.finalize(self, _end, self._all)
        try:
            for _ in makes:
                self._all.append(_start())
            for index, make in enumerate(makes):
                self._send(index, sent[id(make)])
            for index in range(len(makes)):
                self._answer(index)
        except BaseException:
            self.close()
            raise

    def __len__(self) -> int:
        return len(self._all)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every worker, by force if it does not end by itself."""
        self._end()

    def call(self, method: str, rows: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run a method in every worker at the same time.

        Args:
            method: A method of the objects.
            rows: Its arguments, for each worker.
        """
        self._require_alive()
        try:
            for index, row in enumerate(rows):
                self._send(index, ForkingPickler.dumps((method, row)))
            return [self._answer(index) for index in range(len(rows))]
        except BaseException:
            self.close()
            raise

    def map(self, method: str, items: Iterable[Any]) -> Iterator[Any]:
        """Run a method on each item in any free worker; yield the results in the order of the items."""
        self._require_alive()
        jobs, idle, channels = enumerate(items), list(range(len(self))), [channel for _, channel in self._all]
        running: dict[int, int] = {}  # worker: number of its item
        done: dict[int, Any] = {}
        following = 0
        try:
            while True:
                while following in done:
                    yield done.pop(following)
                    following += 1
                while idle and len(running) + len(done) < 2 * len(channels) and (job := next(jobs, None)):
                    self._send(idle[-1], ForkingPickler.dumps((method, (job[1],))))
                    running[idle.pop()] = job[0]
                if not running:
                    return
                for channel in wait([channels[index] for index in running]):
                    index = channels.index(channel)  # type: ignore[arg-type]
                    done[running.pop(index)] = self._answer(index)
                    idle.append(index)
        except BaseException:
            self.close()
            raise

    def _require_alive(self) -> None:
        if not self._end.alive:
            raise TacitError(f"the worker processes of {self._what} have ended. Create it again.")

    def _send(self, index: int, message: Any) -> None:
        try:
            self._all[index][1].send_bytes(message)
        except OSError:
            raise self._death(index) from None

    def _answer(self, index: int) -> Any:
        try:
            done, value = self._all[index][1].recv()
        except (EOFError, OSError):
            raise self._death(index) from None
        if done:
            return value
        error = unpacked_error(value)
        if isinstance(error, TacitError):
            raise error
        raise TacitError(f"{self._what}, in a worker process, raised {type(error).__name__}: {error}") from error

    def _death(self, index: int) -> TacitError:
        """Return the error to raise when a worker has died."""
        process, _ = self._all[index]
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)
        code = process.returncode
        how = f"exited with status {code}" if code is None or code >= 0 else f"was ended by {_signal(-code)}"
        advice = "Its last output shows the cause; run it in one process to find the place in the code."
        if code == -signal.SIGKILL:
            advice = "If memory ran out, use fewer workers or fewer environments in each."
        return TacitError(f"worker process {index + 1} of {len(self)} of {self._what} {how}. {advice}")


def serve(handle: int, parent: int) -> None:
    """Create one object and run its methods for the process at the other end of a connection.

    Args:
        handle: File descriptor of the connection.
        parent: Id of the other process; this process ends after it.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles interruptions
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    held: Any = None
    with Connection(handle) as channel, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            message = channel.recv_bytes()
            try:
                job = ForkingPickler.loads(message)
                if held is None:
                    held, answer = job.fn(), None
                else:
                    answer = getattr(held, job[0])(*job[1])
                reply = ForkingPickler.dumps((True, answer))
            except BaseException as error:  # SystemExit too: it would end the worker without a message
                reply = ForkingPickler.dumps((False, packed_error(error)))
            channel.send_bytes(reply)
    if hasattr(held, "close"):
        held.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # like multiprocessing: exit handlers of libraries can take seconds, or fail without a display


def _packed(make: Callable[[], Any], what: str) -> Any:
    """Return the bytes of a function, by value where it belongs to the main program."""
    from gymnasium.vector.utils import CloudpickleWrapper

    try:
        return ForkingPickler.dumps(CloudpickleWrapper(make))
    except Exception as error:
        raise ConfigError(
            f"{what} cannot be sent to a worker process: {error}. Move its function into a module, create or open its "
            "objects inside the function, or use one process."
        ) from error


def _start() -> tuple[Process, Connection]:
    """Start a process that serves, and return it with its connection."""
    mine, theirs = Pipe()
    with theirs:
        code = f"import sys; sys.path[:] = {sys.path!r}; from tacit._workers import serve; "
        code += f"serve({theirs.fileno()}, {os.getpid()})"
        executable = os.fsdecode(get_executable() or sys.executable)
        process = subprocess.Popen(
            [executable, "-c", code],
            env={**os.environ, **THREADS},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    return process, mine


def _end(workers: list[tuple[Process, Connection]]) -> None:
    """Close the connections, which ends the workers; kill the ones that do not end in time."""
    for _, channel in workers:
        channel.close()
    until = time.monotonic() + PATIENCE
    for process, _ in workers:
        try:
            process.wait(max(until - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with(parent: int) -> None:
    """End this process when its parent has died, even within a long step."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _signal(number: int) -> str:
    return signal.Signals(number).name if number in list(signal.Signals) else f"signal {number}"

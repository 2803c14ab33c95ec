"""Two processes of one distributed run."""

import multiprocessing as mp
import os
import socket
from collections.abc import Callable
from multiprocessing.context import SpawnProcess

import torch.distributed as dist

__all__ = ["finish", "start"]


def start(target: Callable[..., None], *arguments: object) -> list[SpawnProcess]:
    """``target(rank, *arguments)`` in each of two processes, in a group of gloo."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = mp.get_context("spawn")
    processes = [context.Process(target=_run, args=(rank, port, target, arguments), daemon=True) for rank in range(2)]
    for process in processes:
        process.start()
    return processes


def finish(processes: list[SpawnProcess]) -> None:
    """Wait for both, and for both to have done what they were asked."""
    for process in processes:
        process.join(timeout=500)
        if process.exitcode is None:
            process.kill()
    assert [process.exitcode for process in processes] == [0, 0]


def _run(rank: int, port: int, target: Callable[..., None], arguments: tuple[object, ...]) -> None:
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
    target(rank, *arguments)
    dist.destroy_process_group()
    # Gloo's threads outlive the group, and one that asks for Python's lock while Python ends aborts the process.
    os._exit(0)

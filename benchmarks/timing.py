"""CPU seconds and floating-point operations; Tacit is imported where needed, for environments without it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def cpu_seconds(work: Callable[[], object], repeats: int, calls: int = 1) -> list[float]:
    """Return the seconds of one call in each of ``repeats`` rounds of ``calls``."""
    rounds = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(calls):
            work()
        rounds.append((time.process_time() - start) / calls)
    return rounds


class Laps:
    """Wall-clock and CPU seconds of the parts of a run, as ``NAME_wall`` and ``NAME_cpu`` of ``seconds``."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.perf_counter(), time.process_time()

    def end(self, name: str) -> None:
        """End a part and begin the next."""
        now = time.perf_counter(), time.process_time()
        for clock, before, after in zip(("wall", "cpu"), self._began, now, strict=True):
            self.seconds[f"{name}_{clock}"] = round(after - before, 1)
        self._began = now


@contextmanager
def plain_layers() -> Iterator[None]:
    """Use torch's own kernel for linear layers, the one that its counter of operations knows."""
    from tacit.nn import linear

    fast, linear._SMALL = linear._SMALL, 2**62
    try:
        yield
    finally:
        linear._SMALL = fast


def operations(work: Callable[[], object]) -> int:
    """Return the floating-point operations of a call, attention written out."""
    with plain_layers(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def operations_of_step(loss: Callable[[int], Tensor], counted: int = 4) -> float:
    """Return the mean operations of a training step, forward and backward, over a few steps."""

    def whole(index: int) -> None:
        loss(index).backward()  # type: ignore[no-untyped-call]

    return sum(operations(partial(whole, index)) for index in range(counted)) / counted


def peak_rate() -> float:
    """Return the operations per second of a large packed matrix product, the median of several."""
    from tacit.nn.kernels import Packed

    x, layer = torch.randn(1024, 2048), nn.Linear(2048, 2048)
    packed = Packed(layer)
    with torch.inference_mode():
        taken = sorted(cpu_seconds(lambda: packed.linear(layer, x), 16)[1:])
    return 2 * 1024 * 2048 * 2048 / taken[len(taken) // 2]

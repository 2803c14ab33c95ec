"""CPU seconds and floating-point operations of a piece of work.

Environments without Tacit use the clock too, so Tacit is imported where it is needed.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def cpu_seconds(work: Callable[[], object], repeats: int, calls: int = 1) -> list[float]:
    """Of one call, in each of ``repeats`` rounds of ``calls``."""
    rounds = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(calls):
            work()
        rounds.append((time.process_time() - start) / calls)
    return rounds


class Laps:
    """Wall-clock and CPU seconds of the parts of a run.

    Attributes:
        seconds: What is written of them: ``NAME_wall`` and ``NAME_cpu``.
    """

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
    """Linear layers by torch's own kernel, the one that its counter of operations knows."""
    from tacit.nn import linear

    fast, linear._SMALL = linear._SMALL, 2**62
    try:
        yield
    finally:
        linear._SMALL = fast


def operations(work: Callable[[], object]) -> int:
    """Floating-point operations of a call, attention written out."""
    with plain_layers(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def peak_rate() -> float:
    """Floating-point operations a second of a large packed matrix product, the median of several."""
    from tacit.nn.kernels import Packed

    x, layer = torch.randn(1024, 2048), nn.Linear(2048, 2048)
    packed = Packed(layer)
    with torch.inference_mode():
        taken = sorted(cpu_seconds(lambda: packed.linear(layer, x), 16)[1:])
    return 2 * 1024 * 2048 * 2048 / taken[len(taken) // 2]

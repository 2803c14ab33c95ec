"""Stream of batches of clips, read ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING

from torch.utils.data import IterableDataset, get_worker_info

from tacit.errors import ConfigError
from tacit.types import Clip

if TYPE_CHECKING:
    from tacit.data.clips import Clips

__all__ = ["ClipBatches"]


class ClipBatches(IterableDataset[Clip]):
    """Batches ``clips.batch(seed, step, size)`` of consecutive steps. Every iteration begins at ``start``.

    It is also a dataset of PyTorch for ``DataLoader(batches, batch_size=None)``. With several workers, each makes some
    of the steps, and the loader returns them in order.

    Args:
        clips: The windows to draw from.
        size: Number of windows in a batch.
        seed: Seed of the draws, not negative.
        start: The first step, for example that of a resumed run.
        steps: Number of batches; None: without end.
        prefetch: Batches that a thread reads ahead; 0: no thread.

    Raises:
        ConfigError: if a value is out of range.
    """

    def __init__(
        self, clips: Clips, size: int, seed: int, start: int = 0, steps: int | None = None, prefetch: int = 2
    ) -> None:
        if size < 1 or min(seed, start, prefetch, steps or 0) < 0:
            raise ConfigError(
                "batches need size >= 1 and seed, start, steps and prefetch >= 0; got "
                f"{size}, {seed}, {start}, {steps} and {prefetch}."
            )
        self.clips, self.size, self.seed = clips, size, seed
        self.start, self.steps, self.prefetch = start, steps, prefetch

    def __iter__(self) -> Generator[Clip, None, None]:
        """Yield the batches, those of this worker within a worker of a ``DataLoader``."""
        worker = get_worker_info()
        first, stride = (0, 1) if worker is None else (worker.id, worker.num_workers)
        steps: Iterable[int] = _count(self.start + first, stride)
        if self.steps is not None:
            steps = range(self.start + first, self.start + self.steps, stride)
        if worker is None and self.prefetch:
            return _read_ahead(steps, self._batch, self.prefetch)
        return (self._batch(step) for step in steps)

    def _batch(self, step: int) -> Clip:
        return self.clips.batch(self.seed, step, self.size)


def _count(first: int, stride: int) -> Generator[int, None, None]:
    while True:
        yield first
        first += stride


def _read_ahead(steps: Iterable[int], read: Callable[[int], Clip], count: int) -> Generator[Clip, None, None]:
    """Yield ``read(step)`` for each step; a thread prepares ``count`` of them."""
    ready: queue.Queue[Clip | BaseException | None] = queue.Queue(maxsize=count)
    stop = threading.Event()

    def work() -> None:
        try:
            for step in steps:
                if stop.is_set():
                    return
                ready.put(read(step))
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    thread = threading.Thread(target=work, daemon=True, name="tacit-clips")
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        while thread.is_alive():
            try:
                ready.get_nowait()
            except queue.Empty:
                thread.join(0.01)

"""Logger to TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tacit.errors import MissingExtra
from tacit.training.loggers._logger import LoggedRun

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["TensorBoard"]


class TensorBoard:
    """Event files in the folder ``tensorboard`` of the run (extra ``tensorboard``).

    Raises:
        MissingExtra: when the run begins, if the package is not installed.
    """

    _writer: SummaryWriter | None = None

    def open(self, run: LoggedRun, /) -> None:
        """See :class:`Logger`."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtra("tensorboard", "tensorboard", "the logger TensorBoard") from error
        self._writer = SummaryWriter(str(run.directory / "tensorboard"), purge_step=run.first)

    def write(self, step: int, values: Mapping[str, float | str], /) -> None:
        """See :class:`Logger`."""
        if self._writer is None:
            return
        for name, value in values.items():
            if isinstance(value, str):
                self._writer.add_text(name, value, global_step=step)
            else:
                self._writer.add_scalar(name, value, global_step=step)

    def close(self) -> None:
        """See :class:`Logger`."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

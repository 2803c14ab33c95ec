"""Logger to Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tacit.errors import MissingExtra
from tacit.training.loggers._logger import LoggedRun

__all__ = ["WandB"]


class WandB:
    """Run of Weights & Biases (extra ``wandb``). A resumed training continues the same run.

    Args:
        project: The project.
        name: Name of the run; None: the name of its directory.
        entity: User or team; None: the default one.
        mode: ``online``, or ``offline`` to write files in the directory of the run for ``wandb sync``.

    Raises:
        MissingExtra: when the run begins, if the package is not installed.
    """

    def __init__(
        self,
        project: str = "tacit",
        name: str | None = None,
        entity: str | None = None,
        mode: Literal["online", "offline"] = "online",
    ) -> None:
        self.project, self.name, self.entity, self.mode = project, name, entity, mode
        self._run: Any = None

    def open(self, run: LoggedRun, /) -> None:
        """See :class:`Logger`."""
        try:
            import wandb
        except ImportError as error:
            raise MissingExtra("wandb", "wandb", "the logger WandB") from error
        self._run = wandb.init(
            project=self.project,
            name=self.name or run.directory.resolve().name,
            entity=self.entity,
            mode=self.mode,
            dir=run.directory,
            id=run.recorded_id("wandb"),
            resume="allow",
            settings=wandb.Settings(console="off"),  # standard output stays as it is
            config={**run.options},
        )
        run.record_id("wandb", self._run.id)

    def write(self, step: int, values: Mapping[str, float | str], /) -> None:
        """See :class:`Logger`."""
        if self._run is not None:
            self._run.log({**values}, step=step)

    def close(self) -> None:
        """See :class:`Logger`."""
        if self._run is not None:
            self._run.finish()
            self._run = None

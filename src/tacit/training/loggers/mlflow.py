"""Logger to MLflow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tacit.errors import MissingExtra
from tacit.training.loggers._logger import LoggedRun

__all__ = ["MLflow"]

LONGEST = 500
"""Longest value of a parameter in characters."""


class MLflow:
    """Run of MLflow (extra ``mlflow``). A resumed training continues the same run.

    Slashes in names become dots, as in ``loss.prediction``: stores on disk cannot have both ``loss`` and ``loss/x``.

    Args:
        experiment: The experiment, made if it does not exist.
        name: Name of the run; None: the name of its directory.
        uri: Tracking server or store; None: that of MLflow's own settings, such as ``MLFLOW_TRACKING_URI``.

    Raises:
        MissingExtra: when the run begins, if the package is not installed.
    """

    def __init__(self, experiment: str = "tacit", name: str | None = None, uri: str | None = None) -> None:
        self.experiment, self.name, self.uri = experiment, name, uri
        self._client: Any = None
        self._id = ""

    def open(self, run: LoggedRun, /) -> None:
        """See :class:`Logger`."""
        try:
            from mlflow.entities import Param
            from mlflow.tracking import MlflowClient
        except ImportError as error:
            raise MissingExtra("mlflow-skinny", "mlflow", "the logger MLflow") from error
        self._client = MlflowClient(self.uri)
        known = run.recorded_id("mlflow")
        if known is None:
            found = self._client.get_experiment_by_name(self.experiment)
            experiment = self._client.create_experiment(self.experiment) if found is None else found.experiment_id
            made = self._client.create_run(experiment, run_name=self.name or run.directory.resolve().name)
            self._id = made.info.run_id
            parameters = [Param(name, value[:LONGEST]) for name, value in run.flat_options().items()]
            self._client.log_batch(self._id, params=parameters)
            run.record_id("mlflow", self._id)
        else:
            self._id = known
            self._client.update_run(self._id, status="RUNNING")

    def write(self, step: int, values: Mapping[str, float | str], /) -> None:
        """See :class:`Logger`."""
        if self._client is None:
            return
        from mlflow.entities import Metric

        now = round(1000 * time.time())
        metrics = [
            Metric(name.replace("/", "."), value, now, step)
            for name, value in values.items()
            if not isinstance(value, str)
        ]
        self._client.log_batch(self._id, metrics=metrics)

    def close(self) -> None:
        """See :class:`Logger`."""
        if self._client is not None:
            self._client.set_terminated(self._id)
            self._client = None

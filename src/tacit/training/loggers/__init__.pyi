"""Loggers: destinations of a run's log besides ``log.jsonl``; each file is one of them.

::

    tc.train(..., loggers=[tc.training.loggers.TensorBoard()])"""

from typing import Any

from tacit.training.loggers._logger import LoggedRun as LoggedRun
from tacit.training.loggers._logger import Logger as Logger
from tacit.training.loggers.mlflow import MLflow as MLflow
from tacit.training.loggers.tensorboard import TensorBoard as TensorBoard
from tacit.training.loggers.wandb import WandB as WandB

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

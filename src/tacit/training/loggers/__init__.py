"""Loggers: destinations of a run's log besides ``log.jsonl``; each file is one of them.

::

    tc.train(..., loggers=[tc.training.loggers.TensorBoard()])
"""

from tacit._registry import registry

__getattr__, __dir__, __all__, load, names = registry(__name__, also=("_logger",))

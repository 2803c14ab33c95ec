"""Runs on disk: recipe, data, model and agent of a training run, and how to share them.

::

    runs/two_rooms/run.json      recipe, data, split and seed
    runs/two_rooms/checkpoint/   the model and the state of the training
    runs/two_rooms/log.jsonl     the log of the training
    runs/two_rooms/agent/        the model with its planner, cost and policy

    run = tc.runs.open("runs/two_rooms")
    print(tc.probing.fit(run.model(), run.train, "position", held_out=run.held_out))

    tc.runs.pack("runs/two_rooms", "two_rooms.zip")
    tc.runs.unpack("two_rooms.zip", "runs/again")
"""

from tacit._registry import exports, lazy

MODULES = ("_run", "archive", "hub")

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {name: f"{__name__}.{module}" for module in MODULES for name in exports(f"{__name__}.{module}")},
)

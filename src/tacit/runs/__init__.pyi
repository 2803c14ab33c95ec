"""Runs on disk: recipe, data, model and agent of a training run, and how to share them.

::

    runs/two_rooms/run.json      recipe, data, split and seed
    runs/two_rooms/checkpoint/   the model and the state of the training
    runs/two_rooms/log.jsonl     the log of the training
    runs/two_rooms/agent/        the model with its planner, cost and policy

    run = tc.runs.open("runs/two_rooms")
    print(tc.probing.fit(run.model(), run.train, "position", held_out=run.held_out))

    tc.runs.pack("runs/two_rooms", "two_rooms.zip")
    tc.runs.unpack("two_rooms.zip", "runs/again")"""

from tacit.runs._run import Run as Run
from tacit.runs._run import RunRecord as RunRecord
from tacit.runs._run import open as open
from tacit.runs.archive import pack as pack
from tacit.runs.archive import unpack as unpack
from tacit.runs.hub import model_card as model_card
from tacit.runs.hub import pull as pull
from tacit.runs.hub import push as push

__all__: list[str]

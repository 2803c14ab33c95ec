"""Readers of files of other programs, as recorded episodes without actions; each file is one reader."""

from typing import Any

from tacit.data.readers.aloha import Aloha as Aloha
from tacit.data.readers.d4rl import D4rl as D4rl
from tacit.data.readers.images import Images as Images
from tacit.data.readers.minari import Minari as Minari
from tacit.data.readers.replay_buffer import ReplayBuffer as ReplayBuffer
from tacit.data.readers.robomimic import Robomimic as Robomimic
from tacit.data.readers.rosbag import Rosbag as Rosbag
from tacit.data.readers.signals import Signals as Signals
from tacit.data.readers.videos import Videos as Videos

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

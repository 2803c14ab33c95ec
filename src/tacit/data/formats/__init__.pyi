"""Storage formats of episodes; each file is one format."""

from typing import Any

from tacit.data.formats.hdf5 import Hdf5 as Hdf5
from tacit.data.formats.hdf5 import Hdf5Reader as Hdf5Reader
from tacit.data.formats.lerobot import LeRobot as LeRobot
from tacit.data.formats.lerobot import LeRobotReader as LeRobotReader

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

"""Environments; each file is one environment or one adapter."""

from inspect import signature
from tacit._check import require_goals
from tacit._config import named_value
from tacit._registry import registry, suggest
from tacit.errors import ConfigError
from tacit.types import Environment, GoalEnvironment
from typing import Any

from tacit.envs._to_gymnasium import to_gymnasium as to_gymnasium
from tacit.envs._wrapper import Wrapper as Wrapper
from tacit.envs.arm import Arm as Arm
from tacit.envs.distracted import Distracted as Distracted
from tacit.envs.dm_control import DMControlEnvironment as DMControlEnvironment
from tacit.envs.gymnasium import GymnasiumEnvironment as GymnasiumEnvironment
from tacit.envs.imagined import Imagined as Imagined
from tacit.envs.point_mass import PointMass as PointMass
from tacit.envs.reacher import Reacher as Reacher
from tacit.envs.rooms import Rooms as Rooms
from tacit.envs.table_and_book import TableAndBook as TableAndBook
from tacit.envs.two_rooms import TwoRooms as TwoRooms

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...
def make(name: str, num_envs: int=1) -> Environment: ...
def make_goal(name: str, num_envs: int=1) -> GoalEnvironment: ...

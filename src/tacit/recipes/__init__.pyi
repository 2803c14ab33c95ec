"""Methods as plain values, from the model to the agent; each file is one method."""

from importlib.resources import as_file, files
from tacit._registry import registry, suggest
from tacit.agent import Agent
from tacit.errors import ConfigError
from typing import Any

from tacit.recipes._choice import suited as suited
from tacit.recipes._recipe import Acting as Acting
from tacit.recipes._recipe import AgentRecipe as AgentRecipe
from tacit.recipes._recipe import Part as Part
from tacit.recipes._recipe import Recipe as Recipe
from tacit.recipes._run_training import RunTraining as RunTraining
from tacit.recipes._run_training import prepare_run as prepare_run
from tacit.recipes.general import General as General
from tacit.recipes.ijepa import IJEPA as IJEPA
from tacit.recipes.lejepa import LeJEPA as LeJEPA
from tacit.recipes.lewm import LeWM as LeWM
from tacit.recipes.mae import MAE as MAE
from tacit.recipes.mc_jepa import MCJEPA as MCJEPA
from tacit.recipes.pldm import PLDM as PLDM
from tacit.recipes.random_rooms import RandomRooms as RandomRooms
from tacit.recipes.reacher import Reacher as Reacher
from tacit.recipes.robust_rooms import RobustRooms as RobustRooms
from tacit.recipes.rooms import Rooms as Rooms
from tacit.recipes.two_rooms import TwoRooms as TwoRooms
from tacit.recipes.unknown_rooms import UnknownRooms as UnknownRooms
from tacit.recipes.vjepa import VJEPA as VJEPA
from tacit.recipes.vjepa2 import VJEPA2 as VJEPA2
from tacit.recipes.vjepa2_ac import VJEPA2AC as VJEPA2AC

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...
def pretrained(name: str, device: str='cpu') -> Agent: ...

"""Carriers: memory that an agent carries along, written at every block boundary; each file is one carrier."""

from typing import Any

from tacit.memory.carriers._module import CarrierModule as CarrierModule
from tacit.memory.carriers.ema_bank import EMABank as EMABank
from tacit.memory.carriers.ema_bank import EMABankConfig as EMABankConfig
from tacit.memory.carriers.gru import GRU as GRU
from tacit.memory.carriers.gru import GRUConfig as GRUConfig
from tacit.memory.carriers.slots import Slots as Slots
from tacit.memory.carriers.slots import SlotsConfig as SlotsConfig

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

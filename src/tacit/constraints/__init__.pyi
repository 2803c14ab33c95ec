"""Constraints: restrictions that hold without exception; each file is one constraint."""

from typing import Any

from tacit.constraints.keep_out import KeepOut as KeepOut
from tacit.constraints.latent_distance import LatentDistance as LatentDistance
from tacit.constraints.limits import Limits as Limits
from tacit.constraints.max_change import MaxChange as MaxChange
from tacit.constraints.within import Within as Within

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

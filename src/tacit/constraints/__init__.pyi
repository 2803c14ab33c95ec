"""Constraints: restrictions of actions that hold without exception; each file is one constraint."""

from typing import Any

from tacit.constraints.limits import Limits as Limits
from tacit.constraints.max_change import MaxChange as MaxChange

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

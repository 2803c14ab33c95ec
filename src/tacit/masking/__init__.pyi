"""Masking methods: context and targets of a masked model; each file defines one method."""

from typing import Any

from tacit.masking.blocks import Blocks as Blocks
from tacit.masking.future import Future as Future
from tacit.masking.random_patches import RandomPatches as RandomPatches
from tacit.masking.spans import Spans as Spans
from tacit.masking.tubes import TubeMask as TubeMask
from tacit.masking.tubes import Tubes as Tubes

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

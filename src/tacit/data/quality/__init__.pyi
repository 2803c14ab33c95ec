"""Checks of the quality of recorded data; each file is one check, and :func:`examine` runs them."""

from typing import Any

from tacit.data.quality._check import Note as Note
from tacit.data.quality._check import QualityCheck as QualityCheck
from tacit.data.quality._examination import examine as examine
from tacit.data.quality.blank import Blank as Blank
from tacit.data.quality.clipped import Clipped as Clipped
from tacit.data.quality.constant import Constant as Constant
from tacit.data.quality.duplicated import Duplicated as Duplicated
from tacit.data.quality.fps import Fps as Fps
from tacit.data.quality.frozen import Frozen as Frozen
from tacit.data.quality.idle import Idle as Idle
from tacit.data.quality.jumps import Jumps as Jumps
from tacit.data.quality.lag import Lag as Lag
from tacit.data.quality.repeated import Repeated as Repeated
from tacit.data.quality.short import Short as Short
from tacit.data.quality.stale import Stale as Stale

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

"""Ways to read what other programs made, as recorded episodes in which nobody acts; each file is one."""

from typing import Any

from tacit.data.readers.images import Images as Images
from tacit.data.readers.signals import Signals as Signals
from tacit.data.readers.videos import Videos as Videos

__all__: list[str]

def load(name: str) -> Any: ...
def names() -> tuple[str, ...]: ...

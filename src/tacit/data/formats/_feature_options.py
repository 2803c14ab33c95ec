"""Options of reading a dataset of named features."""

from __future__ import annotations

from dataclasses import dataclass, field

from tacit._config import OMIT_DEFAULT
from tacit._resize import check_size
from tacit.errors import ConfigError
from tacit.types import ActionKind

__all__ = ["FeatureOptions"]


@dataclass(frozen=True)
class FeatureOptions:
    """Options of reading a dataset of named features; see :class:`tacit.data.formats.LeRobotReader`."""

    action: str | tuple[str, ...] | None = None
    observation: str | tuple[str, ...] | None = None
    label: str | tuple[str, ...] = ()
    skip: str | tuple[str, ...] = ()
    strip: str | tuple[str, ...] | None = None
    size: int | tuple[int, int] | None = None
    kind: ActionKind | tuple[ActionKind | None, ...] | None = None
    position: str | None = None
    position_index: tuple[int, ...] = ()
    depth: tuple[float, float] | None = field(default=None, metadata=OMIT_DEFAULT)

    def __post_init__(self) -> None:
        for name in ("action", "observation", "label", "skip", "strip"):
            value = getattr(self, name)
            names = value if value is None else (value,) if isinstance(value, str) else tuple(value)
            if names is not None and not all(isinstance(item, str) and item for item in names):
                raise ConfigError(f"{name}= is the name of a feature or several of them; got {value!r}.")
            object.__setattr__(self, name, names)
        check_size(self.size)
        if self.position_index and self.position is None:
            raise ConfigError("position_index= are components of a modality; name it too: position='state'.")
        if self.depth is not None:
            object.__setattr__(self, "depth", tuple(float(bound) for bound in self.depth))
            if len(self.depth) != 2 or not 0 <= self.depth[0] < self.depth[1] < float("inf"):
                raise ConfigError(f"depth is the range (near, far) in metres, such as (0.3, 3); got {self.depth}.")

    def names(self, option: str) -> tuple[str, ...]:
        """Return the features or patterns that an option names."""
        found: str | tuple[str, ...] | None = getattr(self, option)
        return (found,) if isinstance(found, str) else found or ()

"""The list of crafted files: each is a function that changes a specimen, or writes into its folder."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CRAFTED", "Crafted", "craft"]


@dataclass(frozen=True)
class Crafted:
    """A crafted file.

    Attributes:
        kind: Of its specimen.
        name: Of the case.
        change: Makes it from a fresh specimen.
        says: What the error must say, as a regular expression; empty where reading may succeed too.
        unpacked: Bytes that the data rightly take in memory beyond the size of the files.
    """

    kind: str
    name: str
    change: Callable[[Path], None]
    says: str = ""
    unpacked: int = 0


CRAFTED: list[Crafted] = []


def craft(kind: str, says: str = "", unpacked: int = 0) -> Callable[[Callable[[Path], None]], Callable[[Path], None]]:
    """List a function as the maker of a crafted file."""

    def add(change: Callable[[Path], None]) -> Callable[[Path], None]:
        CRAFTED.append(Crafted(kind, change.__name__, change, says, unpacked))
        return change

    return add


def several(kind: str, change: Callable[..., None], cases: dict[str, object], says: str = "") -> None:
    """List the same change with other arguments, each under its name."""
    for name, argument in cases.items():
        CRAFTED.append(Crafted(kind, name, lambda folder, argument=argument: change(folder, argument), says))

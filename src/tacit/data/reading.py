"""Open recorded episodes, whichever format they are in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tacit._registry import suggest
from tacit.data import formats
from tacit.data.episodes import Episodes
from tacit.data.storage import Format
from tacit.errors import DataError

if TYPE_CHECKING:
    import os

__all__ = ["format_of", "open", "unfinished"]


def open(path: str | os.PathLike[str]) -> Episodes:
    """The recorded episodes at ``path``; nothing but their index is read yet.

    Raises:
        DataError: if there is no dataset, or its index is missing, damaged or inconsistent.
        MissingExtra: if its format needs a package that is not installed.
    """
    place = Path(path)
    return Episodes(format_of(place)[1].open(place))


def format_of(path: Path) -> tuple[str, Format]:
    """The name and format of the dataset at ``path``."""
    if path.exists():
        for name in formats.names():
            chosen: Format = formats.load(name)()
            if chosen.recognises(path):
                return name, chosen
        raise DataError(f"{path} is none of the formats that Tacit reads: {', '.join(formats.names())}.")
    if unfinished(path).exists():
        count = len(list(unfinished(path).glob("episode-*")))
        raise DataError(
            f"{path} was never finished: {count} episodes wait in {unfinished(path)}. "
            "Open tacit.data.Writer on it again with the same spec, add the rest and close it."
        )
    near = suggest(path.name, [item.name for item in path.parent.iterdir()]) if path.parent.is_dir() else ""
    raise DataError(f"there is no dataset at {path}.{near}")


def unfinished(path: Path) -> Path:
    """Where a writer keeps episodes until it is closed."""
    return path.parent / f".{path.name}.unfinished"

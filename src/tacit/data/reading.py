"""Open recorded episodes, whichever format they are in, and what other programs made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tacit._config import from_json
from tacit._files import resolve
from tacit._registry import suggest
from tacit.data import formats, readers
from tacit.data.episodes import Episodes
from tacit.data.readers._files import option
from tacit.data.storage import Reader
from tacit.errors import ConfigError, DataError

if TYPE_CHECKING:
    import os

__all__ = ["collection_note", "open", "reader_of", "staged_name", "unfinished", "waiting"]


def open(path: str | os.PathLike[str], reader: str | Reader | None = None, **options: Any) -> Episodes:
    """The recorded episodes at ``path``; nothing but their index is read yet.

    ::

        tc.data.open("data/two_rooms")
        tc.data.open("holiday/photos", size=64)
        tc.data.open("ecg", reader="signals", columns=("ii",), gaps="split")

    Args:
        path: A dataset, or a file or folder of pictures, films or signals.
        reader: How to read what is no dataset: a name of ``tacit.data.readers``, or a reader with its options. By
            default the files say so by their names.
        options: Those of the reader.

    Raises:
        DataError: if there is no dataset, or its index is missing, damaged or inconsistent.
        ConfigError: if the reader has no such option.
        MissingExtra: if its format needs a package that is not installed.
    """
    place = resolve(path)
    return Episodes(reader_of(place, reader, options)[1].open(place))


def reader_of(
    path: Path, reader: str | Reader | None = None, options: Mapping[str, Any] | None = None
) -> tuple[str, Reader]:
    """What reads ``path``, and its name: a format of Tacit, or a reader with ``options``."""
    options = options or {}
    if not path.exists():
        raise _absent(path)
    if reader is not None and not isinstance(reader, str):
        if options:
            raise ConfigError(
                f"give the option {next(iter(options))!r} to {type(reader).__name__} itself, not beside it."
            )
        return type(reader).__name__.lower(), reader
    if reader is None:
        for name in formats.names():
            form: Reader = formats.load(name)()
            if form.recognises(path):
                if options:
                    raise ConfigError(
                        f"{path} is a dataset in format {name}, which is read as it is; got the option "
                        f"{next(iter(options))!r}. Options are for pictures, films and signals of other programs."
                    )
                return name, form
        reader = _recognised(path)
    chosen: Reader = from_json(readers.load(reader), options)
    return reader, chosen


def _recognised(path: Path) -> str:
    """The name of the reader of the files at ``path``."""
    found = [name for name in readers.names() if readers.load(name)().recognises(path)]
    if not found:
        raise DataError(
            f"{path} is none of the formats that Tacit reads: {', '.join(formats.names())}, "
            f"or files for one of its readers: {', '.join(readers.names())}."
        )
    if len(found) > 1:
        raise DataError(
            f"{path} holds files for several readers: {', '.join(found)}. "
            f"Say which are meant, for example {option('reader', found[0])}."
        )
    return found[0]


def _absent(path: Path) -> DataError:
    if unfinished(path).exists():
        count = sum(episodes for _, episodes in waiting(unfinished(path)).values())
        advice = "Open tacit.data.Writer on it again with the same spec, add the rest and close it."
        if collection_note(path).exists():
            advice = "Run the same tacit collect again, or call tacit.collect as before: it goes on where it stopped."
        return DataError(f"{path} was never finished: {count} episodes wait in {unfinished(path)}. {advice}")
    near = suggest(path.name, [item.name for item in path.parent.iterdir()]) if path.parent.is_dir() else ""
    return DataError(f"there is no dataset at {path}.{near}")


def unfinished(path: Path) -> Path:
    """Where a writer keeps episodes until it is closed."""
    return path.parent / f".{path.name}.unfinished"


def collection_note(path: Path) -> Path:
    """Where a collection notes what it records at ``path``."""
    return path.parent / f".{path.name}.collection.json"


def staged_name(first: int, count: int) -> str:
    """The folder in there of ``count`` episodes from number ``first`` on."""
    return f"episode-{first:06d}" if count == 1 else f"episode-{first:06d}-{first + count - 1:06d}"


def waiting(staging: Path) -> dict[int, tuple[Path, int]]:
    """The folders of episodes in there and how many each holds, by the number of its first one."""
    found = {}
    for folder in staging.glob("episode-*"):
        first, _, last = folder.name.removeprefix("episode-").partition("-")
        found[int(first)] = folder, int(last or first) - int(first) + 1
    return found

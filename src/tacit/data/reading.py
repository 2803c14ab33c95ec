"""Reading of recorded episodes in any format, and of files of other programs."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tacit._config import from_json
from tacit._files import resolve
from tacit._registry import suggest
from tacit.data import formats, readers
from tacit.data.episodes import Episodes
from tacit.data.mapping import read_mapping
from tacit.data.readers._files import option
from tacit.data.readers._zarr_store import is_store
from tacit.data.storage import Reader
from tacit.errors import ConfigError, DataError

__all__ = ["collection_note", "open", "reader_of", "staged_name", "unfinished", "waiting"]


def open(
    path: str | os.PathLike[str],
    reader: str | Reader | None = None,
    *,
    cache: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Episodes:
    """Open the recorded episodes at ``path``, reading only their index.

    ::

        tc.data.open("data/two_rooms")
        tc.data.open("data/aloha", size=64, skip="observation.images.depth")
        tc.data.open("holiday/photos", size=64)
        tc.data.open("ecg", reader="signals", columns=("ii",), gaps="split")
        tc.data.open("plant", mapping="plant.toml")

    Args:
        path: A dataset, or a file or folder of images, videos or signals.
        reader: The reader: a name of ``tacit.data.formats`` or ``tacit.data.readers``, or a reader with its
            options. By default it is chosen from the names of the files.
        cache: The folder of the decoded episodes of all datasets. None: ``$TACIT_CACHE``, or else
            ``tacit`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
        options: Options of the reader, such as those of :class:`tacit.data.formats.LeRobotReader`. ``mapping``
            is a TOML file with roles of columns; see :class:`tacit.data.mapping.ColumnMapping`. Options next to it
            replace its own.

    Raises:
        DataError: if there is no dataset, or its index is missing, damaged or inconsistent.
        ConfigError: if the reader has no such option.
        MissingExtra: if its format needs a package that is not installed.
    """
    place = resolve(path)
    return Episodes(reader_of(place, reader, options)[1].open(place), cache=None if cache is None else resolve(cache))


def reader_of(
    path: Path, reader: str | Reader | None = None, options: Mapping[str, Any] | None = None
) -> tuple[str, Reader]:
    """Return the reader of ``path`` and its name in ``tacit.data.formats`` or ``tacit.data.readers``."""
    options = options or {}
    if isinstance(mapping := options.get("mapping"), str | os.PathLike):
        others = {name: value for name, value in options.items() if name != "mapping"}
        options, reader = {**read_mapping(resolve(mapping)).reading(), **others}, reader or "signals"
    if not path.exists():
        raise _absent(path)
    if reader is not None and not isinstance(reader, str):
        if options:
            raise ConfigError(
                f"give the option {next(iter(options))!r} to {type(reader).__name__} itself, not beside it."
            )
        return _name(reader), reader
    if reader is None:
        reader = _default(path)
    kind = formats.load(reader).reader if reader in formats.names() else readers.load(reader)
    chosen: Reader = from_json(kind, options)
    return reader, chosen


def _name(reader: Reader) -> str:
    """Return the name of the format of this reader, else the name of the reader."""
    own = (name for name in formats.names() if formats.load(name).reader is type(reader))
    return next(own, type(reader).__name__.lower())


def _default(path: Path) -> str:
    """Return the name of the format or reader of ``path``.

    A zarr store may have groups that are named like the folders of a dataset, and a file of a format may have the
    layout of another program.
    """
    if path.is_dir() and is_store(path):
        found = _layout_of(path)
        if found is None:
            raise DataError(
                f"{path} is a zarr store of another layout: expected data/* and meta/episode_ends, as in "
                "replay_buffer.zarr. Open it with the package zarr and bring its arrays with "
                "tacit.data.from_episodes or tacit.data.Writer."
            )
        return found
    form = next((name for name in formats.names() if formats.load(name).reader().recognises(path)), None)
    if form is None:
        return _recognised(path)
    return (_layout_of(path) if path.is_file() else None) or form


def _layout_of(path: Path) -> str | None:
    """Return the reader of a file that has the container of a format and the layout of another program."""
    return next((name for name in readers.names() if readers.load(name)().recognises(path)), None)


def _recognised(path: Path) -> str:
    """Return the name of the reader of the files at ``path``."""
    found = [name for name in readers.names() if readers.load(name)().recognises(path)]
    if not found:
        raise DataError(
            f"{path} is none of the formats that Tacit reads: {', '.join(formats.names())}, "
            f"or files for one of its readers: {', '.join(readers.names())}.",
            code="T02",
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
    return DataError(f"there is no dataset at {path}.{near}", code="T02")


def unfinished(path: Path) -> Path:
    """Return the folder in which a writer keeps episodes until it is closed."""
    return path.parent / f".{path.name}.unfinished"


def collection_note(path: Path) -> Path:
    """Return the file in which a collection describes its recording at ``path``."""
    return path.parent / f".{path.name}.collection.json"


def staged_name(first: int, count: int) -> str:
    """Return the name of the staged folder of ``count`` episodes from number ``first``."""
    return f"episode-{first:06d}" if count == 1 else f"episode-{first:06d}-{first + count - 1:06d}"


def waiting(staging: Path) -> dict[int, tuple[Path, int]]:
    """Return the staged folders and their numbers of episodes, by the number of the first episode."""
    found = {}
    for folder in staging.glob("episode-*"):
        if numbers := re.fullmatch(r"episode-(\d{1,15})(?:-(\d{1,15}))?", folder.name):
            first, last = numbers[1], numbers[2] or numbers[1]
            found[int(first)] = folder, int(last) - int(first) + 1
    return found

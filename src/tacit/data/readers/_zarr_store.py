"""Zarr stores that need not be trusted: arrays of numbers with codecs that only decompress."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from tacit.data.tables import check_unpacked
from tacit.errors import MissingExtra

__all__ = ["ZarrStore", "has_array", "is_store"]

MARKS = (".zgroup", ".zmetadata", "zarr.json")
"""Files of which the root of a store has one."""
NUMERIC = ("delta", "astype", "bitround", "fixedscaleoffset", "quantize", "packbits", "bytes", "transpose", "shuffle")
PACKED = ("blosc", "zstd", "lz4", "zlib", "gzip", "bz2", "lzma", "snappy", "sharding_indexed")
SUMS = ("crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3")
IMAGES = tuple(f"imagecodecs_{name}" for name in ("jpegxl", "jpeg", "jpeg2k", "png", "webp"))
CODECS = frozenset((*NUMERIC, *PACKED, *SUMS, *IMAGES))
"""Codecs that compute numbers from bytes; others, such as ``pickle``, could run code or make objects."""
DENSER = 20_000
"""Largest ratio of an array to its stored bytes: the compression of zeros by Blosc."""
ARRAYS = 2000
BLOSC = 16
"""Bytes of the header of Blosc, of which the last four are the size of the chunk."""


def is_store(path: Path) -> bool:
    """Return whether ``path`` is a zarr store: a folder, or a ZIP file, complete or damaged."""
    if path.is_dir():
        return any((path / mark).is_file() for mark in MARKS)
    return path.is_file() and path.name.endswith(".zarr.zip")


def has_array(path: Path, name: str) -> bool:
    """Return whether a zarr store has an array of this name; a damaged ZIP file has all of them."""
    places = [f"{name}/{mark}" for mark in (".zarray", "zarr.json")]
    if path.is_dir():
        return any((path / place).is_file() for place in places)
    try:
        with zipfile.ZipFile(path) as file:
            return bool(set(places) & set(file.namelist()))
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return True


class ZarrStore:
    """Zarr store of version 2 or 3, opened once in each process.

    Args:
        path: A folder or a ZIP file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: tuple[int, Any, zipfile.ZipFile | None] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_open": None}

    def group(self) -> Any:
        """Return the root group.

        Raises:
            MissingExtra: without the package zarr.
        """
        if self._open is None or self._open[0] != os.getpid():
            try:
                import zarr
            except ImportError as error:
                raise MissingExtra("zarr", "zarr", "Reading zarr stores") from error
            store: Any = str(self.path)
            zipped = zipfile.ZipFile(self.path) if self.path.is_file() else None
            if zipped is not None:
                store = zarr.storage.ZipStore(self.path, mode="r", read_only=True)
            self._open = os.getpid(), zarr.open_group(store, mode="r"), zipped
        return self._open[1]

    def arrays(self, name: str) -> dict[str, Any]:
        """Return the arrays in a group by name, after checks that reading them is safe.

        Raises:
            ValueError: at an array of objects, another codec, or one far larger than its stored bytes.
        """
        found: dict[str, Any] = {}
        for key, data in self.group()[name].arrays():
            if len(found) == ARRAYS:
                raise ValueError(f"expected at most {ARRAYS} arrays in {name!r}")
            _check(f"{name}/{key}", data)
            found[key] = _Whole(data, self) if "blosc" in set(_codecs(data.metadata.to_dict())) else data
        return dict(sorted(found.items()))

    def head(self, name: str) -> tuple[bytes, int]:
        """Return the first bytes and the size of a file of the store; no bytes and 0 without it."""
        self.group()
        zipped = self._open[2] if self._open else None
        try:
            if zipped is not None:
                with zipped.open(name) as part:
                    return part.read(BLOSC), zipped.getinfo(name).file_size
            with (self.path / name).open("rb") as file:
                return file.read(BLOSC), os.fstat(file.fileno()).st_size
        except (KeyError, FileNotFoundError):
            return b"", 0


class _Whole:
    """Array of Blosc chunks that are compared with their headers first: the decoder reads past the end of short ones.

    Args:
        data: The array.
        store: Its store.
    """

    def __init__(self, data: Any, store: ZarrStore) -> None:
        self._data, self._store = data, store
        self.shape, self.dtype, self.chunks = data.shape, data.dtype, data.chunks
        self.ndim, self.fill_value = data.ndim, data.fill_value

    @property
    def nchunks(self) -> int:
        return int(self._data.nchunks)

    @property
    def nchunks_initialized(self) -> int:
        return int(self._data.nchunks_initialized)

    def __getitem__(self, rows: slice) -> Any:
        start, stop, _ = rows.indices(self.shape[0])
        grid = [range(-(-size // chunk)) for size, chunk in zip(self.shape[1:], self.chunks[1:], strict=True)]
        first = range(start // self.chunks[0], -(-stop // self.chunks[0]))
        for place in product(first, *grid):
            name = f"{self._data.path}/{self._data.metadata.encode_chunk_key(place)}"
            head, size = self._store.head(name)
            if size and (len(head) < BLOSC or int.from_bytes(head[12:16], "little") != size):
                raise ValueError(f"the chunk {name} has {size} bytes, and other than its header says")
        return self._data[rows]


def _check(name: str, data: Any) -> None:
    if data.dtype.kind not in "biufSU":
        raise ValueError(f"{name!r} holds objects ({data.dtype}), which are not read; expected numbers")
    codecs = [codec.removeprefix("numcodecs.") for codec in _codecs(data.metadata.to_dict())]
    if {"sharding_indexed", "blosc"} <= set(codecs):
        raise ValueError(f"{name!r} has Blosc chunks in shards, whose sizes cannot be checked; write it with Zstd")
    for codec in codecs:
        if codec not in CODECS:
            raise ValueError(f"{name!r} is coded with {codec!r}; expected one of {', '.join(sorted(CODECS))}")
    check_unpacked(data.nbytes, data.nbytes_stored(), f"the numbers of {name}", DENSER)


def _codecs(about: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the codecs of an array of version 2 or 3, also of those inside others."""
    for key in ("codecs", "index_codecs", "filters", "compressor"):
        given = about.get(key)
        for codec in given if isinstance(given, (list, tuple)) else [given]:
            if codec is None:
                continue
            config = codec if isinstance(codec, Mapping) else codec.get_config()
            yield str(config.get("id") or config.get("name"))
            if isinstance(inner := config.get("configuration"), Mapping):
                yield from _codecs(inner)

"""Content of an HDF5 file of Tacit: records in attributes, and arrays in this file only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tacit._files import verified
from tacit.data.tables import check_unpacked
from tacit.errors import ConfigError, MissingExtra
from tacit.types import Spec

__all__ = ["About", "Facts", "check_stored", "inside", "library", "sealed"]

DEFLATED = 1100
"""Largest ratio of an array to its stored bytes: the compression of zeros by gzip."""


@dataclass(frozen=True)
class About:
    """Attribute ``tacit`` of a file."""

    version: int
    spec: Spec
    labels: Mapping[str, tuple[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Facts:
    """Attribute ``facts`` of an episode."""

    terminated: bool
    seed: int | None
    task: str
    length: int
    digest: str
    crc32: Mapping[str, int]
    group: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.length < 2**53:
            raise ConfigError(f"an episode has a length of 0 or more, below 2^53; got {self.length}.")


def sealed(holder: Any, name: str) -> Any:
    """Return the content of a sealed record in an attribute."""
    value = holder.attrs[name]
    if not isinstance(value, str):
        raise ValueError(f"the attribute {name!r} must be a text; got a {type(value).__name__}")
    return verified(value)


def inside(group: Any, path: str, kind: Literal["Group", "Dataset"]) -> Any:
    """Return an object of a group, which must be in the same file.

    Raises:
        ValueError: if it is a link into another file, or not a ``kind``.
    """
    import h5py  # from the extra, without which there is no group

    item = group
    for name in path.split("/"):
        if isinstance(item.get(name, getlink=True), h5py.ExternalLink):
            raise ValueError(f"{path!r} is a link into another file")
        item = item[name]
        if not isinstance(item, h5py.Group):
            break
    if not isinstance(item, vars(h5py)[kind]) or item.name.rpartition("/")[2] != path.rpartition("/")[2]:
        raise ValueError(f"{path!r} must be a {kind.lower()}; got a {type(item).__name__}")
    if kind == "Dataset" and (item.is_virtual or item.external):
        raise ValueError(f"the numbers of {path!r} are in another file")
    return item


def check_stored(data: Any) -> None:
    """Refuse an array that is far larger than its stored bytes."""
    check_unpacked(data.nbytes, data.id.get_storage_size(), f"the numbers of {data.name}", DEFLATED)


def library(purpose: str) -> Any:
    """Return the package h5py; raise MissingExtra without it."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", "hdf5", purpose) from error
    return h5py

"""Rows of features that need not be in memory. They are a tensor, a selection of one, or shards on disk end to end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Rows", "Selection", "Shards", "pooled", "select"]

NUMBERS = 2**24
"""Numbers to read at once: 64 MB."""


class Rows(Protocol):
    """Rows from which probes read features; a tensor is one."""

    @property
    def shape(self) -> Sequence[int]:
        """Return the shape ``[N, D]`` or ``[N, n, D]``."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Tensor, /) -> Tensor:
        """Return the rows at ``index [B]``."""


class Selection:
    """Selection of the rows of another object, read when they are asked for."""

    def __init__(self, rows: Rows, index: Tensor) -> None:
        self._rows, self._index = rows, index

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape ``[N, ...]``."""
        return (len(self._index), *self._rows.shape[1:])

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: Tensor) -> Tensor:
        return self._rows[self._index[index]]

    def select(self, index: Tensor) -> Selection:
        """Return the rows at ``index`` of this selection."""
        return Selection(self._rows, self._index[index])


class Shards:
    """Tensors joined end to end, such as the memory-mapped files of an embedding."""

    def __init__(self, parts: Sequence[Tensor]) -> None:
        self._parts = parts
        self._ends = torch.tensor([len(part) for part in parts]).cumsum(0)

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape ``[N, ...]``."""
        return (len(self), *self._parts[0].shape[1:])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: Tensor) -> Tensor:
        part = torch.searchsorted(self._ends, index, right=True)
        out = torch.empty((len(index), *self.shape[1:]), dtype=self._parts[0].dtype)
        for number in set(part.tolist()):
            here = part == number
            start = int(self._ends[number]) - len(self._parts[number])
            out[here] = self._parts[number][index[here] - start]
        return out


def select(rows: Rows, index: Tensor) -> Selection:
    """Return the rows at ``index``, read when they are asked for."""
    return rows.select(index) if isinstance(rows, Selection) else Selection(rows, index)


def pooled(rows: Rows, dtype: torch.dtype, device: torch.device, flat: bool = False) -> Tensor:
    """Load every row into memory, tokens averaged: ``[N, D]``; or ``flat``, end to end: ``[N, n D]``."""
    size = 1
    for extent in rows.shape[1:]:
        size *= extent
    out = torch.empty(len(rows), size if flat else rows.shape[-1], dtype=dtype, device=device)
    for index in torch.split(torch.arange(len(rows)), max(1, NUMBERS // size)):
        part = rows[index].to(device, dtype)
        out[index.to(device)] = part.flatten(1) if flat or part.ndim == 2 else part.mean(dim=1)
    return out

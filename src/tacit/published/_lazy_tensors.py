"""Tensors of a mapped file, converted one after the other. The conversion takes little more memory than the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence

import torch
from torch import Tensor

__all__ = ["LazyTensors", "single"]

_PIECES = 16


class LazyTensors(MutableMapping[str, Tensor]):
    """Tensors by name, mapped from a file again for each piece of a conversion.

    The part of a mapped file that was read counts as memory until the file is closed. Tensors in single precision,
    which are kept as they are, stay mapped.

    Args:
        tensors: As the file has them.
        again: Maps the file again, and gives the same tensors.
    """

    def __init__(self, tensors: Mapping[str, Tensor], again: Callable[[], Mapping[str, Tensor]]) -> None:
        self._tensors, self._again = dict(tensors), again
        self._passing = {name for name, value in tensors.items() if _converted(value)}
        self._fresh: Mapping[str, Tensor] = {}
        self._piece = sum(tensors[name].nbytes for name in self._passing) // _PIECES
        self._read = 0

    def __getitem__(self, name: str) -> Tensor:
        value = self._tensors[name]
        if name not in self._passing:
            return value
        if self._read >= self._piece:
            self._fresh, self._read = {}, 0
        self._fresh = self._fresh or self._again()
        self._read += value.nbytes
        return self._fresh[name]

    def __setitem__(self, name: str, value: Tensor) -> None:
        self._tensors[name] = value
        self._passing.discard(name)

    def __delitem__(self, name: str) -> None:
        del self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def single(parts: Sequence[Tensor]) -> Tensor:
    """Return one tensor of the rows of all parts.

    Floating-point parts become single precision; a single part that has it already is returned itself.

    They are copied to where they belong, without a copy of each in between.
    """
    kind = torch.float32 if parts[0].is_floating_point() else parts[0].dtype
    if len(parts) == 1:
        return parts[0].to(kind)
    out = parts[0].new_empty((sum(map(len, parts)), *parts[0].shape[1:]), dtype=kind)
    for piece, part in zip(torch.split(out, [len(part) for part in parts]), parts, strict=True):
        piece.copy_(part)
    return out


def _converted(value: Tensor) -> bool:
    return value.is_floating_point() and value.dtype != torch.float32

"""Comparison of a model with the one whose weights it starts from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from torch import Tensor

from tacit.models import Model

__all__ = ["differences", "learned_tensors"]

TABLES = {"position"}
"""Buffers that are computed from the size of the input; all others are statistics."""


def learned_tensors(model: Model) -> dict[str, Tensor]:
    """Return parameters and statistics of a model, by name.

    They are all that its configuration alone does not decide.
    """
    tables = {name for name, _ in model.named_buffers() if name.rpartition(".")[2] in TABLES}
    return {name: value for name, value in model.state_dict().items() if name not in tables}


def differences(mine: Any, theirs: Any, prefix: str = "") -> Iterator[str]:
    """Yield the options that change what weights do and differ between two configurations. Both are of one kind."""
    for name in (field.name for field in fields(mine) if field.metadata.get("weights", True)):
        expected, found = vars(mine)[name], vars(theirs)[name]
        if is_dataclass(expected) and type(expected) is type(found):
            yield from differences(expected, found, f"{prefix}{name}.")
        elif expected != found:
            yield f"{prefix}{name}: expected {_short(expected)}, found {_short(found)}"


def _short(option: Any) -> str:
    return type(option).__name__ if is_dataclass(option) else repr(option)

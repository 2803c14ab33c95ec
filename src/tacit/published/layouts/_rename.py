"""Renaming of published parameters to ours, with none left over and none left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tacit.errors import CheckpointError
from tacit.published._lazy_tensors import single

__all__ = ["BLOCK", "Layout", "axes_of", "check_names", "check_shape", "checked", "rename", "stack_masks"]

BLOCK: Mapping[str, tuple[str, ...]] = {
    "attention_norm": ("norm1",),
    "qkv": ("attn.qkv",),
    "merge": ("attn.proj",),
    "mlp_norm": ("norm2",),
    "up": ("mlp.fc1",),
    "down": ("mlp.fc2",),
}
"""The modules of a block of :mod:`tacit.nn` as the repositories of the JEPAs name them, after timm."""

_SHOWN = 5
_AXES: Mapping[str, tuple[int, ...]] = {"patches.weight": (4, 5), "position": (3,), "cls": (3,), "mask": (2, 3, 4)}


@dataclass(frozen=True)
class Layout:
    """The published names of the parameters of one of our modules.

    Attributes:
        what: The name of the weights in errors.
        modules: Our module to theirs; each has a weight and a bias.
        blocks: Before the number of a block, in their names.
        block: Our module of a block to theirs; several are stacked along the rows, in order.
        tensors: Our parameter to theirs.
        unused: PublishedFile, and without a use; they may be missing.
    """

    what: str
    modules: Mapping[str, str]
    blocks: str
    block: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: BLOCK)
    tensors: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    def sources(self, weights: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the published names of each of our parameters, for all blocks present."""
        numbers = [re.match(rf"{re.escape(self.blocks)}\.(\d{{1,6}})\.", name) for name in weights]
        depth = max((int(number[1]) + 1 for number in numbers if number), default=1)
        modules: dict[str, tuple[str, ...]] = {name: (theirs,) for name, theirs in self.modules.items()}
        for number in range(min(depth, len(weights))):
            for name, parts in self.block.items():
                modules[f"blocks.{number}.{name}"] = tuple(f"{self.blocks}.{number}.{part}" for part in parts)
        found: dict[str, tuple[str, ...]] = {name: (theirs,) for name, theirs in self.tensors.items()}
        for name, parts in modules.items():
            for kind in ("weight", "bias"):
                found[f"{name}.{kind}"] = tuple(f"{part}.{kind}" for part in parts)
        return found


def rename(weights: MutableMapping[str, Tensor], *layouts: Layout) -> dict[str, Tensor]:
    """Return the weights under our names in single precision.

    Tensors that have it are passed on unless several are stacked.

    Args:
        weights: Under the names of a publication. They are taken out of it, so that what is stacked is not kept twice.
        layouts: How they may be named; the one that knows most of the names counts.

    Raises:
        CheckpointError: if names are missing or unknown, listing them; if a tensor is not floating point, empty or of
            other axes, naming it.
    """
    read = [(layout, layout.sources(weights)) for layout in layouts]
    known = [{name for names in sources.values() for name in names} for _, sources in read]
    best = max(range(len(read)), key=lambda index: len(known[index] & set(weights)))
    layout, sources = read[best]
    check_names(layout.what, known[best], [name for name in weights if name not in layout.unused])
    return {name: single(_taken(weights, theirs, name, layout.what)) for name, theirs in sources.items()}


def _taken(weights: MutableMapping[str, Tensor], theirs: Sequence[str], name: str, what: str) -> list[Tensor]:
    """Take the tensors of one of our parameters out of the weights. Several have to be alike."""
    parts = [checked(part, weights.pop(part), axes_of(name), what) for part in theirs]
    for part, value in zip(theirs, parts, strict=True):
        check_shape(part, value, parts[0].shape, what)
    return parts


def axes_of(name: str) -> tuple[int, ...]:
    """Return the numbers of axes that one of our parameters may have in a publication."""
    for ending, axes in _AXES.items():
        if name == ending or name.endswith(f".{ending}"):
            return axes
    return (2,) if name.endswith("weight") and not re.search(r"norm(s\.\d+)?\.weight$", name) else (1,)


def checked(name: str, value: Tensor, axes: Sequence[int], what: str) -> Tensor:
    """Return a tensor of a publication, once it is checked. Its sizes can be read, and its values mean what ours mean.

    Args:
        name: As the publication has it.
        value: The tensor.
        axes: How many it may have.
        what: The name of the weights in errors.

    Raises:
        CheckpointError: if it has other axes, an empty one, or is not floating point.
    """
    if value.ndim in axes and value.numel() and value.is_floating_point():
        return value
    raise CheckpointError(
        f"{name} of {what}: expected floating-point numbers along {' or '.join(map(str, axes))} axes, none of them "
        f"empty, found {value.dtype} {list(value.shape)}. Check that the file is of this publication, whole and not "
        "quantised."
    )


def check_shape(name: str, value: Tensor, expected: Sequence[int], what: str) -> None:
    """Refuse a tensor of a publication that does not fit the others."""
    if tuple(value.shape) != tuple(expected):
        raise CheckpointError(
            f"{name} of {what}: expected {list(expected)}, to fit the other tensors, found {list(value.shape)}. Check "
            "that the file is of this publication, and whole."
        )


def check_names(what: str, known: Collection[str], found: Collection[str]) -> None:
    """Refuse names that are missing or unknown."""
    parts = (
        ("missing", [name for name in known if name not in found]),
        ("unknown", [name for name in found if name not in known]),
    )
    problems = []
    for kind, names in parts:
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            problems.append(f"{kind}: {', '.join(sorted(names)[:_SHOWN])}{more}")
    if problems:
        raise CheckpointError(
            f"these are not the weights of {what}. {'; '.join(problems)}. "
            "Check that the file is of this publication, and whole."
        )


def stack_masks(weights: MutableMapping[str, Tensor], what: str) -> MutableMapping[str, Tensor]:
    """Return the weights, in which ``mask_tokens.0``, ``mask_tokens.1`` and so on became ``mask_tokens [n, width]``.

    Raises:
        CheckpointError: if one in between is missing, or one is not as wide as the first.
    """
    numbers = [int(name[12:]) for name in weights if re.fullmatch(r"mask_tokens\.\d{1,6}", name)]
    names = [f"mask_tokens.{number}" for number in range(min(max(numbers, default=-1) + 1, len(weights)))]
    check_names(what, names, [name for name in weights if name.startswith("mask_tokens.")])
    if names:
        rows = [row.flatten(0, -2) for row in _taken(weights, names, "mask", what)]
        check_shape(names[0], rows[0], (1, rows[0].shape[-1]), what)
        weights["mask_tokens"] = torch.cat(rows)
    return weights

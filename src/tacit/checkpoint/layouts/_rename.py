"""From published names of parameters to ours, with nothing left over and nothing left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tacit.checkpoint._mapped import single
from tacit.errors import CheckpointError

__all__ = ["BLOCK", "Layout", "check_names", "rename", "stack_masks"]

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


@dataclass(frozen=True)
class Layout:
    """The published names of the parameters of one of our modules.

    Attributes:
        what: What errors call the weights.
        modules: Our module to theirs; each has a weight and a bias.
        blocks: Before the number of a block, in their names.
        block: Our module of a block to theirs; several are stacked along the rows, in order.
        tensors: Our parameter to theirs.
        unused: Published, and without a use; they may be missing.
    """

    what: str
    modules: Mapping[str, str]
    blocks: str
    block: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: BLOCK)
    tensors: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    def sources(self, weights: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Our parameters to theirs, for as many blocks as there are."""
        numbers = [re.match(rf"{re.escape(self.blocks)}\.(\d+)\.", name) for name in weights]
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
    """The weights under our names in single precision; tensors that are so are passed on unless several are stacked.

    Args:
        weights: Under the names of a publication. They are taken out of it, so that what is stacked is not kept twice.
        layouts: How they may be named; the one that knows most of the names counts.

    Raises:
        CheckpointError: if names are missing or unknown, listing them.
    """
    read = [(layout, layout.sources(weights)) for layout in layouts]
    known = [{name for names in sources.values() for name in names} for _, sources in read]
    best = max(range(len(read)), key=lambda index: len(known[index] & set(weights)))
    layout, sources = read[best]
    check_names(layout.what, known[best], [name for name in weights if name not in layout.unused])
    return {name: single([weights.pop(part) for part in theirs]) for name, theirs in sources.items()}


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


def stack_masks(weights: MutableMapping[str, Tensor]) -> MutableMapping[str, Tensor]:
    """The weights, in which ``mask_tokens.0``, ``mask_tokens.1`` and so on became ``mask_tokens [n, width]``."""
    count = len([name for name in weights if re.fullmatch(r"mask_tokens\.\d+", name)])
    names = [f"mask_tokens.{number}" for number in range(count)]
    if count and all(name in weights for name in names):
        weights["mask_tokens"] = torch.cat([weights.pop(name).flatten(0, -2) for name in names])
    return weights

"""Sources of sub-goals of saved agents as JSON values and tensors.

A file names only kinds that stand here, so that it cannot choose code to run.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from tacit import checkpoint
from tacit.agent._macro_search import MacroSearch
from tacit.agent._saved_macros import read_macros, write_macros
from tacit.agent._sub_goals import SubGoals
from tacit.errors import ConfigError

__all__ = ["read_sub_goals", "write_sub_goals"]

GRAPH, MACROS = "graph", "macros"
"""The kinds, each under its name in the JSON values."""


def write_sub_goals(source: MacroSearch | SubGoals) -> checkpoint.Part:
    """Return a source of sub-goals as JSON values and tensors.

    Raises:
        ConfigError: if a cost is outside the registry and has no name of its own.
    """
    if isinstance(source, SubGoals):
        values, tensors = source.pack()
        return checkpoint.Part({GRAPH: values}, tensors)
    part = write_macros(source)
    return checkpoint.Part({MACROS: part.config}, part.tensors)


def read_sub_goals(
    part: checkpoint.Part, device: str | torch.device, own: Mapping[str, object]
) -> MacroSearch | SubGoals:
    """Return the source of :func:`write_sub_goals`.

    Args:
        part: The part of the file.
        device: The device to load it on.
        own: Costs outside the registry, by name.

    Raises:
        ConfigError: if it is incomplete, or of an unknown kind.
        CheckpointError: if its weights do not fit, or a cost is neither installed nor given.
    """
    kind = next(iter(part.config), None) if isinstance(part.config, Mapping) and len(part.config) == 1 else None
    if kind not in (GRAPH, MACROS):
        raise ConfigError("there is no such kind of sub-goals. Update Tacit to load this agent.")
    if kind == MACROS:
        return read_macros(checkpoint.Part(part.config[kind], part.tensors), device, own)
    return SubGoals.unpack(part.config[kind], {name: value.to(device) for name, value in part.tensors.items()})

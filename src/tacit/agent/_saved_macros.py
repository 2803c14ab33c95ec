"""Macro-actions of saved agents as JSON values and tensors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from tacit import checkpoint, costs
from tacit._config import from_json, to_json
from tacit._part import Part as Named
from tacit.agent._macro_search import MacroSearch
from tacit.agent._parts import built, described
from tacit.models.macro_model import MacroModel, MacroModelConfig

__all__ = ["read_macros", "write_macros"]

MODEL, COST = "model.", "cost."
"""The starts of the names of tensors."""


@dataclass(frozen=True)
class _Written:
    """The JSON content of the part."""

    model: MacroModelConfig
    cost: Named
    horizon: int
    samples: int
    iterations: int
    elites: int
    std: float


def write_macros(search: MacroSearch) -> checkpoint.Part:
    """Return a search of macro-actions as JSON values and tensors.

    Raises:
        ConfigError: if its cost is outside the registry and has no name of its own.
    """
    cost, arrays = described(search.cost, costs, {})
    options = {name: vars(search)[name] for name in ("horizon", "samples", "iterations", "elites", "std")}
    tensors: dict[str, Tensor] = {MODEL + name: value for name, value in search.macros.state_dict().items()}
    tensors |= {COST + name: value for name, value in arrays.items()}
    return checkpoint.Part(to_json(_Written(search.macros.config, cost, **options)), tensors)


def read_macros(part: checkpoint.Part, device: Any, own: Any) -> MacroSearch:
    """Return the search of :func:`write_macros`.

    Args:
        part: The part of the file.
        device: The device to load it on.
        own: Costs outside the registry, by name.

    Raises:
        ConfigError: if it is incomplete, or an option does not fit.
        CheckpointError: if the weights do not fit, or its cost is neither installed nor given.
    """
    written = from_json(_Written, part.config, where="sub_goals")
    under = {
        prefix: {name.removeprefix(prefix): value for name, value in part.tensors.items() if name.startswith(prefix)}
        for prefix in (MODEL, COST)
    }
    macros = checkpoint.fill(lambda: MacroModel(written.model), under[MODEL], "the macro-actions of the agent")
    cost = built(written.cost, costs, {name: value.to(device) for name, value in under[COST].items()}, own)
    options = {name: value for name, value in asdict(written).items() if name not in ("model", "cost")}
    return MacroSearch(macros.to(device).eval(), cost, **options)

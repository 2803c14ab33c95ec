"""Saved agents: the checkpoint of the model with the settings of the agent and its policy, if any.

Planners, costs and constraints are named as in their registries, so that a file can name only installed ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from tacit import checkpoint, constraints, costs, planners
from tacit._config import OMIT_DEFAULT, from_json, to_json
from tacit._part import Part as Named
from tacit.agent._calibration import MarginRecord
from tacit.agent._config import AgentConfig
from tacit.agent._fallback import NamedFallback
from tacit.agent._parts import built, described, label_of
from tacit.agent._proposal import Proposal
from tacit.agent._saved_carrier import read_carrier, write_carrier
from tacit.agent._saved_proposals import read_proposal, write_proposal
from tacit.agent._saved_sub_goals import read_sub_goals, write_sub_goals
from tacit.costs._base import CostSum, CostTerm, WeightedCost
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.guard import Guard
from tacit.models import Dynamics
from tacit.nn.digest import digest

__all__ = ["digest_of", "read", "write"]

PART = "agent"
PROPOSAL = "proposal"
CALIBRATION = "calibration"
GUARD = "guard"
SUB_GOALS = "sub_goals"
CARRIER = "carrier"


@dataclass(frozen=True)
class _Written:
    """The JSON content of the part; tensor options are stored as ``<index of the cost>.<option>``."""

    planner: Named
    cost: tuple[Named, ...]
    horizon: int
    replan_every: int
    repeat_action: bool
    arrive_by: int | None = None
    deadline_ms: float | None = None
    fallback: NamedFallback | None = None
    constraints: tuple[Named, ...] = ()
    precision: Literal["float32", "low"] = "float32"
    proposals: int = field(default=16, metadata=OMIT_DEFAULT)


CONSTRAINT = "constraint"
"""The start of the names of the tensors of a constraint; those of a cost begin with its index."""
RENAMED = {"execute": "replan_every", "hold": "repeat_action", "deadline": "arrive_by"}
"""The names of version 0.1 and the current ones."""


def write(
    path: Path,
    model: object,
    config: AgentConfig,
    proposal: object = None,
    calibration: MarginRecord | None = None,
) -> None:
    """Write model, config, proposal and the record of its calibration, atomically.

    Raises:
        ConfigError: if the model is none of :mod:`tacit.models` that imagines, the proposal is of a class that cannot
            be saved, the fallback a policy, or a planner, cost or constraint outside the registries has no name of its
            own.
        CheckpointError: if something else is at ``path``.
    """
    if not isinstance(model, Dynamics):
        raise ConfigError(f"an agent is saved with a model of tacit.models; this one has a {type(model).__name__}.")
    if not (config.fallback is None or isinstance(config.fallback, str)):
        raise ConfigError(
            "an agent is saved with fallback='noop', 'last_action' or None; a function cannot be saved. Save it "
            "without, and give the function again: Agent.load(path, fallback=...)."
        )
    written = None if proposal is None else write_proposal(proposal)
    if proposal is not None and written is None:
        raise ConfigError(
            "an agent is saved with a GoalPolicy, RecordedProposals or MixedProposals of these as its proposal; got "
            f"{type(proposal).__name__}."
        )
    parts = {PART: _settings(config)}
    if config.guard is not None:
        parts[GUARD] = _guard_part(config.guard)
    if config.sub_goals is not None:
        parts[SUB_GOALS] = write_sub_goals(config.sub_goals)
    if config.carrier is not None:
        parts[CARRIER] = write_carrier(config.carrier)
    if written is not None:
        parts[PROPOSAL] = written
    if calibration is not None:
        parts[CALIBRATION] = checkpoint.Part(to_json(calibration), {})
    checkpoint.save(path, model, parts)


def digest_of(model: object, config: AgentConfig, proposal: object = None) -> str:
    """Return the SHA-256 of all that decides how an agent acts.

    Of a model, policy or function that cannot be saved the digest holds the name, and the weights of a torch module.

    Raises:
        ConfigError: if a planner, cost or constraint outside the registries has no name of its own.
    """
    settings = _settings(config)
    tensors = {f"{PART}.{name}": value for name, value in settings.tensors.items()}
    named: list[Any] = []
    if config.guard is not None:
        guard = _guard_part(config.guard)
        named.append(guard.config)
        tensors |= {f"{GUARD}.{name}": value for name, value in guard.tensors.items()}
    if config.sub_goals is not None:
        sub_goals = write_sub_goals(config.sub_goals)
        named.append(sub_goals.config)
        tensors |= {f"{SUB_GOALS}.{name}": value for name, value in sub_goals.tensors.items()}
    if config.carrier is not None:
        carrier = write_carrier(config.carrier)
        named.append(carrier.config)
        tensors |= {f"{CARRIER}.{name}": value for name, value in carrier.tensors.items()}
    for place, owner in (("model", model), (PROPOSAL, proposal), ("fallback", config.fallback)):
        part = write_proposal(owner) or checkpoint.Part(
            to_json(owner.config) if isinstance(owner, Dynamics) else {},
            owner.state_dict() if isinstance(owner, nn.Module) else {},
        )
        label = owner if owner is None or isinstance(owner, str) else label_of(owner)
        named.append([place, label, part.config or None])
        tensors |= {f"{place}.{name}": value for name, value in part.tensors.items()}
    return digest(_canonical([settings.config, *named]), tensors)


def _canonical(value: Any) -> Any:
    """Return JSON values with floats in place of whole numbers, since a file may hold 1.0 for a setting of 1."""
    if isinstance(value, Mapping):
        return {key: _canonical(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(one) for one in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _guard_part(guard: Guard) -> checkpoint.Part:
    """Return a guard as JSON values and tensors."""
    settings, arrays = guard.pack()
    return checkpoint.Part(settings, {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})


def _settings(config: AgentConfig) -> checkpoint.Part:
    """Return the settings of an agent as JSON values and tensors; of a fallback only its name.

    Raises:
        ConfigError: if a planner, cost or constraint outside the registries has no name of its own.
    """
    cost = config.cost
    terms = [(1.0, cost)] if not isinstance(cost, CostTerm) else [(term.weight, term.cost) for term in cost.terms()]
    own: dict[str, object] = {}
    named, tensors = [], {}
    for index, (weight, term) in enumerate(terms):
        part, arrays = described(term, costs, own)
        named.append(dataclasses.replace(part, weight=weight))
        tensors.update({f"{index}.{name}": value for name, value in arrays.items()})
    restrictions = []
    for index, constraint in enumerate(config.constraints):
        part, arrays = described(constraint, constraints, own)
        restrictions.append(part)
        tensors.update({f"{CONSTRAINT}{index}.{name}": value for name, value in arrays.items()})
    planner, _ = described(config.planner, planners, own)
    written = _Written(
        planner,
        tuple(named),
        config.horizon,
        config.replan_every,
        config.repeat_action,
        config.arrive_by,
        config.deadline_ms,
        config.fallback if isinstance(config.fallback, str) else None,
        tuple(restrictions),
        config.precision,
        config.proposals,
    )
    return checkpoint.Part(to_json(written), tensors)


def read(
    path: Path,
    device: str | torch.device,
    own: Mapping[str, object],
    modules: Mapping[str, nn.Module] | None = None,
) -> tuple[Dynamics, AgentConfig, Proposal | None, MarginRecord | None]:
    """Read what :func:`write` wrote.

    Args:
        path: The directory of the agent.
        device: The device to load it on.
        own: Planners, costs and constraints outside the registries, by name.
        modules: Modules of the user in the model.

    Raises:
        CheckpointError: if it is missing, incomplete or damaged, or names a planner, a cost or a constraint that is
            neither installed nor given.
    """
    model, others = checkpoint.load_with_model(path, device, Dynamics, modules)
    parts = others.parts
    if PART not in parts:
        raise CheckpointError(f"{path} holds a model but no agent; make one with tc.Agent(model, ...).save(path).")
    part = parts[PART]
    try:
        written = _written(part.config)
        planner = built(written.planner, planners, {}, own)
        tensors = {key: value.to(device) for key, value in part.tensors.items()}
        terms = [
            WeightedCost(named.weight, built(_current(named, model), costs, _under(tensors, f"{index}."), own))
            for index, named in enumerate(written.cost)
        ]
        cost = CostSum(tuple(terms))
        restrictions = tuple(
            built(named, constraints, _under(tensors, f"{CONSTRAINT}{index}."), own)
            for index, named in enumerate(written.constraints)
        )
        config = AgentConfig(
            planner,
            cost,
            written.horizon,
            written.replan_every,
            written.repeat_action,
            written.arrive_by,
            written.deadline_ms,
            written.precision,
            written.fallback,
            restrictions,
            None if GUARD not in parts else _guard(parts[GUARD]),
            written.proposals,
            sub_goals=read_sub_goals(parts[SUB_GOALS], device, own) if SUB_GOALS in parts else None,
            carrier=read_carrier(parts[CARRIER], device) if CARRIER in parts else None,
        )
        calibration = from_json(MarginRecord, parts[CALIBRATION].config, CALIBRATION) if CALIBRATION in parts else None
    except (ConfigError, SpecError, TypeError, ValueError) as error:
        raise CheckpointError(f"the agent in {path} cannot be built here: {error}") from error
    proposal = read_proposal(parts[PROPOSAL], path, device) if PROPOSAL in parts else None
    return model, config, proposal, calibration


def _written(values: Any) -> _Written:
    """Return the settings of an agent, whose names may be those of version 0.1."""
    if isinstance(values, Mapping):
        values = {RENAMED.get(name, name): value for name, value in values.items()}
    return from_json(_Written, values, where=PART)


def _guard(part: checkpoint.Part) -> Guard:
    return Guard.unpack(part.config, {name: tensor.numpy() for name, tensor in part.tensors.items()})


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _current(cost: Named, model: Dynamics) -> Named:
    """Return a cost in the current format.

    Version 0.1 named the part of a goal by its number of components.
    """
    if cost.name != "goal" or "first" not in cost.options:
        return cost
    options = {name: value for name, value in cost.options.items() if name != "first"}
    first = slice(0, cost.options["first"])
    part = next((name for name, found in model.latent_parts.items() if found == first), "")
    if cost.options["first"] and not part:
        raise ConfigError(f"the model has no part of its first {first.stop} components.")
    return dataclasses.replace(cost, options={**options, "on": part})

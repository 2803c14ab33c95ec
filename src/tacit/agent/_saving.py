"""Saved agents: the checkpoint of the model with the settings of the agent and its policy, if any.

Planners, costs and constraints are named as in their registries, so that a file can name only installed ones.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tacit import checkpoint, constraints, costs, planners
from tacit._config import from_json, to_json
from tacit._part import Part as Named
from tacit.agent._config import AgentConfig
from tacit.agent._fallback import NamedFallback
from tacit.costs._base import Scaled, Summable, Total
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.models import Dynamics
from tacit.models.goal_policy import GoalPolicy, GoalPolicyConfig
from tacit.nn.readout import LinearReadout

__all__ = ["read", "write"]

PART = "agent"
PROPOSAL = "proposal"


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


NUMBERS = ("error", "r2")
"""The numbers of a readout."""
RENAMED = {"execute": "replan_every", "hold": "repeat_action", "deadline": "arrive_by"}
"""The names of version 0.1 and the current ones."""


def write(path: Path, model: object, config: AgentConfig, proposal: object = None) -> None:
    """Write model, config and proposal, atomically.

    Raises:
        ConfigError: if the model is none of :mod:`tacit.models` that imagines, the proposal no
            :class:`tacit.models.GoalPolicy`, the fallback a policy, or the planner, a cost or a constraint no dataclass
            of its registry.
        CheckpointError: if something else is at ``path``.
    """
    if not isinstance(model, Dynamics):
        raise ConfigError(f"an agent is saved with a model of tacit.models; this one has a {type(model).__name__}.")
    cost = config.cost
    if not isinstance(cost, Summable):
        raise ConfigError(f"costs that can be saved are {', '.join(costs.names())} and their sums; got {cost!r}.")
    named, tensors = [], {}
    for index, term in enumerate(cost.parts):
        part, arrays = _name(term.cost, costs)
        named.append(dataclasses.replace(part, weight=term.weight))
        tensors.update({f"{index}.{name}": value for name, value in arrays.items()})
    planner, _ = _name(config.planner, planners)
    if not (config.fallback is None or isinstance(config.fallback, str)):
        raise ConfigError(
            "an agent is saved with fallback='noop', 'last_action' or None; a function cannot be saved. Save it "
            "without, and give the function again: Agent.load(path, fallback=...)."
        )
    written = _Written(
        planner,
        tuple(named),
        config.horizon,
        config.replan_every,
        config.repeat_action,
        config.arrive_by,
        config.deadline_ms,
        config.fallback,
        tuple(_name(constraint, constraints)[0] for constraint in config.constraints),
    )
    parts = {PART: checkpoint.Part(to_json(written), tensors)}
    if proposal is not None:
        if not isinstance(proposal, GoalPolicy):
            raise ConfigError(f"an agent is saved with a GoalPolicy as its proposal; got {type(proposal).__name__}.")
        parts[PROPOSAL] = checkpoint.Part(to_json(proposal.config), proposal.state_dict())
    checkpoint.save(path, model, parts)


def read(
    path: Path, device: str | torch.device, modules: Mapping[str, nn.Module] | None = None
) -> tuple[Dynamics, AgentConfig, GoalPolicy | None]:
    """Read what :func:`write` wrote.

    Raises:
        CheckpointError: if it is missing, incomplete or damaged, or names a planner, a cost or a constraint that is
            not installed.
    """
    model, others = checkpoint.load_with_model(path, device, Dynamics, modules)
    parts = others.parts
    if PART not in parts:
        raise CheckpointError(f"{path} holds a model but no agent; make one with tc.Agent(model, ...).save(path).")
    part = parts[PART]
    try:
        current: Any = part.config
        if isinstance(current, Mapping):
            current = {RENAMED.get(name, name): value for name, value in current.items()}
        written = from_json(_Written, current, where=PART)
        planner = written.planner.build(planners.load)
        terms = []
        for index, named in enumerate(written.cost):
            own = {key: value.to(device) for key, value in part.tensors.items() if key.startswith(f"{index}.")}
            arrays = {key.partition(".")[2]: value for key, value in own.items()}
            plain, given = _with_readouts(_current(named, model), arrays)
            terms.append(Scaled(named.weight, plain.build(costs.load, **given)))
        cost = Total(tuple(terms))
        restrictions = tuple(named.build(constraints.load) for named in written.constraints)
        config = AgentConfig(
            planner,
            cost,
            written.horizon,
            written.replan_every,
            written.repeat_action,
            written.arrive_by,
            written.deadline_ms,
            written.fallback,
            restrictions,
        )
    except (ConfigError, SpecError, TypeError, ValueError) as error:
        raise CheckpointError(f"the agent in {path} cannot be built here: {error}") from error
    return model, config, _policy(parts.get(PROPOSAL), path, device)


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


def _policy(part: checkpoint.Part | None, path: Path, device: str | torch.device) -> GoalPolicy | None:
    if part is None:
        return None
    try:
        config = from_json(GoalPolicyConfig, part.config, where=PROPOSAL)
    except (ConfigError, SpecError) as error:
        raise CheckpointError(f"the policy in {path} cannot be built here: {error}") from error
    return checkpoint.fill(lambda: GoalPolicy(config), part.tensors, f"the policy in {path}").to(device).eval()


def _name(value: object, kind: Any) -> tuple[Named, dict[str, Tensor]]:
    """Return the registered name of an object with its options, and its tensor options separately."""
    name = next((name for name in kind.names() if kind.load(name) is type(value)), None)
    if name is None or not dataclasses.is_dataclass(value):
        known = ", ".join(kind.names())
        raise ConfigError(f"what can be saved are the dataclasses of {kind.__name__} ({known}); got {value!r}.")
    options = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    tensors: dict[str, Tensor] = {}
    for key, option in list(options.items()):
        if isinstance(option, LinearReadout):
            inner = {field.name: getattr(option, field.name) for field in dataclasses.fields(option)}
            tensors |= {f"{key}.{part}": torch.as_tensor(inner.pop(part)) for part in ("weight", "bias")}
            options[key] = {**inner, "r2": [None if math.isnan(one) else one for one in option.r2]}
        elif isinstance(option, Tensor):
            tensors[key] = options.pop(key)
    return Named(name, {key: to_json(option) for key, option in options.items()}), tensors


def _with_readouts(cost: Named, arrays: Mapping[str, Tensor]) -> tuple[Named, dict[str, Any]]:
    """Return a cost without its readouts, and these readouts with their tensors."""
    given: dict[str, Any] = {key: value for key, value in arrays.items() if "." not in key}
    options = dict(cost.options)
    for key in {key.partition(".")[0] for key in arrays if "." in key}:
        inner = options.pop(key, None)
        parts: dict[str, Any] = {part: arrays.get(f"{key}.{part}") for part in ("weight", "bias")}
        if not isinstance(inner, Mapping) or None in parts.values() or set(inner) != {"target", *NUMBERS}:
            raise ConfigError(f"the readout {key!r} of the cost {cost.name!r} is incomplete.")
        numbers = {name: tuple(math.nan if one is None else float(one) for one in inner[name]) for name in NUMBERS}
        given[key] = LinearReadout(str(inner["target"]), **parts, **numbers)
    return dataclasses.replace(cost, options=options), given

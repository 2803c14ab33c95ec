"""The state of an actor between acts, as a value."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit.agent._past import Past
from tacit.errors import ConfigError, SpecError
from tacit.guard import GuardMemory, Trail
from tacit.types import Array, Context, Observation

__all__ = ["AgentState", "numbered"]

Floats: TypeAlias = npt.NDArray[np.float32]


def numbered(worlds: Tensor | npt.NDArray[np.bool_]) -> str:
    """Return the indices of the true entries of ``[B]`` in words: ``world 1, 4``."""
    return f"world {', '.join(str(index) for index in np.flatnonzero(np.asarray(worlds)))}"


@dataclass(frozen=True, eq=False)
class AgentState:
    """The complete memory of an actor; two acts from one state are equal.

    Every field has one entry for each world. Worlds whose episodes began at different times share a batch where their
    :attr:`phase` is equal: see :meth:`stack` and :meth:`unstack`.

    Attributes:
        seeds: ``[B]`` a seed for each world; a decision draws from the noise of it and the step.
        steps: ``[B]`` raw steps taken.
        queue: ``[B, N, A]`` raw actions that are decided and not yet returned.
        falls: ``[B, N]`` flags of the actions that the fallback chooses at their step; the queue holds an estimate.
        failed: ``[B]`` worlds in which the last decision failed.
        left: ``[B]`` number of raw actions of the last valid plan that are not queued yet.
        surprise: ``[B]`` mean squared error of the last prediction; NaN before the first.
        deviated: ``[B]`` worlds in which a returned action differs from that of the block.
        reasons: ``[B]`` the reason why the last decision failed; empty where it did not.
        context: The latents ``[B, T, D]`` of the last block boundaries, at most the model's history, the blocks
            between them, and the state of the carrier; None before the first observation.
        goal: ``[B, D]`` latent of the goal, where there is one.
        partial_goal: A goal that lacks modalities, which each observation completes at a block boundary.
        last_action: ``[B, A]`` the last executed action; None before the first, unless it was given at the start.
        position: ``[B, A]`` the last finite current position of each component; NaN where none is known.
        executed: ``[B, n, A]`` the returned actions of the current block.
        block: ``[B, A']`` the block that is being executed, as it was decided.
        predicted: ``[B, D]`` the latent that the model predicts for the end of it.
        warm_start: ``[B, N, A]`` raw actions of the last plan, shifted to the next decision.
        alerts: ``[B]`` the reason of the guard at the last boundary; empty where the world acts.
        guard: The memory of the guard; None without one.
        trail: Latents and blocks that the guard reads; None before the first observation.
        memory: The snapshot of the memory and the last blocks; None without a memory.
    """

    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    queue: Floats = field(repr=False)
    falls: npt.NDArray[np.bool_] = field(repr=False)
    failed: npt.NDArray[np.bool_] = field(repr=False)
    left: npt.NDArray[np.int64] = field(repr=False)
    surprise: Floats = field(repr=False)
    deviated: npt.NDArray[np.bool_] = field(repr=False)
    reasons: tuple[str, ...] = ()
    context: Context | None = field(default=None, repr=False)
    goal: Tensor | None = field(default=None, repr=False)
    partial_goal: Observation | None = field(default=None, repr=False)
    last_action: Floats | None = field(default=None, repr=False)
    position: Floats | None = field(default=None, repr=False)
    executed: Floats | None = field(default=None, repr=False)
    block: Tensor | None = field(default=None, repr=False)
    predicted: Tensor | None = field(default=None, repr=False)
    warm_start: Tensor | None = field(default=None, repr=False)
    alerts: tuple[str, ...] = ()
    guard: GuardMemory | None = field(default=None, repr=False)
    trail: Trail | None = field(default=None, repr=False)
    memory: Past | None = field(default=None, repr=False)

    @classmethod
    def begin(cls, seeds: Sequence[int], action_size: int) -> AgentState:
        """Return the state of new episodes, one for each seed."""
        batch = len(seeds)
        return cls(
            tuple(seeds),
            (0,) * batch,
            queue=np.zeros((batch, 0, action_size), np.float32),
            falls=np.zeros((batch, 0), np.bool_),
            failed=np.zeros(batch, np.bool_),
            left=np.zeros(batch, np.int64),
            surprise=np.full(batch, np.nan, np.float32),
            deviated=np.zeros(batch, np.bool_),
            reasons=("",) * batch,
            alerts=("",) * batch,
        )

    @property
    def batch(self) -> int:
        """Return the number of worlds ``B``."""
        return len(self.seeds)

    @property
    def phase(self) -> Hashable:
        """Return the shapes of all fields of one world; worlds of equal phase can be stacked."""
        leaves = sorted(_leaves(self).items())
        return tuple((name, tuple(value.shape[1:]), str(value.dtype)) for name, value in leaves if name not in TEXTS)

    @classmethod
    def stack(cls, states: Sequence[AgentState]) -> AgentState:
        """Return one state of the worlds of several states, in their order.

        An actor with ``arrive_by`` also needs worlds with equally many blocks left until then.

        Raises:
            SpecError: if there is no state, or their phases differ.
            ConfigError: if the context of one carries anything but arrays by name.
        """
        if not states:
            raise SpecError("stack needs at least one state.")
        whole = [_leaves(state) for state in states]
        for index, state in enumerate(states):
            if state.phase != states[0].phase:
                raise SpecError(
                    f"states of one phase can be stacked; {_difference(states[0], state)} of state {index} differs "
                    "from that of state 0. Group states by their phase."
                )
        joined = {name: _joined([leaves[name] for leaves in whole]) for name in whole[0]}
        return _built(joined)

    def unstack(self) -> list[AgentState]:
        """Return a state for each world.

        Raises:
            ConfigError: if the context carries anything but arrays by name.
        """
        leaves = _leaves(self)
        return [_built({name: value[row : row + 1] for name, value in leaves.items()}) for row in range(self.batch)]

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the state as NumPy arrays ``[B, ...]`` by name, for an audit log or another process.

        Raises:
            ConfigError: if the context carries anything but arrays by name.
        """
        leaves = _leaves(self).items()
        return {name: np.array(value.cpu().numpy() if isinstance(value, Tensor) else value) for name, value in leaves}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], device: str | torch.device = "cpu") -> AgentState:
        """Return the state of :meth:`to_arrays`.

        Args:
            arrays: Arrays ``[B, ...]`` by name.
            device: The device of the model.

        Raises:
            SpecError: if one is missing or unknown, or their numbers of worlds differ.
        """
        nested = {name for names in NESTED_ARRAYS.values() for name in names}
        known = {one.name for one in fields(cls)} - {"partial_goal", *NESTED} | nested
        required = set(ALWAYS)
        names = {name for name in arrays if not name.startswith((PARTIAL, CARRY))}
        if names - known or required - names:
            raise SpecError(
                f"a state has the arrays {', '.join(sorted(required))} and at most {', '.join(sorted(known))}; got "
                f"{', '.join(sorted(arrays))}."
            )
        if len({len(value) for value in arrays.values()}) != 1:
            raise SpecError("the arrays of a state have one number of worlds; got several.")
        leaves: dict[str, Leaf] = {
            name: torch.from_numpy(value.copy()).to(device)
            if name in TENSORS or name.startswith(CARRY)
            else value.copy()
            for name, value in arrays.items()
        }
        return _built(leaves)


Leaf: TypeAlias = Tensor | Array
TUPLES = {"seeds": np.uint64, "steps": np.int64, "reasons": np.str_, "alerts": np.str_}
"""The fields that are tuples, and the type of their arrays."""
TEXTS = {*TUPLES, "memory.snapshots"}
"""The fields whose types differ with the lengths of texts, in worlds that can be stacked."""
ALWAYS = ("seeds", "steps", "queue", "falls", "failed", "left", "surprise", "deviated", "reasons", "alerts")
NESTED: dict[str, type] = {"context": Context, "guard": GuardMemory, "trail": Trail, "memory": Past}
"""The fields that are values of several arrays."""
NESTED_ARRAYS = {name: [f"{name}.{one.name}" for one in fields(kind)] for name, kind in NESTED.items()}
NESTED_ARRAYS["context"].remove("context.carry")
TENSORS = (*NESTED_ARRAYS["context"], "goal", "block", "predicted", "warm_start", "trail.latents", "trail.blocks")
PARTIAL, CARRY = "partial_goal.", "context.carry."


def _leaves(state: AgentState) -> dict[str, Leaf]:
    """Return the arrays and tensors ``[B, ...]`` of a state by name.

    Raises:
        ConfigError: if the context carries anything but arrays by name.
    """
    found: dict[str, Any] = dict(vars(state))
    found |= {name: np.array(found[name], kind) for name, kind in TUPLES.items()}
    partial = found.pop("partial_goal")
    for name in NESTED:
        if (value := found.pop(name)) is not None:
            found |= {f"{name}.{key}": part for key, part in vars(value).items()}
    carry = found.pop("context.carry", None)
    if carry is not None:
        if not isinstance(carry, Mapping) or not all(isinstance(part, Tensor) for part in carry.values()):
            raise ConfigError(f"a state carries the state of a carrier, tensors by name; got {type(carry).__name__}.")
        found |= {f"{CARRY}{name}": part for name, part in carry.items()}
    if partial is not None:
        found |= {f"{PARTIAL}{name}": np.asarray(value) for name, value in partial.items()}
    return {name: value for name, value in found.items() if value is not None}


def _built(leaves: Mapping[str, Leaf]) -> AgentState:
    """Return the state of its arrays and tensors."""
    values: dict[str, Any] = {name: value for name, value in leaves.items() if "." not in name}
    for name in TUPLES:
        values[name] = tuple(values[name].tolist())
    for name, kind in NESTED.items():
        if any(place in leaves for place in NESTED_ARRAYS[name]):
            values[name] = kind(*(leaves.get(place) for place in NESTED_ARRAYS[name]))
    carry = {name.removeprefix(CARRY): value for name, value in leaves.items() if name.startswith(CARRY)}
    if carry:
        values["context"] = replace(values["context"], carry=carry)
    partial: Any = {name.removeprefix(PARTIAL): v for name, v in leaves.items() if name.startswith(PARTIAL)}
    return AgentState(**values, partial_goal=partial or None)


def _joined(parts: Sequence[Leaf]) -> Leaf:
    """Concatenate arrays or tensors along the axis of worlds."""
    tensors = [part for part in parts if isinstance(part, Tensor)]
    return torch.cat(tensors) if tensors else np.concatenate([np.asarray(part) for part in parts])


def _difference(first: AgentState, other: AgentState) -> str:
    """Return the first field whose shape differs between two states."""
    one, two = (
        {name: (tuple(v.shape[1:]), v.dtype) for name, v in _leaves(state).items() if name not in TEXTS}
        for state in (first, other)
    )
    return next(name for name in sorted({*one, *two}) if one.get(name) != two.get(name))

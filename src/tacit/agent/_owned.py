"""Fitted values that a cost or a constraint owns, such as a readout or a critic, as JSON values and tensors.

A file names only kinds that stand here, so that it cannot choose code to run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from tacit import checkpoint
from tacit._config import from_json, to_json
from tacit.costs._return_critic import ReturnCritic, ReturnCriticConfig
from tacit.costs._temporal_critic import TemporalCritic, TemporalCriticConfig
from tacit.errors import ConfigError
from tacit.nn.readout import LinearReadout

__all__ = ["read_owned", "write_owned"]

Critic = TypeVar("Critic", TemporalCritic, ReturnCritic)
KIND = "kind"
"""The entry with the kind of a value; without it, as in earlier versions, a value is a linear readout."""


@dataclass(frozen=True)
class _Kind:
    """A kind of value: its class, and how it is written and read."""

    type: type
    write: Callable[[Any], tuple[dict[str, Any], dict[str, Tensor]]]
    read: Callable[[Mapping[str, Any], Mapping[str, Tensor]], Any]


def write_owned(value: object) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """Return the JSON values and the tensors of a value; None if it is of no such kind."""
    for name, kind in KINDS.items():
        if isinstance(value, kind.type):
            values, tensors = kind.write(value)
            return ({} if name == READOUT else {KIND: name}) | values, tensors
    return None


def read_owned(values: object, tensors: Mapping[str, Tensor]) -> Any:
    """Return the value of :func:`write_owned`.

    Raises:
        ConfigError: if it is incomplete, or of an unknown kind.
        CheckpointError: if its tensors do not fit.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"the values must be a mapping; got {type(values).__name__}.")
    name = values.get(KIND, READOUT)
    if name not in KINDS:
        raise ConfigError(f"there is no kind {name!r}; there are {', '.join(KINDS)}. Update Tacit to load this agent.")
    return KINDS[name].read({key: value for key, value in values.items() if key != KIND}, tensors)


def _write_critic(critic: TemporalCritic | ReturnCritic) -> tuple[dict[str, Any], dict[str, Tensor]]:
    return {"config": to_json(critic.config)}, critic.state_dict()


def _read_critic(values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> TemporalCritic:
    config = from_json(TemporalCriticConfig, _config_of(values), where="critic")
    return _filled(lambda: TemporalCritic(config), tensors)


def _read_return_critic(values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> ReturnCritic:
    config = from_json(ReturnCriticConfig, _config_of(values), where="critic")
    return _filled(lambda: ReturnCritic(config), tensors)


def _config_of(values: Mapping[str, Any]) -> Any:
    if set(values) != {"config"}:
        raise ConfigError("it is incomplete.")
    return values["config"]


def _filled(build: Callable[[], Critic], tensors: Mapping[str, Tensor]) -> Critic:
    device = next(iter(tensors.values())).device
    return checkpoint.fill(build, tensors, "the critic of the agent").to(device).eval()


READOUT = "linear_readout"
KINDS = {
    READOUT: _Kind(LinearReadout, LinearReadout.pack, LinearReadout.unpack),
    "temporal_critic": _Kind(TemporalCritic, _write_critic, _read_critic),
    "return_critic": _Kind(ReturnCritic, _write_critic, _read_return_critic),
}

"""Proposals of saved agents as JSON values and tensors.

A file names only kinds that stand here, so that it cannot choose code to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tacit import checkpoint
from tacit._config import from_json, to_json
from tacit.agent._proposal import Proposal
from tacit.agent._proposals import MixedProposals, RecordedProposals
from tacit.agent._stored_proposals import StoredProposals
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.models.goal_policy import GoalPolicy, GoalPolicyConfig

__all__ = ["read_proposal", "write_proposal"]

KIND = "kind"
"""The entry with the kind of a proposal; without it, as in earlier versions, a proposal is a policy."""
RECORDED, STORED, MIXED = "recorded", "stored", "mixed"


@dataclass(frozen=True)
class _Stored:
    """The settings of stored proposals."""

    pool: int
    exact: bool


def write_proposal(proposal: object) -> checkpoint.Part | None:
    """Return a proposal as JSON values and tensors; None if it is of a class that cannot be saved."""
    if isinstance(proposal, GoalPolicy):
        return checkpoint.Part(to_json(proposal.config), proposal.state_dict())
    if isinstance(proposal, RecordedProposals):
        return checkpoint.Part({KIND: RECORDED}, {"latents": proposal.latents, "blocks": proposal.blocks})
    if isinstance(proposal, StoredProposals):
        return checkpoint.Part({KIND: STORED, "pool": proposal.pool, "exact": proposal.exact}, {})
    if not isinstance(proposal, MixedProposals):
        return None
    sources = [None if isinstance(one, MixedProposals) else write_proposal(one) for one in proposal.sources]
    known = [part for part in sources if part is not None]
    if len(known) < len(sources):
        return None
    values = {KIND: MIXED, "shares": list(proposal.shares), "sources": [part.config for part in known]}
    return checkpoint.Part(
        values, {f"{index}.{name}": value for index, part in enumerate(known) for name, value in part.tensors.items()}
    )


def read_proposal(part: checkpoint.Part, path: Path, device: str | torch.device) -> Proposal:
    """Return the proposal of :func:`write_proposal`.

    Raises:
        CheckpointError: if it is incomplete, or of an unknown kind.
    """
    try:
        if isinstance(part.config, Mapping) and part.config.get(KIND) == MIXED:
            return _mixed(part, path, device)
        return _single(part, path, device)
    except (ConfigError, SpecError) as error:
        raise CheckpointError(f"the policy in {path} cannot be built here: {error}") from error


def _mixed(part: checkpoint.Part, path: Path, device: str | torch.device) -> MixedProposals:
    sources, shares = part.config.get("sources"), part.config.get("shares")
    if set(part.config) != {KIND, "sources", "shares"} or not isinstance(sources, list) or not isinstance(shares, list):
        raise ConfigError("mixed proposals have a list of sources and one of shares.")
    if not all(isinstance(share, (int, float)) for share in shares):
        raise ConfigError(f"shares are numbers; got {shares}.")
    found = []
    for index, values in enumerate(sources):
        prefix = f"{index}."
        own = {name.removeprefix(prefix): value for name, value in part.tensors.items() if name.startswith(prefix)}
        found.append(_single(checkpoint.Part(values, own), path, device))
    return MixedProposals(tuple(found), tuple(shares))


def _single(part: checkpoint.Part, path: Path, device: str | torch.device) -> Proposal:
    values: Any = part.config
    if not isinstance(values, Mapping) or KIND not in values:
        config = from_json(GoalPolicyConfig, values, where="proposal")
        return checkpoint.fill(lambda: GoalPolicy(config), part.tensors, f"the policy in {path}").to(device).eval()
    if values[KIND] == STORED:
        settings = from_json(_Stored, {key: value for key, value in values.items() if key != KIND}, where="proposal")
        return StoredProposals(settings.pool, settings.exact)
    if values != {KIND: RECORDED}:
        raise ConfigError(f"there is no kind of proposal {values[KIND]!r}. Update Tacit to load this agent.")
    if set(part.tensors) != {"latents", "blocks"}:
        raise ConfigError(f"recorded proposals hold latents and blocks; got {', '.join(part.tensors) or 'nothing'}.")
    return RecordedProposals(*(part.tensors[name].to(device, torch.float32) for name in ("latents", "blocks")))

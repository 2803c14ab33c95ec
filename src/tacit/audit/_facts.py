"""Facts about an actor and its machine, which begin every segment of a log."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Any

import torch
from torch import nn

from tacit._resources import processor
from tacit.agent import Agent, BlockActor
from tacit.checkpoint import provenance
from tacit.nn._choice import kernel_choice
from tacit.nn.digest import digest

__all__ = ["actor_digest", "facts_of", "saved_agent"]


def facts_of(actor: BlockActor) -> dict[str, Any]:
    """Return the hash of an actor, the versions of the software, and the machine."""
    return {
        "actor": type(actor).__name__,
        "agent": actor_digest(actor),
        "versions": {**provenance()["versions"], "torch": torch.__version__},
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cpu": processor(),
            "capability": torch.backends.cpu.get_cpu_capability(),
            "device": str(actor.model.device),
            "kernels": asdict(kernel_choice()),
        },
        "threads": torch.get_num_threads(),
    }


def saved_agent(digest: str) -> str:
    """Return the place of a saved agent in the folder of its log, given its hash."""
    return f"agents/{digest[:16]}"


def actor_digest(actor: BlockActor) -> str:
    """Return the digest of an agent; that of another actor covers its class and the weights of its model."""
    if isinstance(actor, Agent):
        return actor.digest()
    weights = actor.model.state_dict() if isinstance(actor.model, nn.Module) else {}
    return digest([type(actor).__qualname__, type(actor.model).__qualname__], weights)

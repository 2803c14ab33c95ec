"""Repeat the decisions of an audit log and compare them bit for bit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro

__all__ = ["replay"]


def replay(
    audit: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="AUDIT")],
    /,
    *,
    agent: Path | None = None,
    frames: bool = False,
    device: str = "cpu",
) -> None:
    """Repeat every recorded act of an agent, and report what differs.

    For example: tacit replay audit

    The exit code is 1 if an act differs or the chain of records is broken.

    Args:
        audit: The folder of the log.
        agent: The directory of the agent, or of its run; the agent saved in the folder of the log by default.
        frames: Encode the recorded observations again.
        device: cpu, cuda, cuda:1, mps or auto.
    """
    import tacit as tc
    from tacit.cli._run import device as chosen

    on = chosen(device)
    result = tc.audit.replay(audit, tc.Agent.load(agent, on) if agent else None, frames=frames, device=on)
    print(result)
    if not result.identical:
        sys.exit(1)

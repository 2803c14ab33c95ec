"""Readouts for goals of the command line: saved, of the agent, of a probe, or fitted on the data of the run."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tacit.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    from tacit.agent import Agent
    from tacit.types import Readout

__all__ = ["place_of", "readout_of"]


def place_of(report: Path, name: str) -> Path:
    """Return the directory of the readout of a quantity in the report of a probe."""
    return report / "readouts" / quote(name, safe="").replace(".", "%2E")


def readout_of(name: str, agent: Agent, run: Path, saved: Sequence[Path]) -> Readout:
    """Return a readout of a quantity for the model of an agent.

    Args:
        name: The quantity.
        agent: The agent.
        run: The directory of its run, or of the agent.
        saved: Directories of saved readouts, which come first.

    Raises:
        ConfigError: if there is none, and no data to fit one on.
        CheckpointError: if a saved one cannot be read, or belongs to another model.
    """
    import tacit as tc

    model: Any = agent.model
    given = [tc.probing.load_readout(path, model) for path in saved]
    for one in given:
        if one.target == name:
            return one
    if given:
        raise ConfigError(f"--goal needs a readout of {name!r}; --readout reads {', '.join(x.target for x in given)}.")
    if (own := next((one for one in _owned(agent) if one.target == name), None)) is not None:
        return own
    probed = place_of(run / "probe", name)
    if probed.exists():
        return tc.probing.load_readout(probed, model)
    if not (run / "run.json").exists():
        raise ConfigError(
            f"{name!r} is no modality of the model ({', '.join(agent.model.spec.modalities)}), and there is no readout "
            f"of it. Fit one with: tacit probe RUN --target {name}; then name it: --readout "
            f"{place_of(Path('RUN/probe'), name)}"
        )
    return _fitted(name, model, run)


def _owned(agent: Agent) -> Iterator[Readout]:
    """Yield the readouts of the cost and the constraints of an agent."""
    from tacit.constraints._margins import ReadoutConstraint
    from tacit.costs import CostTerm, QuantityCost

    cost = agent.config.cost
    for term in cost.terms() if isinstance(cost, CostTerm) else ():
        if isinstance(term.cost, QuantityCost):
            yield term.cost.readout
    for constraint in agent.config.constraints:
        if isinstance(constraint, ReadoutConstraint):
            yield constraint.readout


def _fitted(name: str, model: Any, path: Path) -> Readout:
    """Return a readout that is fitted on the data of a run, with a message."""
    import tacit as tc

    run = tc.runs.open(path)
    try:
        found = tc.probing.fit(model, run.train, name, held_out=run.held_out)
    except (tc.errors.DataError, OSError) as error:
        raise CheckpointError(
            f"no readout of {name!r} can be fitted on the data of {path}: {error} If the data are elsewhere now: tacit "
            f"probe {path} --target {name} --data DATASET"
        ) from error
    print(f"{found}, fitted on the data of {path}. Keep one with: tacit probe {path} --target {name}", file=sys.stderr)
    return found

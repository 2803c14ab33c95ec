"""Replay of a log: every recorded act is repeated and compared bit for bit."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tacit._files import parse_json, resolve
from tacit.agent import Agent, AgentState, BlockActor
from tacit.audit._differences import differences
from tacit.audit._facts import facts_of, saved_agent
from tacit.audit._outcome import OUTCOME, WINDOW
from tacit.audit._repeating import Repeating
from tacit.audit._values import decoded, encoded
from tacit.audit.records import Record, read
from tacit.errors import CheckpointError, ConfigError, DataError, TacitError

__all__ = ["Difference", "Replay", "replay"]

SHOWN = 20
"""The number of differences that a replay keeps."""


@dataclass(frozen=True)
class Difference:
    """A place where a repeated act differs from its record.

    Attributes:
        record: The number of the record.
        file: The segment that holds it.
        line: Its line there.
        part: The part of the outcome, such as ``plan.actions``.
        size: The largest absolute difference of its numbers; infinite where they cannot be compared.
    """

    record: int
    file: Path
    line: int
    part: str
    size: float

    def __str__(self) -> str:
        return f"{self.file.name}, line {self.line}, record {self.record}: {self.part} differs by {self.size:.3g}"


@dataclass(frozen=True)
class Replay:
    """The result of a replay.

    Attributes:
        acts: Acts that were repeated.
        decisions: Those that made a plan.
        different: Acts whose outcome differs in some part.
        largest: The largest difference of each part that differs; infinite where values cannot be compared.
        first: The first differences.
        changed: The versions and parts of the machine that are other ones than in the log, with the recorded and the
            present value.
        broken: The broken link of the chain in words; empty if the chain is whole. All acts before it were repeated.
        closed: Whether the log was closed.
        lost: Acts without a record, as the log says.
    """

    acts: int
    decisions: int
    different: int
    largest: Mapping[str, float]
    first: tuple[Difference, ...] = field(repr=False)
    changed: Mapping[str, tuple[str, str]]
    broken: str
    closed: bool
    lost: int

    @property
    def identical(self) -> bool:
        """Return whether the chain is whole and every act was repeated bit for bit."""
        return not self.broken and not self.different

    def __str__(self) -> str:
        rows = [f"{self.acts} acts, {self.decisions} of them with a plan: {self.acts - self.different} identical"]
        rows += [f"  {name}: {before} in the log, {now} here" for name, (before, now) in self.changed.items()]
        rows += [f"  {part}: largest difference {size:.3g}" for part, size in sorted(self.largest.items())]
        rows += [f"  {one}" for one in self.first]
        if self.lost:
            rows.append(f"{self.lost} acts have no record: the log could not be written")
        if self.broken:
            rows.append(f"broken chain: {self.broken}")
        elif not self.closed:
            rows.append("not closed: the process was killed or still runs, or the last records were removed")
        return "\n".join(rows)


def replay(
    path: str | os.PathLike[str], agent: BlockActor | None = None, *, frames: bool = False, device: str = "cpu"
) -> Replay:
    """Repeat the acts of a log and compare them with their records.

    The actor is given the recorded latents. A search that a deadline stopped is stopped after as many candidates. On
    the machine and the versions of the log every act is the same, bit for bit; on others the floating-point numbers may
    differ.

    Args:
        path: The folder of the log.
        agent: The actor that wrote it; None: the agent that was saved in the folder.
        frames: Encode the recorded observations again. The log was written with ``frames=True``.
        device: The device of a saved agent.

    Raises:
        DataError: if there is no log.
        CheckpointError: if no agent was given, and none was saved.
        ConfigError: for ``frames``, if the log holds none; or if the agent cannot act from a recorded state.
    """
    return _Replaying(resolve(path), agent, frames, device).run()


class _Replaying:
    """The state of a replay; see :func:`replay`."""

    def __init__(self, folder: Path, agent: BlockActor | None, frames: bool, device: str) -> None:
        self._folder, self._agent, self._frames, self._device = folder, agent, frames, device
        self._states: dict[int, AgentState] = {}
        self._repeating: tuple[str, Repeating] | None = None
        self._counts: Counter[str] = Counter()
        self._largest: dict[str, float] = {}
        self._first: list[Difference] = []
        self._changed: dict[str, tuple[str, str]] = {}

    def run(self) -> Replay:
        """Return the result."""
        broken, last, records = "", "", read(self._folder)
        first = next(records)  # without a log there is no result
        self._take(first)
        try:
            for record in records:
                last = record.kind
                self._take(record)
        except DataError as error:
            broken = str(error)
        counts = self._counts
        return Replay(
            acts=counts["acts"],
            decisions=counts["decisions"],
            different=counts["different"],
            largest=self._largest,
            first=tuple(self._first),
            changed=self._changed,
            broken=broken,
            closed=last == "end",
            lost=counts["lost"],
        )

    def _take(self, record: Record) -> None:
        try:
            self._repeated(record)
        except (KeyError, TypeError, AttributeError) as error:
            where = f"{record.file}, line {record.line}, record {record.number}"
            raise DataError(f"{where}: a member is missing or of another kind ({error!r}).") from error

    def _repeated(self, record: Record) -> None:
        values = record.values
        self._counts["lost"] += int(values.get("lost", 0))
        if record.kind == "segment":
            self._begin(values)
        elif record.kind == "start":
            state, again = self._repeat.start(values)
            self._compare(record, {"start": state.to_arrays()}, {"start": again.to_arrays()})
            self._keep(record, again)
        elif record.kind == "act":
            self._act(record)

    @property
    def _repeat(self) -> Repeating:
        if self._repeating is None:
            raise DataError(f"{self._folder}: the first record is not that of a segment.")
        return self._repeating[1]

    def _begin(self, values: Mapping[str, Any]) -> None:
        """Prepare the actor of a segment, and compare versions and machine with those here."""
        if self._frames and not values["frames"]:
            raise ConfigError(
                f"{self._folder} holds no frames. Replay it without, or write the log with Log(path, frames=True)."
            )
        digest = str(values["agent"])
        if self._repeating is not None and self._repeating[0] == digest:
            return
        actor = self._agent or self._saved(digest)
        here = facts_of(actor)
        for name in ("actor", "agent", "versions", "machine"):
            now = decoded(parse_json(encoded(here[name])))
            for key, before, after in _leaves(name, values.get(name), now):
                if before != after:
                    self._changed[key] = (before, after)
        self._repeating = digest, Repeating(actor, self._frames, int(values["threads"]))

    def _saved(self, digest: str) -> BlockActor:
        place = self._folder / saved_agent(digest)
        if not place.exists():
            raise CheckpointError(
                f"{self._folder} holds no saved agent, since it has parts that a file cannot hold. Give the agent: "
                "tc.audit.replay(path, agent)."
            )
        return Agent.load(place, self._device)

    def _act(self, record: Record) -> None:
        values, reference = record.values, record.values["state"]
        if isinstance(reference, int):
            if reference not in self._states:
                raise DataError(f"{record.file}, line {record.line}: refers to the state of record {reference}.")
            state = self._states[reference]
        else:
            state = self._repeat.state(reference)
        try:
            text, after = self._repeat.act(state, values)
        except (RuntimeError, ValueError, TacitError) as error:
            raise ConfigError(
                f"{record.file}, line {record.line}, record {record.number}: the agent cannot repeat this act: {error} "
                "Give the agent that wrote the log."
            ) from error
        found = decoded(parse_json(text))
        self._compare(record, {name: values[name] for name in OUTCOME if name in values}, found)
        self._counts["acts"] += 1
        self._counts["decisions"] += "plan" in values
        self._keep(record, after)

    def _compare(self, record: Record, expected: Any, found: Any) -> None:
        different = list(differences(expected, found))
        self._counts["different"] += bool(different)
        for part, size in different:
            self._largest[part] = max(size, self._largest.get(part, 0.0))
            if len(self._first) < SHOWN:
                self._first.append(Difference(record.number, record.file, record.line, part, size))

    def _keep(self, record: Record, state: AgentState) -> None:
        self._states[record.number] = state
        self._states.pop(record.number - WINDOW, None)


def _leaves(name: str, before: Any, now: Any) -> list[tuple[str, str, str]]:
    """Return the texts of two values, or of each member of two mappings, by name."""
    if not isinstance(before, Mapping) or not isinstance(now, Mapping):
        return [(name, str(before), str(now))]
    return [(key, str(before.get(key, "-")), str(now.get(key, "-"))) for key in {**before, **now}]

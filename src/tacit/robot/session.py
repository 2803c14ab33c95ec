"""One run of a control loop, cycle by cycle."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.agent import BlockActor
from tacit.audit import Audited
from tacit.errors import PlanningError
from tacit.robot.clock import Clock
from tacit.robot.commands import Commands, Write
from tacit.robot.executed import after
from tacit.robot.recording import Recording
from tacit.robot.report import LoopReport, Percentiles
from tacit.robot.sensors import Reading, Sensors
from tacit.robot.settings import Faults, Reaction
from tacit.types import Observation

__all__ = ["FaultStop", "Session", "Tally"]


AGENT = "agent"
"""The source of the commands that are no reaction to a fault."""
STOP_ATTEMPTS = 3
"""The number of attempts to write the safe stop."""


class FaultStop(Exception):
    """The end of a run by a fault."""


@dataclass
class Tally:
    """Counts and durations in seconds of a run."""

    read: list[float] = field(default_factory=list)
    plan: list[float] = field(default_factory=list)
    write: list[float] = field(default_factory=list)
    cycle: list[float] = field(default_factory=list)
    jitter: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    problems: Counter[str] = field(default_factory=Counter)
    clipped: npt.NDArray[np.int64] | None = None

    def report(self, ended: str, reason: str, hz: float, seconds: float, stopped: bool, episodes: int) -> LoopReport:
        """Return the report of the run."""
        durations = {"read": self.read, "plan": self.plan, "write": self.write, "cycle": self.cycle}
        counted = {name: self.counts[name] for name in ("missed", "late", "lost", "frozen", "clipped", "invalid")}
        return LoopReport(
            ended,
            reason,
            hz,
            len(self.jitter),
            seconds,
            **counted,
            clipped_components=() if self.clipped is None else tuple(self.clipped.tolist()),
            stopped=stopped,
            sources=dict(self.sources),
            decisions=dict(self.decisions),
            problems=dict(self.problems.most_common(20)),
            latency={name: Percentiles.of(values) for name, values in durations.items()},
            jitter=Percentiles.of(self.jitter),
            episodes=episodes,
        )


class Session:
    """One run: it holds the state of the agent, the last command and the counts.

    Args:
        actor: The agent.
        sensors: The source of observations.
        commands: The limits and substitutes of commands.
        write: Executes a command ``[A]``.
        clock: The clock.
        faults: The reactions to faults.
        recording: Records the cycles; None: nothing is recorded.
    """

    def __init__(
        self,
        actor: BlockActor | Audited,
        sensors: Sensors,
        commands: Commands,
        write: Write,
        clock: Clock,
        faults: Faults,
        recording: Recording | None,
    ) -> None:
        self._actor, self._sensors, self._commands, self._write = actor, sensors, commands, write
        self._clock, self._faults, self._recording = clock, faults, recording
        self._planner = clock.worker("tacit-plan")
        self._state: Any = None
        self._faulty = 0
        self.tally = Tally()

    def start(self, seed: int, goal: Observation | None) -> None:
        """Start the agent, and let it act once on a first observation without effect, since first acts are slow.

        Raises:
            FaultStop: if there is no complete observation.
        """
        given = None if goal is None else {name: np.asarray(value)[None] for name, value in goal.items()}
        self._state = self._actor.start(seed=seed, goal=given)
        reading = self._sensors.next(self._clock.now() + 10.0)
        if reading.observation is None:
            raise FaultStop(f"no first observation: {reading.reason}")
        first = _batched(reading.observation)
        self._commands.observed(first)
        if isinstance(self._actor, BlockActor):
            self._planner.begin(lambda: self._actor.act(self._state, first))
            while not self._planner.done(self._clock.now() + 1.0):
                pass
            self._planner.take()

    def cycle(self, due: float, period: float) -> None:
        """Do one cycle: read, plan and write.

        Args:
            due: The time at which it should begin.
            period: Seconds of a cycle.

        Raises:
            FaultStop: if a reaction is ``stop`` or the patience is at its end.
        """
        self._clock.wait(due)
        began, faults = self._clock.now(), self._faults
        self.tally.jitter.append(began - due)
        wait = period / 2 if faults.read_ms is None else faults.read_ms / 1e3
        reading = self._sensors.next(due + wait)
        observation = None
        if reading.observation is not None:
            self.tally.read.append(reading.seconds)
            observation = _batched(reading.observation)
            self._commands.observed(observation)
        if reading.fault:
            self.tally.counts[reading.fault] += 1
            reaction = faults.lost if reading.fault == "lost" else faults.frozen
            action, source = self._react(reaction, reading.reason), str(reaction)
        else:
            action, source = self._planned(observation, reading, due + period * faults.deadline)
        self._send(action, source, reading)
        self.tally.cycle.append(self._clock.now() - began)

    def cut(self) -> None:
        """End the recorded episode, after missed cycles."""
        if self._recording is not None:
            self._recording.cut()

    def safe_stop(self) -> bool:
        """Write the action of the safe stop and return True; False if nothing was observed that says what it is.

        It is written again if Ctrl-C interrupts it.
        """
        try:
            action = self._commands.safe_stop()
        except PlanningError:  # only before the first observation and command
            return False
        for _ in range(STOP_ATTEMPTS - 1):
            with suppress(KeyboardInterrupt):
                self._write(action)
                return True
        self._write(action)
        return True

    def close(self) -> None:
        """Stop the workers and complete the recording."""
        self._sensors.close()
        self._planner.close()
        if self._recording is not None:
            self._recording.close()

    def report(self, ended: str, reason: str, hz: float, seconds: float, stopped: bool) -> LoopReport:
        """Return the report; see :class:`tacit.robot.LoopReport`."""
        episodes = 0 if self._recording is None else self._recording.episodes
        return self.tally.report(ended, reason, hz, seconds, stopped, episodes)

    def _planned(self, observation: Observation | None, reading: Reading, until: float) -> tuple[Any, str]:
        """Return the action of the agent, or of the reaction to a late plan, and its source."""
        if not self._planner.busy:
            state, age = self._state, reading.age
            self._planner.begin(lambda: self._timed(state, observation, age))
        if not self._planner.done(until):
            self.tally.counts["late"] += 1
            return self._react(self._faults.late, "the plan was late"), self._faults.late
        seconds, (action, verdict, self._state) = self._planner.take()
        self.tally.plan.append(seconds)
        self.tally.decisions[verdict.decision[0]] += 1
        if verdict.reason:
            self.tally.problems[verdict.reason] += 1
        self._faulty = 0
        return action[0], AGENT

    def _timed(self, state: Any, observation: Any, age: float) -> tuple[float, Any]:
        began = self._clock.now()
        result = self._actor.act(state, observation, age)
        return self._clock.now() - began, result

    def _react(self, reaction: Reaction, reason: str) -> Any:
        """Return the action of a reaction to a fault.

        Raises:
            FaultStop: if it is ``stop``, or there were too many consecutive faults.
        """
        self.tally.problems[reason] += 1
        self._faulty += 1
        if reaction == "stop":
            raise FaultStop(reason)
        if self._faults.patience is not None and self._faulty >= self._faults.patience:
            raise FaultStop(f"{self._faulty} consecutive cycles with a fault, the last one: {reason}")
        return self._commands.substitute(reaction)

    def _send(self, action: Any, source: str, reading: Reading) -> None:
        """Write an action within the limits, and count and record it."""
        command, tally = self._commands.within(action), self.tally
        began = self._clock.now()
        self._write(command.action.copy())
        tally.write.append(self._clock.now() - began)
        self._commands.executed(command.action)
        if source == AGENT and command.clipped.any():
            self._state = after(self._state, command.action)
        tally.sources[source] += 1
        tally.counts["clipped"] += int(command.clipped.any())
        tally.counts["invalid"] += int(command.invalid)
        tally.clipped = command.clipped.astype(np.int64) + (0 if tally.clipped is None else tally.clipped)
        if self._recording is not None:
            self._recording.add(reading.observation, command.action)


def _batched(observation: Observation) -> Observation:
    return {name: np.asarray(value)[None] for name, value in observation.items()}

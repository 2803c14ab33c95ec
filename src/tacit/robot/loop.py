"""Control loop of a robot: read, plan and write at a fixed rate."""

from __future__ import annotations

import math
import os

from tacit.agent import BlockActor
from tacit.audit import Audited
from tacit.errors import ConfigError
from tacit.robot.clock import Clock, SystemClock
from tacit.robot.commands import Commands, Write
from tacit.robot.recording import Recording
from tacit.robot.report import LoopReport
from tacit.robot.sensors import Read, Sensors
from tacit.robot.session import FaultStop, Session
from tacit.robot.settings import Faults, Limits
from tacit.types import Observation

__all__ = ["Loop"]


class Loop:
    """Control loop that reads an observation, asks the agent and writes its action, at a fixed rate.

    Cycle ``k`` begins at ``start + k / hz``, so delays do not add up. An observation and a plan have deadlines of their
    own; where one is missing, a reaction of :class:`tacit.robot.Faults` is written instead. Every command is within the
    limits. A run ends by writing the action that does nothing, whatever ended it: the last cycle, a fault, an error or
    Ctrl-C.

    ``read`` and the agent run in threads of their own, ``write`` in the thread of :meth:`run`.

    Args:
        agent: An agent or another :class:`tacit.agent.BlockActor`, audited or not. Choose its ``deadline_ms`` below
            the length of a cycle.
        read: Returns one observation: the arrays of all modalities of the Spec by name, without a batch axis. None, an
            error or a missing modality count as a lost observation.
        write: Executes one action ``[A]``, float32.
        hz: Cycles per second; one cycle is one step of the model.
        limits: Limits of commands besides the action space.
        faults: Reactions to late plans, lost observations and frozen cameras.
        record: The path of a dataset to record episodes to; None: nothing is recorded.
        clock: The clock, for tests; see :class:`tacit.testing.clocks.VirtualClock`.

    Raises:
        ConfigError: if an option is out of range, the limits do not fit, or the Spec does not define the action that
            does nothing.
    """

    def __init__(
        self,
        agent: BlockActor | Audited,
        read: Read,
        write: Write,
        hz: float = 20.0,
        *,
        limits: Limits | None = None,
        faults: Faults | None = None,
        record: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._inner = agent.actor if isinstance(agent, Audited) else agent
        if not isinstance(self._inner, BlockActor):
            raise ConfigError(f"a loop needs a tc.Agent or another BlockActor; got a {type(agent).__name__}.")
        if not (math.isfinite(hz) and hz > 0):
            raise ConfigError(f"hz is a number of cycles per second above 0; got {hz}.")
        self._agent, self._read, self._write, self.hz = agent, read, write, float(hz)
        self._limits, self._faults = limits or Limits(), faults or Faults()
        self._record, self._clock = record, clock or SystemClock()
        self.report: LoopReport | None = None
        """The report of the last run, also of one that ended by an error; None before the first."""
        self._commands()

    def run(
        self, cycles: int | None = None, *, seconds: float | None = None, goal: Observation | None = None, seed: int = 0
    ) -> LoopReport:
        """Run the loop and return its report.

        Args:
            cycles: The number of cycles, with those that are missed; None: until something ends the run.
            seconds: The duration in place of the number of cycles.
            goal: An observation of the goal, without a batch axis.
            seed: The seed of the agent.

        Raises:
            ConfigError: if both ``cycles`` and ``seconds`` are given, or one is not above 0.
            Exception: an error of the agent or of ``write``, after the safe stop; :attr:`report` holds the report.
        """
        last, spec = self._last(cycles, seconds), self._inner.model.spec
        recording = None if self._record is None else Recording(self._record, spec, self.hz)
        sensors = Sensors(self._read, spec, self._clock, self._faults.frozen_after)
        session = Session(self._agent, sensors, self._commands(), self._write, self._clock, self._faults, recording)
        began, error = self._clock.now(), None
        try:
            session.start(seed, goal)
            began = self._clock.now()
            self._cycles(session, began, last)
        except BaseException as found:  # the robot stops first, whatever it is
            error = found
        stopped, took = False, self._clock.now() - began
        try:
            stopped = session.safe_stop()
        except Exception as failure:
            failure.add_note("The safe stop could not be written: the robot may still execute the last command.")
            error = failure if error is None or isinstance(error, (FaultStop, KeyboardInterrupt)) else error
        try:
            session.close()
        finally:
            self.report = session.report(*_end(error), self.hz, took, stopped)
        if error is not None and not isinstance(error, (FaultStop, KeyboardInterrupt)):
            raise error
        return self.report

    def _cycles(self, session: Session, began: float, last: float) -> None:
        period, cycle = 1 / self.hz, 0
        while cycle < last:
            session.cycle(began + cycle * period, period)
            now = self._clock.now()
            # the first cycle whose start is not past, with room for rounding
            following = max(cycle + 1, math.ceil((now - began) * self.hz - 1e-6))
            session.tally.counts["missed"] += int(min(following, last)) - cycle - 1
            if following > cycle + 1:
                session.cut()
            cycle = following

    def _commands(self) -> Commands:
        return Commands(self._inner.model.spec, self._inner.fallback, self._limits, self.hz)

    def _last(self, cycles: int | None, seconds: float | None) -> float:
        if cycles is not None and seconds is not None:
            raise ConfigError("run takes cycles or seconds; got both.")
        last = math.inf if cycles is None else float(cycles)
        if seconds is not None:
            last = float(round(seconds * self.hz))
        if not last > 0:
            raise ConfigError(f"run needs at least one cycle; got cycles={cycles}, seconds={seconds}.")
        return last


def _end(error: BaseException | None) -> tuple[str, str]:
    """Return how a run ended, and the reason in words."""
    if error is None:
        return "complete", ""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "KeyboardInterrupt"
    return ("fault", str(error)) if isinstance(error, FaultStop) else ("error", f"{type(error).__name__}: {error}")

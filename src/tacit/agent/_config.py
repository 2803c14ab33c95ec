"""The settings of an agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tacit._limits import HORIZON, SAMPLES, limited
from tacit.agent._fallback import NamedFallback
from tacit.agent._macro_search import MacroSearch
from tacit.agent._sub_goals import SubGoals
from tacit.errors import ConfigError
from tacit.guard import Guard
from tacit.types import ActionConstraint, Carrier, Constraint, Cost, FallbackPolicy, MarginConstraint, Planner, Store

__all__ = ["AgentConfig"]


@dataclass(frozen=True)
class AgentConfig:
    """The settings of an agent.

    Attributes:
        planner: The planner of raw actions; it receives only scores.
        cost: Energy of imagined latents.
        horizon: Blocks to plan ahead.
        replan_every: Blocks to execute before planning again.
        repeat_action: The planner searches one raw action per block, which is repeated ``frameskip`` times; otherwise
            every raw action is free, and a plan has ``horizon * frameskip`` rows.
        arrive_by: Step after the start by which the agent must arrive. The agent plans only as many whole blocks ahead
            as end by this step, at least one. With a cost of the ``last`` step, it then neither delays its arrival nor
            leaves the goal again. None: no such step.
        deadline_ms: Milliseconds from the call of :meth:`tacit.Agent.act`, with the time to encode the observation,
            after which the search ends with the best plan so far. The clock is read after each chunk of candidates; a
            search ends when another chunk might take too long, and at least one is rated. None: no limit.
        precision: ``float32``; or ``low``: on a CPU that is clearly faster in bfloat16, a search scores its candidates
            in that, and the best of them again in float32. The plans then depend on the CPU.
        fallback: Actions of a world without a plan. ``noop``: do nothing by the kind of each component, which is its
            current position for a ``position`` and zero otherwise; ``last_action``: repeat the last executed action; or
            a :class:`tacit.types.FallbackPolicy`; if it fails, one of the others replaces it. None: ``noop``, but
            :meth:`tacit.Agent.start` raises an error if the Spec does not define the action that does nothing.
        constraints: Constraints on actions of a :class:`tacit.types.Box`, such as those of :mod:`tacit.constraints`;
            every candidate of a search and every action satisfies them. Also constraints on rollouts
            (:class:`tacit.types.Constraint`): a plan that breaks one is never executed, whatever its cost. Where no
            candidate satisfies them, the fallback acts.
        guard: The detector of unusual situations, in which a world slows down or stops; None: there is none.
        memory: What the agent has experienced; its proposals read it, and :meth:`tacit.Agent.remember` appends to it.
            None: there is none.
        sub_goals: Sub-goals for goals that are far away; None: the planner always looks at the goal itself.
        carrier: A memory that is written at every block boundary and that costs and policies read, such as those of
            :mod:`tacit.memory.carriers`; None: there is none.
        proposals: Candidates that the proposal suggests for the first round of each search, in addition to those of the
            planner; 10 to 20 % of these are usual.

    Raises:
        ConfigError: unless ``1 <= replan_every <= horizon``, if a limit is not above 0, or for another precision.
    """

    planner: Planner
    cost: Cost
    horizon: int
    replan_every: int = 1
    repeat_action: bool = False
    arrive_by: int | None = None
    deadline_ms: float | None = None
    precision: Literal["float32", "low"] = "float32"
    fallback: NamedFallback | FallbackPolicy | None = None
    constraints: tuple[ActionConstraint | Constraint, ...] = ()
    guard: Guard | None = None
    proposals: int = 16
    memory: Store | None = None
    sub_goals: MacroSearch | SubGoals | None = None
    carrier: Carrier | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "constraints", tuple(self.constraints))
        limited("Agent", HORIZON, horizon=self.horizon)
        limited("Agent", SAMPLES, proposals=self.proposals)
        if self.proposals < 1:
            raise ConfigError(f"proposals is a number of candidates, at least 1; got {self.proposals}.")
        if self.precision not in ("float32", "low"):
            raise ConfigError(f"precision is 'float32' or 'low'; got {self.precision!r}.")
        if not 1 <= self.replan_every <= self.horizon:
            raise ConfigError(
                f"Agent needs 1 <= replan_every <= horizon; got replan_every={self.replan_every}, "
                f"horizon={self.horizon}."
            )
        if self.arrive_by is not None and self.arrive_by < 1:
            raise ConfigError(f"arrive_by is a number of steps after the start, at least 1; got {self.arrive_by}.")
        if self.deadline_ms is not None and not self.deadline_ms > 0:
            raise ConfigError(f"deadline_ms is a number of milliseconds above 0; got {self.deadline_ms}.")

    @property
    def rollout_constraints(self) -> tuple[Constraint, ...]:
        """Return the constraints on rollouts."""
        return tuple(one for one in self.constraints if not isinstance(one, ActionConstraint))

    @property
    def margin_constraints(self) -> dict[str, MarginConstraint]:
        """Return the constraints on rollouts that have a margin, by a name of each."""
        found: dict[str, MarginConstraint] = {}
        for one in self.rollout_constraints:
            if isinstance(one, MarginConstraint):
                name, count = str(one), sum(str(other) == str(one) for other in found.values())
                found[f"{name} {count + 1}" if count else name] = one
        return found

    @property
    def action_constraints(self) -> tuple[ActionConstraint, ...]:
        """Return the constraints on actions."""
        return tuple(one for one in self.constraints if isinstance(one, ActionConstraint))

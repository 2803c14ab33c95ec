"""The values and protocols of planning: what planners, costs, models and agents pass to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from tacit.types.spaces import ActionSpace, Box
from tacit.types.spec import Observation, Spec

if TYPE_CHECKING:
    from torch import Tensor


__all__ = [
    "ActionConstraint",
    "Constraint",
    "Context",
    "Cost",
    "FallbackPolicy",
    "Iteration",
    "Noise",
    "Numbers",
    "Plan",
    "Planner",
    "Problem",
    "Readout",
    "Rollout",
    "Score",
    "Scored",
    "Verdict",
    "WorldModel",
]

Numbers: TypeAlias = Any
"""A torch tensor or a NumPy array, the same kind throughout one problem."""


@dataclass(frozen=True)
class Scored:
    """The score of candidates.

    Attributes:
        energy: ``[B, S]``, low is good; one that is not finite never wins.
        violation: ``[B, S]`` by how much a candidate breaks the constraints; 0 or less is feasible, and one that is not
            finite counts as an energy that is not. None: there are no constraints.
        terms: Parts of the energy ``[B, S]`` by name, for people to look at.
    """

    energy: Numbers
    violation: Numbers | None = None
    terms: Mapping[str, Numbers] = field(default_factory=dict)


class Score(Protocol):
    """The score of candidate actions; the only thing a planner knows about a world."""

    def __call__(self, actions: Numbers, /) -> Scored | Numbers:
        """Return what raw actions ``[B, S, H, A]`` score; energies ``[B, S]`` alone where there are no constraints."""


class Noise(Protocol):
    """Random numbers with a stream of its own for each world.

    A number is a function of its world's seed, the step, the round and its place, whatever the device and the batch.
    """

    def __len__(self) -> int:
        """Return the number of worlds ``B``."""

    def normal(self, round: int, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        """Return standard normal numbers ``[B, *shape]``."""

    def uniform(self, round: int, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        """Return numbers ``[B, *shape]``, uniform in ``[0, 1)``."""

    def exponential(self, round: int, shape: tuple[int, ...], /) -> npt.NDArray[np.float32]:
        """Return exponential numbers ``[B, *shape]`` of mean 1."""


@dataclass(frozen=True)
class Problem:
    """A search for the best actions of a batch of worlds.

    Attributes:
        score: Rates candidates.
        space: The space of one row of a plan.
        horizon: Rows ``H`` of a plan.
        noise: The only source of randomness; it says how many worlds ``B`` there are.
        device: The torch device to search on. None: the search runs on NumPy arrays.
        warm_start: ``[B, H, A]`` where to start the search.
        proposals: ``[B, P, H, A]`` candidates to rate in the first round.
        project: Maps sequences ``[B, ..., H, A]`` inside the space to the nearest that are allowed, in an array of
            their own, and leaves those as they are. It may leave the space. Every candidate and the plan are results
            of it. For a :class:`Box`. None: all are allowed.
        stop: Asked after each round whether to end the search; the plan is then the best so far. None: all rounds run.
    """

    score: Score
    space: ActionSpace
    horizon: int
    noise: Noise
    device: Any = None
    warm_start: Numbers | None = None
    proposals: Numbers | None = None
    project: Callable[[Numbers], Numbers] | None = None
    stop: Callable[[], bool] | None = None

    @property
    def batch(self) -> int:
        """Worlds ``B``."""
        return len(self.noise)


@dataclass(frozen=True)
class Iteration:
    """One round of a planner, for people to look at.

    Attributes:
        best: ``[B]`` energy of the best candidate so far.
        mean: ``[B]`` mean of the finite energies of this round; NaN where there is none.
        elite: ``[B, H, A]`` mean of the search distribution after the round.
        spread: ``[B, H, A]`` its standard deviation (probability for a discrete space).
        rejected: ``[B]`` number of candidates whose score was not finite.
    """

    best: Numbers
    mean: Numbers
    elite: Numbers
    spread: Numbers
    rejected: Numbers


@dataclass(frozen=True)
class Plan:
    """The result of a search.

    Attributes:
        actions: ``[B, H, A]`` raw actions inside the action space, without meaning in a world that failed.
        energy: ``[B]`` their energy; infinite in a world that failed.
        trace: One entry for each iteration.
        evaluations: Candidates rated for each element of the batch.
        violation: ``[B]`` by how much the actions break the constraints; None where there are none.
        ended: ``complete``: all rounds ran; ``stopped``: ``Problem.stop`` ended the search.
    """

    actions: Numbers
    energy: Numbers
    trace: tuple[Iteration, ...]
    evaluations: int
    violation: Numbers | None = None
    ended: Literal["complete", "stopped"] = "complete"

    @property
    def failed(self) -> Numbers:
        """``[B]`` worlds in which no candidate had a finite score."""
        return ~(abs(self.energy) < float("inf"))


class Planner(Protocol):
    """Searches an action space for a sequence of low energy. Holds configuration, never state."""

    def __call__(self, problem: Problem, /) -> Plan:
        """Plan for all worlds of a problem at once.

        The plan is the best candidate that was rated: of those that break no constraint the one of lowest energy, else
        the one of least violation. Doing nothing is rated in the first round, where that has two candidates or more.
        The plan of a world depends neither on the other worlds nor on its place among them.

        Raises:
            PlanningError: if the warm start or a proposal is not finite.
            SpecError: if the score returns something else than it promises, or the hints do not fit.
        """


@dataclass(frozen=True)
class Context:
    """The observed past from which a model imagines.

    Attributes:
        latents: ``[B, T, D]`` latents at the last block boundaries, the last one current.
        blocks: ``[B, T - 1, A']`` the raw action blocks between them; None where there is one latent.
        carry: Further state of the model or its memory.
    """

    latents: Numbers
    blocks: Numbers | None = None
    carry: Any = None


@dataclass(frozen=True)
class Rollout:
    """Imagined latents of candidate plans.

    Attributes:
        start: ``[B, D]`` the current latent.
        latents: ``[B, S, H, D]`` imagined latents after each block.
        blocks: ``[B, S, H, A']`` the raw action blocks that lead to them.
        goal: ``[B, D]`` the latent of the goal, where the agent was given one.
        parts: The components of a latent that belong to a modality, by its name, where a model keeps them apart.
        std: ``[B, S, H]`` standard deviation of the prediction, from a model that knows it.
    """

    start: Numbers
    latents: Numbers
    blocks: Numbers
    goal: Numbers | None = None
    parts: Mapping[str, slice] = field(default_factory=dict)
    std: Numbers | None = None


class Cost(Protocol):
    """A hand-written or learned energy of rollouts."""

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return energies ``[B, S]``, low is good."""


class Constraint(Protocol):
    """A condition on rollouts that a plan keeps whatever it costs. Holds configuration, never state."""

    def __call__(self, rollout: Rollout, /) -> Numbers:
        """Return violations ``[B, S, H]``; 0 or less keeps the condition after that block."""


@runtime_checkable
class Readout(Protocol):
    """A fitted, differentiable map from latents to a physical quantity."""

    @property
    def target(self) -> str:
        """The name of the quantity."""

    @property
    def size(self) -> int:
        """``P``, the components of the quantity."""

    @property
    def error(self) -> tuple[float, ...]:
        """``[P]`` root mean square error of each component over held-out episodes."""

    def __call__(self, latents: Numbers, /) -> Numbers:
        """Return the quantity ``[..., P]`` of latents ``[..., D]``."""


class WorldModel(Protocol):
    """A model that an agent plans with."""

    @property
    def spec(self) -> Spec:
        """The world that it was made for."""

    @property
    def frameskip(self) -> int:
        """Raw actions of one block."""

    @property
    def history(self) -> int:
        """Latents that it looks back on, at least one."""

    @property
    def device(self) -> Any:
        """The torch device on which it computes."""

    @property
    def latent_parts(self) -> Mapping[str, slice]:
        """The components of a latent that belong to a modality, by its name; empty where all are mixed."""

    def encode(self, observation: Mapping[str, Any], /) -> Tensor:
        """Return latents ``[B, D]`` of observations ``[B, ...]``."""

    def rollout(self, context: Context, blocks: Tensor, /) -> Tensor:
        """Return imagined latents ``[B, S, H, D]`` under raw action blocks ``[B, S, H, A']``.

        Without the axis ``S`` in ``blocks [B, H, A']`` there is none in the result ``[B, H, D]``.
        """


@runtime_checkable
class ActionConstraint(Protocol):
    """A restriction of actions that holds without exception. Holds configuration, never state."""

    def limited(self, space: Box, /) -> Box:
        """Return the part of the space that is allowed at all times.

        Raises:
            ConfigError: if the constraint does not fit the space or leaves nothing of it.
        """

    def after(self, previous: Numbers, /) -> tuple[Numbers, Numbers] | None:
        """Return the lowest and the highest action ``[..., A]`` that may follow the action ``previous [..., A]``.

        Both contain ``previous`` between them. None: any action may.
        """


class FallbackPolicy(Protocol):
    """Actions of worlds in which nothing was planned. Holds no state and answers from the observation alone."""

    def __call__(self, observation: Observation, /) -> npt.NDArray[np.float32]:
        """Return actions ``[B, A]`` for observations ``[B, ...]``; only those of the worlds that fail are used."""


@dataclass(frozen=True)
class Verdict:
    """Report of an actor on its decision, world by world.

    Attributes:
        decision: ``[B]`` ``act``: what was decided is carried out; ``slow``: with caution, such as the rest of an older
            plan; ``stop``: the fallback acts.
        surprise: ``[B]`` energy of what was observed under what had been predicted; NaN before the first prediction.
        reasons: ``[B]`` why not ``act``, in words; empty where it is.
        fallback: ``[B]`` what acts without a decision: ``last_plan``, ``noop``, ``last_action`` or ``policy``; empty
            where it is what was decided.
        threshold: ``[B]`` the surprise above which an actor does not act; None from one that has no such limit.
        evidence: Further numbers ``[B]`` behind the decision, by name.
        plan: The plan that was made in this act; None in an act that made none.
    """

    decision: tuple[Literal["act", "slow", "stop"], ...]
    surprise: npt.NDArray[np.float32]
    reasons: tuple[str, ...] = ()
    fallback: tuple[str, ...] = ()
    threshold: npt.NDArray[np.float32] | None = None
    evidence: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    plan: Plan | None = None

    @classmethod
    def acting(cls, batch: int) -> Verdict:
        """Return the verdict of an actor that predicts nothing and always acts, in ``batch`` worlds."""
        act: Literal["act", "slow", "stop"] = "act"
        return cls((act,) * batch, np.full(batch, np.nan, np.float32), ("",) * batch)

    @property
    def ok(self) -> bool:
        """Whether all worlds do what was decided."""
        return all(decision == "act" for decision in self.decision)

    @property
    def reason(self) -> str:
        """Why some world does not act, with the numbers of the worlds; empty where all do."""
        groups: dict[str, list[str]] = {}
        for world, reason in enumerate(self.reasons):
            if reason:
                groups.setdefault(reason, []).append(str(world))
        return " ".join(f"world {', '.join(worlds)}: {reason}" for reason, worlds in groups.items())

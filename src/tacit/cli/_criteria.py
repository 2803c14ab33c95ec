"""Goals and criteria of success from words of the command line."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import tyro

if TYPE_CHECKING:
    from tacit.agent import Agent
    from tacit.costs import CostTerm, QuantityCost
    from tacit.evaluation import Reached
    from tacit.evaluation.episode_scores import Success
    from tacit.types import Array, Environment, Observation, Readout

__all__ = ["Aim", "EpisodeOptions", "GoalOptions"]

Component: TypeAlias = float | tuple[float | None, float | None] | None
"""A value, a range with ends that may be open, or None for a component that does not matter."""
STEPS = 1000
"""Largest number of steps of an episode in an environment without tasks, by default."""
FORM = (
    "--goal is NAME=VALUE, for example 'position=[30,12]' with --within 2, 'position=[20:30,10:14]', "
    "'position=[20:,:]' or, for an observation, 'state=[0.45,0]'"
)


@dataclass(frozen=True)
class GoalOptions:
    """Options for a goal.

    Attributes:
        goal: A goal, NAME=VALUE; repeat it for several. A modality of the model is an observation to reach, and the
            modalities without a goal are taken from the current observation: 'state=[0.45,0]'. Another name is a
            quantity that a readout gives. A value needs --within: 'position=[30,12]', or 'position=[30,:]' where the
            second component does not matter. A region: 'position=[20:30,10:14]', 'glucose=70:180', 'height=1.5:'.
        within: The Euclidean distance at which a goal is reached, in units of the modality or the quantity.
        readout: A saved readout; repeat it for several. By default that of the agent, or of tacit probe RUN, or one
            that is fitted on the data of the run.
    """

    goal: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    within: float | None = None
    readout: tyro.conf.UseAppendAction[tuple[Path, ...]] = ()

    def aim(self, agent: Agent, run: Path) -> Aim:
        """Return the goal for an agent, with the readouts that it needs.

        Raises:
            ConfigError: if a word is no goal, or names neither a modality nor a known quantity.
            CheckpointError: if a readout cannot be read.
        """
        from tacit.cli._readouts import readout_of
        from tacit.errors import ConfigError

        words = [_named(word) for word in self.goal]
        observed = {name: _numbers(name, text) for name, text in words if name in agent.model.spec.modalities}
        quantities = [(name, text) for name, text in words if name not in observed]
        if observed and quantities:
            raise ConfigError(
                f"a goal is an observation ({', '.join(observed)}) or holds quantities ({quantities[0][0]}); give one "
                "of the two."
            )
        cost: CostTerm | None = None
        for name, text in quantities:
            components = _components(name, text)
            term = self._term(readout_of(name, agent, run, self.readout), components)
            cost = term if cost is None else cost + term
        return Aim(observed or None, self.within, cost)

    def planned(self, agent: Agent, run: Path) -> tuple[Agent, Reached | None]:
        """Return the agent for a goal in quantities, and the goal; without one, the agent itself and None.

        Raises:
            ConfigError: as :meth:`aim`, and if the goal is an observation.
        """
        from tacit.errors import ConfigError
        from tacit.evaluation import Reached

        aim = self.aim(agent, run)
        if aim.observation is not None:
            raise ConfigError(
                f"tacit plan takes goals in quantities; {', '.join(aim.observation)} is a modality of the model. Score "
                "whole episodes with such a goal: tacit eval."
            )
        return aim.agent(agent), None if aim.cost is None else Reached(aim.cost)

    def _term(self, readout: Readout, components: tuple[Component, ...]) -> QuantityCost:
        """Return the cost of a value or of a region, at the best step of the horizon, which allows detours."""
        from tacit.costs import Region, Target
        from tacit.errors import ConfigError

        name = readout.target
        if len(components) != readout.size:
            raise ConfigError(f"{name!r} has {readout.size} components; --goal gives {len(components)}. {FORM}.")
        values = tuple(one for one in components if not isinstance(one, tuple))
        if len(values) == len(components) and any(value is not None for value in values):
            if self.within is None:
                raise ConfigError(
                    f"--goal {name}=... needs --within: the distance at which it is reached, in the unit of {name!r}."
                )
            return Target(readout, values, "min", self.within)
        if any(value is not None for value in values):
            raise ConfigError(f"--goal {name}=... holds a value and a range; write the value as a range. {FORM}.")
        low, high = zip(*(one if isinstance(one, tuple) else (None, None) for one in components), strict=True)
        return Region(readout, low, high, "min")


@dataclass(frozen=True)
class EpisodeOptions(GoalOptions):
    """Options for scores of whole episodes.

    Attributes:
        success: The success criterion: info (is_success of the environment), terminated, goal (within --within of
            --goal, or in its region, by the true values), or module:function of observations. By default goal where
            it says what is near, and else info if there is some.
        success_at: The step at which success counts: the last one or any.
        steps: The largest number of steps; by default the budget of the tasks of the environment, or 1000.
    """

    success: str = ""
    success_at: Literal["last", "any"] = "last"
    steps: int | None = None

    @property
    def given(self) -> bool:
        """Return whether a goal or a criterion is given."""
        return bool(self.goal or self.success or self.within is not None)

    @property
    def record(self) -> dict[str, Any]:
        """Return the goal and the criterion for a report."""
        return {"goal": self.goal, "within": self.within, "success": self.success}

    def scored(self, aim: Aim, world: Environment) -> dict[str, Any]:
        """Return the options of :func:`tacit.evaluation.score_episodes`.

        Raises:
            ConfigError: if the criterion is none, or needs a goal.
        """
        from tacit._check import has_goals

        most = self.steps or (world.rules.budget if has_goals(world) else STEPS)
        return {
            "goal": aim.observation,
            "success": self._criterion(aim),
            "success_at": self.success_at,
            "steps": most,
        }

    def _criterion(self, aim: Aim) -> Success | None:
        """Return the success criterion."""
        from tacit.errors import ConfigError

        word, found = self.success, aim.success()
        if word == "goal" or (not word and self.within is not None):
            if found is None:
                raise ConfigError("--success goal needs --goal and --within.")
            return found
        if word in ("info", "terminated"):
            return word  # type: ignore[return-value]
        if not word:
            return found
        module, colon, name = word.partition(":")
        if not colon:
            raise ConfigError(f"--success is info, terminated, goal or module:function; got {word!r}.")
        try:
            criterion: Success = getattr(importlib.import_module(module), name)
        except Exception as error:  # an import runs external code
            raise ConfigError(f"--success names no function, {word!r}: {type(error).__name__}: {error}.") from error
        return criterion


@dataclass(frozen=True)
class Aim:
    """The goal of an agent.

    Attributes:
        observation: An observation to reach; None: there is none.
        within: The distance at which it is reached.
        cost: The cost of goals in quantities; None: there are none.
    """

    observation: Observation | None
    within: float | None
    cost: CostTerm | None

    def agent(self, agent: Agent) -> Agent:
        """Return an agent that pursues the quantities in place of its own goal.

        It plans for half of each tolerance, but not less than the error of the readout: a plan to the edge of the goal
        often ends outside.
        """
        from tacit.costs import CostSum, Target, WeightedCost

        if self.cost is None:
            return agent
        terms = []
        for term in self.cost.terms():
            goal = term.cost
            if isinstance(goal, Target):
                goal = replace(goal, within=max(goal.within / 2, goal.error))
            terms.append(WeightedCost(term.weight, goal))
        return agent.replace(cost=CostSum(tuple(terms)), proposal=None)

    def success(self) -> Success | None:
        """Return the criterion of the goal; None where it has no tolerance."""
        from tacit.evaluation import Near, Reached

        if self.cost is not None:
            return Reached(self.cost)
        return None if self.observation is None or self.within is None else Near(self.observation, self.within)


def _named(word: str) -> tuple[str, str]:
    """Return name and text of ``NAME=VALUE``."""
    from tacit.errors import ConfigError

    name, equals, text = word.partition("=")
    if not (name and equals and text):
        raise ConfigError(f"{FORM}; got {word!r}.")
    return name, text


def _numbers(name: str, text: str) -> Array:
    """Return the array of a modality."""
    import numpy as np

    from tacit._config import named_value
    from tacit.errors import ConfigError

    try:
        return np.asarray(named_value(f"{name}={text}")[1], np.float64)
    except (TypeError, ValueError):
        raise ConfigError(
            f"a goal in a modality is MODALITY=NUMBERS, for example 'state=[0.45,0]'; got {name}={text!r}."
        ) from None


def _components(name: str, text: str) -> tuple[Component, ...]:
    """Return the components of a value or a region, such as ``[30,12]`` or ``[20:30,:]``."""
    from tacit.errors import ConfigError

    inner = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return tuple(map(_component, inner.split(",")))
    except ValueError:
        raise ConfigError(f"{FORM}; got {name}={text!r}.") from None


def _component(text: str) -> Component:
    low, colon, high = (part.strip() for part in text.partition(":"))
    if not colon:
        return float(low)
    if not (low or high):
        return None
    return float(low) if low else None, float(high) if high else None

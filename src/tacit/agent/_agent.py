"""The agent: a world model, a planner and a cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tacit._files import resolve
from tacit._registry import suggest
from tacit.agent._actor import BlockActor
from tacit.agent._calibration import MarginRecord
from tacit.agent._config import AgentConfig
from tacit.agent._fallback import NamedFallback
from tacit.agent._memory import latent_size, model_digest
from tacit.agent._perception import Perception
from tacit.agent._proposal import Proposal
from tacit.agent._saving import digest_of, read, write
from tacit.agent._search import FlatSearch
from tacit.agent._state import AgentState
from tacit.agent._sub_goal_search import SubGoalSearch
from tacit.errors import CheckpointError, ConfigError
from tacit.memory import DiskStore
from tacit.types import Cost, FallbackPolicy, Planner, Store, WorldModel

__all__ = ["Agent"]

GOAL_OUTSIDE = "goal outside of the calibrated range"
"""The name of the evidence that is 1 in a world with such a goal."""


class Agent(BlockActor):
    """An actor that plans in latent space, executes the first blocks of the plan, observes and replans.

    An agent holds no state: :meth:`start` makes one and :meth:`act` returns the next. All worlds of a batch are planned
    for at once. A world whose planning fails continues with the rest of its last valid plan and then with the fallback,
    and the verdict of these acts is not ok; the other worlds act as they would without it.

    Args:
        model: A :class:`tacit.models.WorldModel` or another :class:`tacit.types.WorldModel`.
        planner: The planner, which searches raw actions.
        cost: Energy of imagined latents.
        horizon: Blocks to plan ahead.
        proposal: A policy that suggests candidates for the first round of each search.
        calibration: The record of the calibration of its margins; see :func:`tacit.margins.calibrate`.
        options: Further fields of :class:`AgentConfig`, such as ``replan_every`` and ``constraints``.

    Raises:
        ConfigError: if an option is unknown or out of range, the fallback or a constraint does not fit the action
            space, or the calibration is that of another agent.
    """

    def __init__(
        self,
        model: WorldModel,
        planner: Planner,
        cost: Cost,
        *,
        horizon: int,
        proposal: Proposal | None = None,
        calibration: MarginRecord | None = None,
        **options: Any,
    ) -> None:
        known = [option.name for option in fields(AgentConfig)]
        for name in options:
            if name not in known:
                raise ConfigError(f"Agent has no option {name!r}.{suggest(name, known)}")
        config = AgentConfig(planner, cost, horizon, **options)
        for constraint in config.rollout_constraints:
            if not callable(constraint):
                raise ConfigError(
                    "constraints are those of tacit.constraints, or have limited and after, or are functions of a "
                    f"rollout; got {constraint!r}."
                )
        search = FlatSearch(model, config, proposal)
        if config.sub_goals is not None:
            config.sub_goals.require_model(model)
        super().__init__(
            model,
            search if config.sub_goals is None else SubGoalSearch(search, config.sub_goals),
            replan_every=config.replan_every,
            fallback=config.fallback,
            constraints=config.action_constraints,
            guard=config.guard,
            deadline_ms=config.deadline_ms,
            memory=config.memory,
        )
        self._perception = Perception(model, config.carrier)
        self.config, self.proposal, self.calibration = config, proposal, calibration
        if calibration is not None and calibration.digest != self.digest():
            raise ConfigError(
                "the calibration of the margins is stale: it belongs to an agent with another model, cost, planner or "
                "other settings. Calibrate again: tc.margins.calibrate(agent, env)."
            )

    @staticmethod
    def of(
        model: WorldModel,
        config: AgentConfig,
        proposal: Proposal | None = None,
        calibration: MarginRecord | None = None,
    ) -> Agent:
        """Return an agent with the given settings, such as those of another one with replaced fields."""
        options = {option.name: getattr(config, option.name) for option in fields(config)}
        return Agent(model, proposal=proposal, calibration=calibration, **options)

    def replace(self, **options: Any) -> Agent:
        """Return the agent with other settings, such as ``agent.replace(constraints=[region], deadline_ms=20)``.

        The record of the calibration of its margins is left out, since it is that of this agent.

        Args:
            options: Fields of :class:`AgentConfig`, and ``proposal``.

        Raises:
            ConfigError: if an option is unknown or out of range, or the fallback or a constraint does not fit.
        """
        given = {option.name: getattr(self.config, option.name) for option in fields(self.config)}
        return Agent(self.model, **{**given, "proposal": self.proposal, **options})

    def new_memory(self, path: str | Path, blocks: int | None = None, segment_entries: int = 16_384) -> DiskStore:
        """Make an empty memory for latents of this agent's model, and return its writer.

        Args:
            path: A folder that does not exist or is empty.
            blocks: The number of blocks of an entry; None: the horizon.
            segment_entries: See :meth:`tacit.memory.DiskStore.create`.

        Raises:
            ConfigError: if a size is out of range, or something is in the folder.
        """
        return DiskStore.create(
            path,
            latent_size=latent_size(self.model),
            blocks=self.config.horizon if blocks is None else blocks,
            block_size=self.frameskip * self.space.size,
            model=model_digest(self.model),
            segment_entries=segment_entries,
        )

    def __str__(self) -> str:
        config = self.config
        count = sum(p.numel() for p in self.model.parameters()) if isinstance(self.model, nn.Module) else 0
        size = f" of {count / 1e6:.2g} million parameters" if count else ""
        action = "one action a block" if config.repeat_action else "every action free"
        rows = [
            f"agent with a {type(self.model).__name__}{size}",
            f"  plans {config.horizon} blocks of {self.frameskip} steps ahead, {action}, anew after "
            f"{config.replan_every}",
            f"  planner      {config.planner}",
            f"  cost         {config.cost}",
            f"  fallback     {config.fallback or 'what does nothing by the kinds of the actions'}",
        ]
        rows += [f"  sub-goals    {config.sub_goals}"] if config.sub_goals else []
        rows += [f"  constraint   {constraint}" for constraint in config.constraints]
        if config.carrier is not None:
            rows += [f"  carrier      {type(config.carrier).__name__}, {config.carrier.size} numbers"]
        rows += ["  guard        " + str(config.guard).replace("\n", "\n               ")] if config.guard else []
        rows += [f"  memory       {len(config.memory):,} entries"] if config.memory is not None else []
        rows += [f"  calibration  {self.calibration}"] if self.calibration else []
        return "\n".join(rows)

    def save(self, path: str | Path) -> None:
        """Write the agent, atomically: its model's checkpoint, its settings and its policy. A memory is not in it.

        Of a planner, a cost or a constraint that is in no registry the file holds the name, and the weights if it is a
        torch module; :meth:`load` is given the object again.

        Raises:
            ConfigError: if the model is none of :mod:`tacit.models` that imagines, the proposal is none of a
                :class:`tacit.models.GoalPolicy` and the classes of :mod:`tacit.agent`, the fallback a policy, or one of
                them outside the registries has no name of its own.
            CheckpointError: if something else is at ``path``.
        """
        write(resolve(path), self.model, self.config, self.proposal, self.calibration)

    def digest(self) -> str:
        """Return the SHA-256 of all that decides how the agent acts, as hexadecimal digits.

        Two agents of one digest act alike. The digest covers the weights of the model, the planner, the cost and the
        other settings; of a function it covers the name.

        Raises:
            ConfigError: if a planner, cost or constraint outside the registries has no name of its own.
        """
        return digest_of(self.model, self.config, self.proposal)

    def _evidence(self, state: AgentState) -> dict[str, npt.NDArray[np.float32]]:
        """Return whether each goal is outside of the range of those that the margins were calibrated with."""
        if self.calibration is None or state.goal is None:
            return {}
        return {GOAL_OUTSIDE: self.calibration.outside(self.config.margin_constraints, state.goal)}

    @classmethod
    def load(
        cls,
        path: str | Path,
        device: str | torch.device = "cpu",
        *,
        fallback: NamedFallback | FallbackPolicy | None = None,
        modules: Mapping[str, nn.Module] | None = None,
        own: Mapping[str, object] | None = None,
        memory: Store | None = None,
    ) -> Agent:
        """Read an agent that :meth:`save` wrote.

        Args:
            path: The path of the agent, or the directory of the run that trained it.
            device: The device to load it on.
            fallback: A replacement of the saved fallback; None: the saved one.
            modules: Modules of your own in its model; see :func:`tacit.checkpoint.load_model`.
            own: Planners, costs and constraints that are in no registry, by the names of their classes or functions;
                the saved weights of a torch module are loaded into it.
            memory: The memory of the agent; None: there is none.

        Raises:
            CheckpointError: if it is missing, incomplete or damaged, or names a component that is neither installed
                nor given, or the memory is of another model.
            ConfigError: if ``fallback`` or the memory does not fit it.
        """
        place = resolve(path)
        if (place / "run.json").is_file() and (place / "agent").is_dir():
            place = place / "agent"
        model, config, proposal, calibration = read(place, device, own or {}, modules)
        try:
            agent = cls.of(model, config, proposal, calibration)
        except ConfigError as error:
            raise CheckpointError(f"the agent in {path} cannot be built here: {error}") from error
        if memory is not None:
            agent = cls.of(model, replace(config, memory=memory), proposal, calibration)
        return agent if fallback is None else agent.replace(fallback=fallback)

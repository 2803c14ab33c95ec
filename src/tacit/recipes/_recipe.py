"""Base classes of recipes: methods as plain values, up to the training or the agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from tacit import checkpoint, constraints, costs, objectives, planners
from tacit._config import OMIT_DEFAULT, from_json, to_json
from tacit._part import Part
from tacit._registry import suggest
from tacit.agent import Agent, Proposal
from tacit.data import Clips, Episodes
from tacit.errors import ConfigError
from tacit.models import Dynamics, Model, PerceptionConfig, PerceptionModel
from tacit.models._pretrained import PretrainedEncoder
from tacit.models.encoders import Pretrained
from tacit.models.goal_policy import GoalPolicy
from tacit.models.world_model import WorldModel
from tacit.objectives import Objective
from tacit.recipes._acting import Acting, check_planner, weighted
from tacit.recipes._critic import DISTANCE, RETURN, Critics, RecipeCritic, RecipeReturns
from tacit.recipes._proposal import RecipeProposal, new_policy
from tacit.training import GoalPolicyTraining, TrainingConfig, TrainingReport, loggers, train, train_goal_policy
from tacit.training._rewards import require_rewards
from tacit.types import Spec, Transform

__all__ = ["Acting", "AgentRecipe", "Part", "Recipe"]


@dataclass(frozen=True)
class Recipe:
    """A method as plain values, from the model to its training. A published method is a subclass with its own defaults.

    Args:
        size: Preset that the model starts from.
        model: Options of the model that replace those of the preset.
        objective: The terms, by their names in :mod:`tacit.objectives`, with options and weights.
        clip: Observations in a training window.
        steps: Updates.
        training: Options of the training.
        loggers: Destinations of the log besides ``log.jsonl``, by their names in :mod:`tacit.training.loggers`.
    """

    kind: ClassVar[type[Any]] = WorldModel
    size: str = "tiny"
    model: Mapping[str, Any] = field(default_factory=dict)
    objective: tuple[Part, ...] = (Part("prediction"), Part("sigreg", weight=0.09))
    clip: int = 5
    steps: int = 2_000
    training: TrainingConfig = field(default_factory=TrainingConfig)
    loggers: tuple[Part, ...] = field(default=(), metadata=OMIT_DEFAULT)

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """Return the recipe with options replaced, named by dotted paths: ``{"training.lr": 3e-4}``.

        Raises:
            ConfigError: on an unknown option or a value of another type, naming it.
        """
        values: dict[str, Any] = {one.name: to_json(vars(self)[one.name]) for one in fields(self)}
        for path, value in options.items():
            *parents, last = path.split(".")
            inner = values
            for name in parents:
                if inner is not values and name not in inner and parents[0] == "model":
                    inner[name] = {}  # options of the model that the recipe leaves to its size
                if isinstance(inner.get(name), str) and parents[0] == "model":
                    inner[name] = {"name": inner[name]}
                if not isinstance(inner.get(name), dict):
                    raise ConfigError(f"a recipe has no option {path!r}.{suggest(name, inner)}")
                inner = inner[name]
            inner[last] = value
        return from_json(type(self), values)

    def build_model(self, spec: Spec, seed: int) -> Any:
        """Build a new model for the observations and actions of a dataset. Its weights are drawn from ``seed``."""
        return self.kind.for_spec(spec, self.size, seed=seed, **self.options(spec))

    def options(self, spec: Spec) -> dict[str, Any]:  # noqa: ARG002 - a recipe may look at it
        """Return the options of the model for a Spec."""
        return dict(self.model)

    def build_objective(self) -> Objective:
        """Return the weighted sum of the terms."""
        total: Objective = weighted(self.objective, objectives.load)
        return total

    def check(self, model: Any) -> None:
        """Refuse, before a training, settings that cannot be used in it or after it.

        Raises:
            ConfigError: if a part is unknown or does not fit, saying what to put in its place.
        """
        self.build_objective().check(model.forecast_type)
        self.transforms(model)

    def clips(self, episodes: Episodes, model: Model) -> Clips:
        """Return the training windows of some episodes, of the modalities that the model sees."""
        return episodes.clips(self.clip, model.frameskip, tuple(model.normalizers))

    def transforms(self, model: Any) -> tuple[Transform, ...]:  # noqa: ARG002 - a recipe may look at it
        """Return the transforms of a batch before the model sees it."""
        return ()

    def train(self, model: Model, episodes: Episodes, *, seed: int, to: str | Path, **options: Any) -> TrainingReport:
        """Train a model in place. See :func:`tacit.train` for the options."""
        defaults = {
            "steps": self.steps,
            "config": self.training,
            "transforms": self.transforms(model),
            "loggers": [logger.build(loggers.load) for logger in self.loggers],
        }
        return train(
            model,
            self.build_objective(),
            self.clips(episodes, model),
            **{**defaults, "seed": seed, "to": to, **options},
        )


@dataclass(frozen=True)
class AgentRecipe(Recipe):
    """A method from the world model to the agent that plans with it.

    Args:
        encoder: A run of a perception model whose encoder the world model uses; empty: one of its own.
        latents: An embedding of the dataset's frames by that encoder, frozen, to train from instead of encoding the
            same images again at every step; empty: from pixels. ``tacit embed RUN DATASET --frames CAMERA`` writes
            one.
        policy_steps: Updates of the goal-conditioned policy that proposes plans; 0: no policy.
        policy: Options of its training.
        proposal: The other proposals of plans, and the distillation of the policy from plans.
        critic: The critic, which is trained where the cost of the agent is ``temporal_distance``.
        returns: The critic, which is trained where it is ``expected_return``.
        acting: How the agent plans with the result.
    """

    encoder: str = ""
    latents: str = ""
    policy_steps: int = 2_000
    policy: GoalPolicyTraining = field(default_factory=GoalPolicyTraining)
    proposal: RecipeProposal = field(default=RecipeProposal(), metadata=OMIT_DEFAULT)
    critic: RecipeCritic = field(default=RecipeCritic(), metadata=OMIT_DEFAULT)
    returns: RecipeReturns = field(default=RecipeReturns(), metadata=OMIT_DEFAULT)
    acting: Acting = field(default_factory=Acting)

    def build_model(self, spec: Spec, seed: int) -> Any:
        """Build the model as :meth:`Recipe.build_model`, with the perception encoder where one is named.

        Raises:
            CheckpointError: if there is no perception model at that place.
            ConfigError: if its encoder does not fit the cameras of ``spec``, or ``spec`` has no actions.
        """
        if not spec.action.size:
            raise ConfigError(
                f"{type(self).__name__} learns what actions do, and these data have none (the action of the Spec is "
                "empty). Learn from them with a recipe that needs none: ijepa or lejepa for images, vjepa2 for "
                "videos, ijepa or mae for series and vectors."
            )
        if not self.encoder:
            return super().build_model(spec, seed)
        perception = checkpoint.load_model(self.encoder, kind=PerceptionModel)
        recipe = replace(self, encoder="", model=self.with_encoder(perception.config))
        try:
            model = recipe.build_model(spec, seed)
        except ConfigError as error:
            raise ConfigError(f"{error} The recipe takes the encoder of the run {self.encoder}.") from error
        model.load_from(perception)
        return model

    def with_encoder(self, perception: PerceptionConfig) -> dict[str, Any]:
        """Return the options of the model, with the encoder of a perception model for all cameras."""
        encoders = dict(self.model.get("encoders", {}))
        pretrained = {**to_json(Pretrained(perception)), **encoders.get("pixels", {}), "name": "pretrained"}
        return {**self.model, "encoders": {**encoders, "pixels": pretrained}}

    def check(self, model: Any) -> None:
        """Check as :meth:`Recipe.check`, and build the agent. Its planner searches the actions of the model once.

        Raises:
            ConfigError: if a part is unknown or does not fit, such as a planner that cannot search discrete actions, or
                if a pretrained encoder is to learn with nothing that keeps it from collapsing.
        """
        super().check(model)
        if self.proposal.policy == "distilled" and self.policy_steps == 0:
            raise ConfigError("proposal.policy='distilled' trains a policy: choose policy_steps above 0.")
        learns = any(
            parameter.requires_grad
            for module in model.modules()
            if isinstance(module, PretrainedEncoder)
            for parameter in module.parameters()
        )
        held = any(term.prevents_collapse for term, weight in self.build_objective().terms() if weight > 0)
        if learns and model.target_encoder is None and not held:
            raise ConfigError(
                "the pretrained encoder is trained (tune), and prediction of its own latents alone would collapse "
                "them. Leave it frozen, or add a term to objective that keeps them apart: on the command line "
                f"--set 'objective={self._held()}'."
            )
        agent = self.build_agent(model, critics={name: one.stand_in(model) for name, one in self._critics().items()})
        check_planner(agent)

    def _held(self) -> str:
        """Return the terms of this recipe and one that keeps latents apart. They are written as on the command line."""
        return json.dumps([*map(to_json, self.objective), {"name": "inverse_dynamics"}])

    def train(self, model: Model, episodes: Episodes, *, seed: int, to: str | Path, **options: Any) -> TrainingReport:
        """Train a model in place, once :meth:`check` has found that its agent can act.

        See :func:`tacit.train` for the options.

        Raises:
            ConfigError: if the agent could not act, or latents are named for an encoder that learns.
            DataError: if the latents are of other episodes or by another encoder, or the agent plans by reward and the
                episodes have none.
        """
        self.check(model)
        if RETURN in self._critics():
            require_rewards(episodes)
        if self.latents:
            from tacit.embeddings import Embedded

            stored = Embedded.open(self.latents, model, episodes)
            options["transforms"] = (*options.get("transforms", self.transforms(model)), stored)
        return super().train(model, episodes, seed=seed, to=to, **options)

    def learn(self, episodes: Episodes, *, seed: int, to: str | Path, device: str = "cpu", **options: Any) -> Agent:
        """Run the whole method.

        It trains a model on the episodes, its proposals and its critic, and builds the agent that plans with them.

        Args:
            episodes: To train on; keep others to measure on.
            seed: Of the weights, the batches and everything else.
            to: The directory of the run; what an interrupted call left there is continued.
            device: Where to compute.
            options: Options of the training, in place of the recipe's; see :func:`tacit.train`.
        """
        model = self.build_model(episodes.spec, seed).to(device)
        self.train(model, episodes, seed=seed, to=to, **options)
        return self.train_agent(model, episodes, seed=seed)

    def train_agent(self, model: Dynamics, episodes: Episodes, *, seed: int) -> Agent:
        """Train the critic and the proposals of the agent on the frozen latents of the model, and build it."""
        critics = self.train_critics(model, episodes, seed=seed)
        policy = self.train_policy(model, episodes, seed=seed)
        agent, clips, options = self.build_agent(model, policy, critics), self.clips(episodes, model), self.policy
        proposal = self.proposal.train(model, agent, policy, clips, self.policy_steps, seed=seed, training=options)
        return self.build_agent(model, proposal, critics)

    def train_policy(self, model: Dynamics, episodes: Episodes, *, seed: int) -> GoalPolicy | None:
        """Train a goal-conditioned policy on the frozen latents of the model.

        None if the recipe has no policy, or its agent plans by reward and has no goal.
        """
        aims = {part.name for part in self.acting.cost}
        if self.policy_steps == 0 or (RETURN in aims and aims.isdisjoint({"goal", DISTANCE})):
            return None
        policy, clips = new_policy(model, seed), self.clips(episodes, model)
        train_goal_policy(model, policy, clips, steps=self.policy_steps, seed=seed, **to_json(self.policy))
        return policy

    def train_critics(self, model: Dynamics, episodes: Episodes, *, seed: int) -> Critics:
        """Train the critics of the costs of the agent on the frozen latents of the model."""
        clips = self.clips(episodes, model)
        return {name: one.train(model, clips, seed) for name, one in self._critics().items()}

    def _critics(self) -> dict[str, RecipeCritic | RecipeReturns]:
        """Return how the critics of the agent are trained, by the cost that uses them."""
        known: dict[str, RecipeCritic | RecipeReturns] = {DISTANCE: self.critic, RETURN: self.returns}
        return {part.name: known[part.name] for part in self.acting.cost if part.name in known}

    def build_agent(self, model: Dynamics, proposal: Proposal | None = None, critics: Critics | None = None) -> Agent:
        """Return the agent that plans with a model.

        Raises:
            ConfigError: if a part is unknown or does not fit, or the critic is missing that a cost needs.
        """
        how, given = self.acting, critics or {}
        for name in self._critics().keys() - given.keys():
            raise ConfigError(f"the cost {name!r} needs a critic: build_agent(model, critics=train_critics(...)).")
        return Agent(
            model,
            how.planner.build(planners.load),
            weighted(how.cost, costs.load, {name: {"critic": critic} for name, critic in given.items()}),
            horizon=how.horizon,
            replan_every=how.replan_every,
            arrive_by=how.arrive_by,
            deadline_ms=how.deadline_ms,
            repeat_action=how.repeat_action,
            proposal=proposal,
            fallback=how.fallback,
            constraints=tuple(constraint.build(constraints.load) for constraint in how.constraints),
            proposals=how.proposals,
        )

"""V-JEPA 2-AC (arXiv 2506.09985, section 3): an action-conditioned world model on a frozen video encoder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tacit.agent import Agent, Proposal
from tacit.errors import ConfigError
from tacit.models import Dynamics, PerceptionConfig
from tacit.models.action_conditioned import ActionConditioned
from tacit.recipes._critic import Critics
from tacit.recipes._recipe import Acting, AgentRecipe, Part
from tacit.training import TrainingConfig
from tacit.types import Spec

__all__ = ["VJEPA2AC"]


@dataclass(frozen=True)
class VJEPA2AC(AgentRecipe):
    """V-JEPA 2-AC with the loss, schedule and planner of its authors. ``encoder`` names the perception run.

    Windows of 8 frames; L1 to the layer-normed tokens of the frozen encoder, teacher-forced for one step and rolled out
    for two from the first frame, the second from the first latent and the first prediction. The learning rate rises
    from 7.5e-5 to 4.25e-4, stays, and falls to 0 over the last twentieth. Published: 24 blocks of width 1024 on a
    ViT-g, batches of 256, 95,000 steps; here ``size`` is the predictor's.

    Plans by CEM with an L1 energy at the last step, with the samples, rounds, elites, horizon and momenta that the
    released notebook's planner has by default: 0.15 of the old mean and of the old standard deviation stay. Its bound
    is not here: the authors keep each action of a robot's hand small (0.05 along each axis in the released code, an
    L1 ball of 0.075 in the paper), while here plans lie in the environment's own box of actions, over which the first
    standard deviation is half the range. Nor is what belongs to their robot: no rotation, and a rounded gripper. They
    carry out the last mean; here the best candidate is carried out.

    ``model={"pose": NAME}`` shows the predictor the robot's pose next to each action, as published: a vector of the
    data that actions add to. Energies compare what the images show, without it.
    """

    kind = ActionConditioned
    size: str = "tiny"
    model: Mapping[str, Any] = field(default_factory=dict)
    objective: tuple[Part, ...] = (
        Part("prediction", {"distance": "l1", "starts": "mixed"}),
        Part("rollout", {"steps": 2, "distance": "l1"}),
    )
    clip: int = 8
    steps: int = 5_000
    training: TrainingConfig = field(
        default_factory=lambda: TrainingConfig(
            batch_size=32,
            lr=4.25e-4,
            lr_start=0.18,
            lr_end=0.0,
            warmup=0.05,
            schedule="constant",
            cooldown=0.05,
            weight_decay=0.04,
            clip_norm=1.0,
        )
    )
    policy_steps: int = 0
    acting: Acting = field(
        default_factory=lambda: Acting(
            planner=Part(
                "cem",
                {"samples": 400, "iterations": 10, "elites": 10, "mean_momentum": 0.15, "std_momentum": 0.15},
            ),
            cost=(Part("goal", {"metric": "l1"}),),
            horizon=2,
        )
    )

    def build_model(self, spec: Spec, seed: int) -> Any:
        """Build the model as :meth:`AgentRecipe.build_model`.

        Raises:
            ConfigError: if no encoder is named.
        """
        if spec.action.size and not self.encoder and "perception" not in self.model:
            raise ConfigError("vjepa2_ac needs the run of a perception model. Name it: encoder='RUN'.")
        return super().build_model(spec, seed)

    def with_encoder(self, perception: PerceptionConfig) -> dict[str, Any]:
        """Return the options of the model, with the encoder of a perception model for its camera."""
        return {**self.model, "perception": perception}

    def build_agent(self, model: Dynamics, proposal: Proposal | None = None, critics: Critics | None = None) -> Agent:
        """Build the agent that plans with a model. It plans towards the images of its goal, whatever the pose there."""
        if not isinstance(model, ActionConditioned) or not model.config.pose:
            return super().build_agent(model, proposal, critics)
        camera = {"on": model.config.modality}
        cost = tuple(
            replace(part, options={**camera, **part.options}) if part.name == "goal" else part
            for part in self.acting.cost
        )
        recipe = replace(self, acting=replace(self.acting, cost=cost))
        return AgentRecipe.build_agent(recipe, model, proposal, critics)

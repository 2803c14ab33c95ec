"""A world model on the patch tokens of a pretrained encoder: V-JEPA 2-AC."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit._registry import suggest
from tacit.errors import ConfigError, SpecError
from tacit.models._check import batched, check_actions, check_sizes
from tacit.models._eye import Eye, Perception, Tune, check_camera, check_frozen, check_tune
from tacit.models._input import chosen
from tacit.models._model import Dynamics, PerceptionModel, preset, seeded
from tacit.models.frame_encoder import FrameEncoder, FrameEncoderConfig
from tacit.models.masked import MONITORED
from tacit.nn.block_causal import BlockCausalPredictor, Memories
from tacit.nn.linear import keep_freed_memory
from tacit.types import Array, Box, Clip, Context, Forecast, Spec

__all__ = ["ActionConditioned", "ActionConditionedConfig"]

PREDICTORS: dict[str, dict[str, int]] = {
    "tiny": {"predictor_width": 96, "predictor_depth": 4, "predictor_heads": 3},
    "small": {"predictor_width": 192, "predictor_depth": 6, "predictor_heads": 6},
    "base": {"predictor_width": 384, "predictor_depth": 12, "predictor_heads": 12},
    "large": {"predictor_width": 1024, "predictor_depth": 24, "predictor_heads": 16},
}


@dataclass(frozen=True)
class ActionConditionedConfig:
    """What an :class:`ActionConditioned` is made of; plain values, so that it becomes JSON and back.

    Args:
        spec: What the world shows and accepts.
        perception: The configuration of the perception model whose encoder it looks with.
        modality: The camera; the first where not named.
        pose: A vector that actions add to, component by component, such as the pose of a robot's hand: the predictor
            sees it at each step. None where empty.
        frameskip: Steps of the world, and so raw actions, in one step of the model.
        history: Frames, the current one included, that an agent lets it look back on.
        tune: ``frozen``; ``last``: the last blocks of the encoder learn on; ``lora``: additions of low rank; ``all``.
        tune_last: How many blocks, with ``last``.
        tune_rank: Of the additions, with ``lora``.
        predictor_width: Size of a token of the predictor.
        predictor_depth: Its blocks.
        predictor_heads: Its attention heads.
        checkpointing: Compute the predictor's activations anew in backward, for memory.

    Raises:
        ConfigError: if the camera does not show what the encoder sees, the pose is no vector of as many components as
            an action, or an option is out of range.
    """

    spec: Spec
    perception: Perception
    modality: str = ""
    pose: str = ""
    frameskip: int = 1
    history: int = 1
    tune: Tune = "frozen"
    tune_last: int = 1
    tune_rank: int = 8
    predictor_width: int = 96
    predictor_depth: int = 4
    predictor_heads: int = 3
    checkpointing: bool = False

    def __post_init__(self) -> None:
        check_sizes(self)
        object.__setattr__(self, "modality", chosen(self.spec, self.modality))
        check_camera(self.spec, self.modality, self.perception)
        if self.frameskip < 1 or self.history < 1:
            raise ConfigError(f"frameskip and history are at least 1; got {self.frameskip} and {self.history}.")
        check_tune(self.tune, self.tune_last, self.tune_rank)
        if self.pose:
            check_pose(self.spec, self.pose)

    @property
    def seen(self) -> tuple[str, ...]:
        """The modalities that the model sees."""
        return (self.modality, self.pose) if self.pose else (self.modality,)

    @property
    def frames(self) -> FrameEncoderConfig:
        """The configuration of the encoder alone."""
        return FrameEncoderConfig(self.spec, self.perception, self.modality)

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens of a picture."""
        return self.frames.grid

    @property
    def shown(self) -> int:
        """Size of what a frame shows: that of a token times their number."""
        return math.prod(self.grid) * self.perception.width

    @property
    def pose_size(self) -> int:
        """Components of the pose; 0 for none."""
        return self.spec.action.size if self.pose else 0

    @property
    def latent(self) -> int:
        """Size of a latent: what a frame shows, and the pose."""
        return self.shown + self.pose_size

    @property
    def action_size(self) -> int:
        """``A'``, the size of an action block."""
        return self.frameskip * self.spec.action.size


class ActionConditioned(Dynamics):
    """V-JEPA 2-AC (arXiv 2506.09985, section 3): predict what an action does to the patch tokens of a frozen encoder.

    Each frame is encoded by itself and its tokens are layer-normalised; a block-causal transformer sees, at each step,
    an action, the robot's pose where the data has one, and the tokens of the frame. Latents of a frame are its tokens
    one after the other and then the normalised pose, ``[B, T, n D + P]``, so that agents, costs, planners and probes
    take it as any world model. In imagination every action moves the pose by itself, as the authors have it for
    positions; their rotations are composed, which for small ones is the same.

    Args:
        config: What to build; its encoder is untrained until :meth:`adopt`.
    """

    configuration = ActionConditionedConfig
    config: ActionConditionedConfig
    encoder: Eye
    rows = 32
    """Candidates that a rollout imagines at a time: their tokens are many."""

    def __init__(self, config: ActionConditionedConfig) -> None:
        super().__init__(config.spec, config.seen, acts=True)
        keep_freed_memory()
        self.config = config
        self.frameskip, self.latent_size, self.action_size = config.frameskip, config.latent, config.action_size
        self.encoder = Eye(config.perception, config.tune, config.tune_last, config.tune_rank)
        self.predictor = BlockCausalPredictor(
            config.grid,
            config.perception.width,
            config.action_size,
            config.pose_size,
            config.predictor_width,
            config.predictor_depth,
            config.predictor_heads,
            latent_norm=True,
            checkpointing=config.checkpointing,
        )

    @classmethod
    def for_spec(cls, spec: Spec, size: str = "tiny", seed: int = 0, **overrides: Any) -> ActionConditioned:
        """A model for what a dataset shows and accepts.

        Args:
            spec: For example ``episodes.spec``.
            size: Of the predictor: ``tiny``, ``small``, ``base``, or ``large`` as published.
            seed: Of the weights.
            overrides: Any option of :class:`ActionConditionedConfig`; ``perception`` is needed.

        Raises:
            ConfigError: for an unknown size or option, or values that do not fit together.
        """
        options = preset(ActionConditionedConfig, PREDICTORS, size, overrides)
        if "perception" not in overrides:
            raise ConfigError(
                "an action-conditioned model looks with the encoder of a perception model; name its run: encoder='RUN'."
            )
        return seeded(cls, ActionConditionedConfig(spec, **options), seed)

    @property
    def frames(self) -> FrameEncoder:
        """The frozen encoder alone, to write its tokens to disk; it shares the weights.

        Raises:
            ConfigError: if it learns.
        """
        check_frozen(self.config.tune)
        return FrameEncoder(self.config.frames, self.encoder).train(self.training)

    @property
    def latent_parts(self) -> Mapping[str, slice]:
        """The tokens of the camera and, where there is one, the pose."""
        camera, pose = self.config.modality, self.config.pose
        parts = {camera: slice(0, self.config.shown)}
        return {**parts, pose: slice(self.config.shown, self.config.latent)} if pose else parts

    def adopt(self, perception: PerceptionModel) -> None:
        """Take the trained weights of a perception model's encoder.

        Raises:
            ConfigError: if it is of another configuration than the one that this model was built with.
        """
        self.encoder.adopt(perception)

    def encode(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """Latents ``[..., n D + P]`` of observations with leading axes ``[B]`` or ``[B, T]``, each frame by itself.

        Raises:
            SpecError: if the camera or the pose is missing or its shape or dtype does not fit the Spec.
        """
        (pictures, *poses), leading = batched(self.config, observation, self.device)
        return self._latents(self.encoder(pictures), *poses).reshape(*leading, -1)

    def predict(self, latents: Tensor, actions: Tensor) -> Tensor:
        """Teacher-forced one-step forecasts, causal: see :meth:`tacit.models.WorldModel.predict`."""
        check_actions(self.config, latents, actions, "T")
        frames, poses = self._apart(latents)
        predicted = self.predictor(frames, self._normalised(actions), poses).reshape(*latents.shape[:2], -1)
        return predicted if poses is None else torch.cat([predicted, poses + self._moves(actions)], dim=-1)

    def rollout(self, context: Context, blocks: Tensor, /) -> Tensor:
        """Imagined latents under candidate actions; see :meth:`tacit.models.WorldModel.rollout`."""
        if blocks.ndim == 3:
            return self.rollout(context, blocks[:, None])[:, 0]
        check_actions(self.config, context.latents, blocks, "S, H")
        latents, past_actions = self._known(context, blocks)
        memories: Memories = ()
        if latents.shape[1] > 1:
            frames, poses = self._apart(latents[:, :-1])
            _, memories = self.predictor.advance(frames, self._normalised(past_actions), poses)
        current, pose = self._apart(latents[:, -1:])
        rolled = [
            self._imagined(current, pose, part, memories)
            for part in torch.split(blocks, max(self.rows // len(blocks), 1), dim=1)
        ]
        return torch.cat(rolled, dim=1)

    def _imagined(self, frame: Tensor, pose: Tensor | None, actions: Tensor, memories: Memories = ()) -> Tensor:
        """Latents ``[B, S, H, D]`` after blocks ``[B, S, H, A']`` from one frame and its pose ``[B, 1, P]``."""
        if pose is None:
            return self.predictor.rollout(frame, self._normalised(actions), memories=memories).flatten(3)
        after = pose[:, None] + self._moves(actions).cumsum(dim=2)
        before = torch.cat([pose[:, None].expand(-1, actions.shape[1], -1, -1), after[:, :, :-1]], dim=2)
        predicted = self.predictor.rollout(frame, self._normalised(actions), before, memories=memories)
        return torch.cat([predicted.flatten(3), after], dim=-1)

    def forecast(self, clip: Clip, steps: int = 1, starts: Literal["every", "first", "mixed"] = "mixed") -> Forecast:
        """What the model makes of a clip, for objectives to judge.

        Args:
            clip: Windows of ``T`` observations; where it has ``latents``, the frozen encoder is not asked.
            steps: How far to predict, at most ``T - 1``.
            starts: ``mixed``: one step from every observation, further ones from the first alone; ``first``: all from
                the first; ``every`` for one step.

        Raises:
            ConfigError: for several steps from every observation, or latents for an encoder that learns.
            SpecError: if the clip does not fit the model or is too short.
        """
        if starts == "every" and steps > 1:
            raise ConfigError("this model predicts several steps from the first observation alone: starts='mixed'.")
        latents = self.encode(clip.observation) if clip.latents is None else self._given(clip.latents, clip.observation)
        if not 1 <= steps < latents.shape[1]:
            raise SpecError(
                f"a clip of {latents.shape[1]} observations allows 1 to {latents.shape[1] - 1} steps of prediction; "
                f"got {steps}. Ask for longer clips or fewer steps."
            )
        blocks = clip.action.to(self.device)
        check_actions(self.config, latents, blocks, "T")
        predictions: list[Tensor] = [] if starts == "first" else [self.predict(latents[:, :-1], blocks)]
        if len(predictions) < steps:
            frame, pose = self._apart(latents[:, :1])
            rolled = self._imagined(frame, pose, blocks[:, None, :steps])[:, 0]
            predictions += list(torch.split(rolled, 1, dim=1))[len(predictions) :]
        return Forecast(latents, latents, self._normalised(blocks), tuple(predictions))

    def monitored(self, _clip: Clip, outcome: Forecast, /) -> Tensor:
        """The tokens of frames, less what all frames have in common at a place; without the pose.

        A camera that stands still shows the same at most places, whose tokens would each look like a dead channel.

        Returns:
            ``[B n', T, D]`` at up to 64 places ``n'``; their mean is that of the tokens.
        """
        frames, _ = self._apart(outcome.latents)
        tokens = frames.float().reshape(*outcome.latents.shape[:2], -1, self.config.perception.width)
        tokens = tokens[:, :, :: -(-tokens.shape[2] // MONITORED)]
        apart: Tensor = tokens - tokens.mean(dim=(0, 1)) + tokens.mean(dim=(0, 1, 2))
        return apart.transpose(1, 2).flatten(0, 1)

    def _given(self, tokens: Tensor, observation: Mapping[str, Tensor]) -> Tensor:
        """Latents ``[B, T, n D + P]`` of observations whose tokens ``[B, T, n, D]`` the encoder made before.

        Raises:
            ConfigError: if the encoder learns.
            SpecError: if the tokens are not as many or as wide as those of the encoder.
        """
        check_frozen(self.config.tune)
        self.config.frames.check_tokens(tokens)
        pose = [observation[self.config.pose].to(self.device)] if self.config.pose else []
        return self._latents(tokens.to(self.device, non_blocking=True).float(), *pose)

    def _latents(self, tokens: Tensor, pose: Tensor | None = None) -> Tensor:
        """Tokens ``[..., n, D]``, each normalised, one after the other, and the pose ``[..., P]`` behind them."""
        frames = F.layer_norm(tokens, tokens.shape[-1:]).flatten(-2)
        return frames if pose is None else torch.cat([frames, self.normalizer(self.config.pose)(pose)], dim=-1)

    def _apart(self, latents: Tensor) -> tuple[Tensor, Tensor | None]:
        """Tokens ``[B, T n, D]``, as the predictor takes them, and poses ``[B, T, P]`` of latents."""
        frames = latents[..., : self.config.shown].reshape(len(latents), -1, self.config.perception.width)
        return frames, latents[..., self.config.shown :] if self.config.pose else None

    def _moves(self, actions: Tensor) -> Tensor:
        """By how much raw blocks ``[..., A']`` move the normalised pose, ``[..., P]``."""
        moved = actions.reshape(*actions.shape[:-1], self.frameskip, -1).sum(dim=-2)
        out: Tensor = moved / self.normalizer(self.config.pose).std
        return out


def check_pose(spec: Spec, name: str) -> None:
    """Refuse a pose that actions cannot be added to.

    Raises:
        ConfigError: naming it.
    """
    if name not in spec.modalities:
        raise ConfigError(f"there is no {name!r} to be the pose.{suggest(name, spec.modalities)}")
    modality, action = spec.modalities[name], spec.action
    if modality.kind != "vector" or not isinstance(action, Box) or modality.shape != (action.size,):
        raise ConfigError(
            f"a pose is a vector of as many components as a continuous action, which every action adds to; {name!r} is "
            f"{modality.kind} of shape {modality.shape}, and an action has {action.size}."
        )

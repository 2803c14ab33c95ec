"""V-JEPA 2-AC: a world model on the patch tokens of a pretrained encoder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit._config import WEIGHTLESS, registered
from tacit.errors import ConfigError, SpecError
from tacit.models._check import batched, check_actions, check_sizes
from tacit.models._input import check_pose, default_modality
from tacit.models._model import Dynamics, preset, seeded
from tacit.models._perception import PerceptionConfig, PerceptionModel
from tacit.models._pretrained import PretrainedEncoder, Tune, check_frozen, check_input, check_tune
from tacit.models.frame_encoder import FrameEncoder, FrameEncoderConfig
from tacit.models.masked import MONITORED
from tacit.nn.block_causal import BlockCausalPredictor, Memories
from tacit.types import Array, Clip, Context, Forecast, ForecastRequest, Spec
from tacit.types.outcomes import Outcome

__all__ = ["ActionConditioned", "ActionConditionedConfig"]

PREDICTORS: dict[str, dict[str, int]] = {
    "tiny": {"predictor_width": 96, "predictor_depth": 4, "predictor_heads": 3},
    "small": {"predictor_width": 192, "predictor_depth": 6, "predictor_heads": 6},
    "base": {"predictor_width": 384, "predictor_depth": 12, "predictor_heads": 12},
    "large": {"predictor_width": 1024, "predictor_depth": 24, "predictor_heads": 16},
}


@dataclass(frozen=True)
class ActionConditionedConfig:
    """Configuration of an :class:`ActionConditioned`; plain values that convert to JSON and back.

    Args:
        spec: Observations and actions of the world.
        perception: The configuration of the perception model that provides the encoder.
        modality: The camera; the first where not named.
        pose: A vector that actions add to, component by component, such as the pose of a robot's hand: the predictor
            reads it at each step. None where empty.
        frameskip: Steps of the world, and so raw actions, in one step of the model.
        history: Frames, the current one included, that an agent keeps as context.
        tune: Trained part of the encoder: ``frozen`` (none), its ``last`` blocks, low-rank additions (``lora``) or
            ``all``.
        tune_last: Number of blocks, with ``last``.
        tune_rank: Rank of the additions, with ``lora``.
        predictor_width: Size of a token of the predictor.
        predictor_depth: Its blocks.
        predictor_heads: Its attention heads.
        checkpointing: Recompute the predictor's activations in backward, to save memory.

    Raises:
        ConfigError: if the camera's images do not fit the encoder, the pose is not a vector of as many components as
            an action, or an option is out of range.
    """

    spec: Spec = field(metadata=WEIGHTLESS)
    perception: PerceptionConfig = field(metadata=registered("tacit.models", "configuration"))
    modality: str = field(default="", metadata=WEIGHTLESS)
    pose: str = ""
    frameskip: int = field(default=1, metadata=WEIGHTLESS)
    history: int = 1
    tune: Tune = field(default="frozen", metadata=WEIGHTLESS)
    tune_last: int = field(default=1, metadata=WEIGHTLESS)
    tune_rank: int = field(default=8, metadata=WEIGHTLESS)
    predictor_width: int = 96
    predictor_depth: int = 4
    predictor_heads: int = 3
    checkpointing: bool = field(default=False, metadata=WEIGHTLESS)

    def __post_init__(self) -> None:
        check_sizes(self)
        object.__setattr__(self, "modality", default_modality(self.spec, self.modality))
        check_input(self.perception, self.spec.modalities[self.modality], self.modality)
        if self.frameskip < 1 or self.history < 1:
            raise ConfigError(f"frameskip and history are at least 1; got {self.frameskip} and {self.history}.")
        check_tune(self.tune, self.tune_last, self.tune_rank, "tune_")
        if self.pose:
            check_pose(self.spec, self.pose)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the modalities that the model reads."""
        return (self.modality, self.pose) if self.pose else (self.modality,)

    @property
    def frames(self) -> FrameEncoderConfig:
        """Return the configuration of the encoder alone."""
        return FrameEncoderConfig(self.spec, self.perception, self.modality)

    @property
    def grid(self) -> tuple[int, int]:
        """Return the tokens of an image, down and across."""
        return self.frames.grid

    @property
    def feature_size(self) -> int:
        """Return the size of a frame's tokens: the size of a token times their number."""
        return math.prod(self.grid) * self.perception.width

    @property
    def pose_size(self) -> int:
        """Return the components of the pose; 0 for none."""
        return self.spec.action.size if self.pose else 0

    @property
    def latent(self) -> int:
        """Return the size of a latent: the tokens of a frame, and the pose."""
        return self.feature_size + self.pose_size

    @property
    def action_size(self) -> int:
        """Return ``A'``, the size of an action block."""
        return self.frameskip * self.spec.action.size


class ActionConditioned(Dynamics):
    """V-JEPA 2-AC (arXiv 2506.09985, section 3): action-conditioned prediction of a frozen encoder's tokens.

    Each frame is encoded independently and its tokens are layer-normalised; a block-causal transformer reads, at each
    step, an action, the robot's pose where the data has one, and the tokens of the frame. Latents of a frame are its
    concatenated tokens and then the normalised pose, ``[B, T, n D + P]``, so that agents, costs, planners and probes
    take it as any world model. In imagination every action moves the pose independently, as the authors have it for
    positions; their rotations are composed, which for small ones is the same.

    Args:
        config: Configuration of the model; its encoder is untrained until :meth:`load_from`.
    """

    configuration = ActionConditionedConfig
    config: ActionConditionedConfig
    encoder: PretrainedEncoder
    rows = 32
    """Number of candidates that a rollout imagines at a time, to bound memory."""

    def __init__(self, config: ActionConditionedConfig) -> None:
        super().__init__(config.spec, config.inputs, acts=True)
        self.config = config
        self.frameskip, self.latent_size, self.action_size = config.frameskip, config.latent, config.action_size
        self.encoder = PretrainedEncoder(config.perception, config.tune, config.tune_last, config.tune_rank)
        self.predictor = BlockCausalPredictor(
            config.grid,
            config.perception.width,
            config.action_size,
            state=config.pose_size,
            width=config.predictor_width,
            depth=config.predictor_depth,
            heads=config.predictor_heads,
            latent_norm=True,
            checkpointing=config.checkpointing,
        )

    @classmethod
    def for_spec(cls, spec: Spec, size: str = "tiny", seed: int = 0, **overrides: Any) -> ActionConditioned:
        """Build a model for the observations and actions of a dataset.

        Args:
            spec: For example ``episodes.spec``.
            size: Size of the predictor: ``tiny``, ``small``, ``base``, or ``large`` as published.
            seed: Seed of the weights.
            overrides: Any option of :class:`ActionConditionedConfig`; ``perception`` is required.

        Raises:
            ConfigError: for an unknown size or option, or values that do not fit together.
        """
        options = preset(ActionConditionedConfig, PREDICTORS, size, overrides)
        if "perception" not in overrides:
            raise ConfigError("this model needs the encoder of a perception model: perception=model.config.")
        return seeded(cls, ActionConditionedConfig(spec, **options), seed)

    @property
    def frames(self) -> FrameEncoder:
        """Return the frozen encoder alone, to write its tokens to disk; it shares the weights.

        Raises:
            ConfigError: if the encoder is trained.
        """
        check_frozen(self.config.tune)
        return FrameEncoder(self.config.frames, self.encoder).train(self.training)

    @property
    def history(self) -> int:
        """Return the number of frames that an agent keeps as context."""
        return self.config.history

    @property
    def latent_parts(self) -> Mapping[str, slice]:
        """Return the tokens of the camera and, where there is one, the pose."""
        camera, pose = self.config.modality, self.config.pose
        parts = {camera: slice(0, self.config.feature_size)}
        return {**parts, pose: slice(self.config.feature_size, self.config.latent)} if pose else parts

    def load_from(self, perception: PerceptionModel) -> None:
        """Copy the trained weights of a perception model's encoder.

        Raises:
            ConfigError: if its configuration differs from the one that this model was built with.
        """
        self.encoder.load_from(perception)

    def encode(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """Return latents ``[..., n D + P]`` of observations with leading axes ``[B]`` or ``[B, T]``.

        Each frame is encoded independently.

        Raises:
            SpecError: if the camera or the pose is missing or its shape or dtype does not fit the Spec.
        """
        (images, *poses), leading = batched(self.config, observation, self.device)
        return self._latents(self.encoder(images), *poses).reshape(*leading, -1)

    def predict(self, latents: Tensor, actions: Tensor) -> Tensor:
        """Return teacher-forced one-step forecasts, causal: see :meth:`tacit.models.WorldModel.predict`."""
        check_actions(self.config, latents, actions, "T")
        frames, poses = self._apart(latents)
        predicted = self.predictor(frames, self._normalised(actions), poses).reshape(*latents.shape[:2], -1)
        return predicted if poses is None else torch.cat([predicted, poses + self._moves(actions)], dim=-1)

    def rollout(self, context: Context, blocks: Tensor, /) -> Tensor:
        """Return imagined latents under candidate actions; see :meth:`tacit.models.WorldModel.rollout`."""
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
        """Return latents ``[B, S, H, D]`` after blocks ``[B, S, H, A']`` from one frame.

        ``pose`` is the pose of that frame, ``[B, 1, P]``.
        """
        if pose is None:
            return self.predictor.rollout(frame, self._normalised(actions), memories=memories).flatten(3)
        after = pose[:, None] + self._moves(actions).cumsum(dim=2)
        before = torch.cat([pose[:, None].expand(-1, actions.shape[1], -1, -1), after[:, :, :-1]], dim=2)
        predicted = self.predictor.rollout(frame, self._normalised(actions), before, memories=memories)
        return torch.cat([predicted.flatten(3), after], dim=-1)

    def forecast(self, clip: Clip, request: ForecastRequest = ForecastRequest()) -> Forecast:
        """Predict the latents of a clip, for objectives.

        Args:
            clip: Windows of ``T`` observations; ``latents`` in it replace a call of the frozen encoder.
            request: Its ``steps`` and ``starts``; ``mixed`` by default, and ``every`` for one step alone.

        Raises:
            ConfigError: for several steps from every observation, or latents for an encoder that is trained.
            SpecError: if the clip does not fit the model or is too short.
        """
        steps, starts = request.steps, request.starts or "mixed"
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

    def monitored(self, _clip: Clip, outcome: Outcome, /) -> Tensor:
        """Return the tokens of frames, without the common part of each place and without the pose.

        A static camera shows the same content at most places, whose tokens would each look like a dead channel.

        Returns:
            ``[B n', T, D]`` at up to 64 places ``n'``, with the mean of the tokens.
        """
        frames, _ = self._apart(outcome.latents)
        tokens = frames.float().reshape(*outcome.latents.shape[:2], -1, self.config.perception.width)
        tokens = tokens[:, :, :: -(-tokens.shape[2] // MONITORED)]
        apart: Tensor = tokens - tokens.mean(dim=(0, 1)) + tokens.mean(dim=(0, 1, 2))
        return apart.transpose(1, 2).flatten(0, 1)

    def _given(self, tokens: Tensor, observation: Mapping[str, Tensor]) -> Tensor:
        """Return latents ``[B, T, n D + P]`` of observations with precomputed tokens ``[B, T, n, D]``.

        Raises:
            ConfigError: if the encoder is trained.
            SpecError: if the tokens do not have the encoder's number or width of tokens.
        """
        check_frozen(self.config.tune)
        self.config.frames.check_tokens(tokens)
        pose = [observation[self.config.pose].to(self.device)] if self.config.pose else []
        return self._latents(tokens.to(self.device, non_blocking=True).float(), *pose)

    def _latents(self, tokens: Tensor, pose: Tensor | None = None) -> Tensor:
        """Concatenate tokens ``[..., n, D]``, each normalised, and then the pose ``[..., P]``."""
        frames = F.layer_norm(tokens, tokens.shape[-1:]).flatten(-2)
        return frames if pose is None else torch.cat([frames, self.normalizer(self.config.pose)(pose)], dim=-1)

    def _apart(self, latents: Tensor) -> tuple[Tensor, Tensor | None]:
        """Split latents into tokens ``[B, T n, D]``, as the predictor takes them, and poses ``[B, T, P]``."""
        frames = latents[..., : self.config.feature_size].reshape(len(latents), -1, self.config.perception.width)
        return frames, latents[..., self.config.feature_size :] if self.config.pose else None

    def _moves(self, actions: Tensor) -> Tensor:
        """Return the displacement ``[..., P]`` of the normalised pose by raw blocks ``[..., A']``."""
        moved = actions.reshape(*actions.shape[:-1], self.frameskip, -1).sum(dim=-2)
        out: Tensor = moved / self.normalizer(self.config.pose).std
        return out

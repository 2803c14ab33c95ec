"""World model: encode observations, predict the effect of an action, roll out a plan."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError, SpecError
from tacit.models._check import batched, check_actions
from tacit.models._config import WorldModelConfig, configured
from tacit.models._custom import CustomModules, redrawn
from tacit.models._model import Dynamics, seeded
from tacit.models._observation_encoder import ObservationEncoder
from tacit.models._perception import PerceptionModel
from tacit.models._pretrained import PretrainedEncoder, check_frozen
from tacit.models.encoders.pretrained import PooledEncoder, Pretrained
from tacit.models.frame_encoder import FrameEncoder, FrameEncoderConfig
from tacit.nn.kernels import PLAIN, Kernels, kernels_for
from tacit.nn.mlp import MLP
from tacit.types import Array, Clip, Context, Forecast, ForecastRequest, Spec

__all__ = ["WorldModel", "WorldModelConfig"]


class WorldModel(Dynamics):
    """Joint-embedding predictive world model: encoders, projector, action encoder and predictor, no decoder.

    It takes observations and actions in the units of the world (bytes, raw units) and normalises inside.

    Args:
        config: Configuration of the model.
        modules: The user's modules, where the configuration has ``Custom`` components, by place: ``predictor`` or
            ``encoders.NAME``.

    Raises:
        ConfigError: if a module is missing or has no place, or options do not fit together.
    """

    configuration = WorldModelConfig
    config: WorldModelConfig
    encoder: ObservationEncoder
    target_encoder: ObservationEncoder | None

    def __init__(self, config: WorldModelConfig, modules: Mapping[str, nn.Module] | None = None) -> None:
        super().__init__(config.spec, config.inputs, acts=True)
        self.config = config
        self.frameskip, self.latent_size, self.action_size = config.frameskip, config.latent, config.action_size
        own = CustomModules(config, modules or {})
        self.encoder = ObservationEncoder(config, own)
        self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False) if config.target == "ema" else None
        self.action_encoder, width = None, config.action_size
        if config.action_width:
            self.action_encoder = MLP(config.action_size, (config.action_width,), config.latent, activation="silu")
            width = config.latent
        self.predictor = own.predictor(config, width)

    @classmethod
    def for_spec(cls, spec: Spec, size: str = "tiny", seed: int = 0, **overrides: Any) -> WorldModel:
        """Build a model for the observations and actions of a dataset or an environment.

        Args:
            spec: For example ``episodes.spec``.
            size: For one camera of 64 x 64 pixels: ``tiny``, convolutions and an MLP predictor, ``D`` = 32,
                0.3 million parameters; ``small``, the same wider, ``D`` = 64, 1.3 million; ``base``,
                LeWorldModel's ViT-Tiny with its transformer predictor, ``D`` = 192, 18 million.
            seed: Seed of the weights.
            overrides: Any option of :class:`WorldModelConfig`. A predictor or an encoder is a configuration such as
                ``tc.models.predictors.GRU()``, a name such as ``"gru"``, or a mapping of options, with the name under
                ``name`` where it is not the one of the size; or a module, a :class:`tacit.nn.Predictor` or
                :class:`tacit.nn.Encoder`. Encoders are named by modality or by kind of modality.

        Raises:
            ConfigError: for an unknown size or option, or values that do not fit together.
        """
        config, modules = configured(spec, size, overrides)
        return seeded(lambda config: cls(config, modules), config, seed)

    def untrained(self) -> WorldModel:
        """Return a model of the same configuration with new weights, also in the user's modules.

        Raises:
            ConfigError: if a module of the user cannot draw its weights again.
        """
        found = {f"encoders.{name}": self.encoder.encoders[name] for name in self.config.inputs}
        found["predictor"] = self.predictor
        return WorldModel(self.config, {place: redrawn(found[place]) for place in self.config.custom})

    @property
    def history(self) -> int:
        """Return the number of latents that the predictor reads, at least one."""
        return self.predictor.history

    @property
    def frames(self) -> FrameEncoder:
        """Return the frozen encoder of a perception model alone, to write its tokens to disk.

        It shares the weights.

        Raises:
            ConfigError: if the encoder is trained, or the model has no pretrained encoder or encodes several cameras.
        """
        config, encoder = self._camera()
        return FrameEncoder(config, encoder).train(self.training)

    def load_from(self, perception: PerceptionModel) -> None:
        """Copy the trained encoder of a perception model, of the configuration that this model was built with.

        Raises:
            ConfigError: if this model has no pretrained encoder, or the other model has another configuration.
        """
        pretrained = [module for module in self.modules() if isinstance(module, PretrainedEncoder)]
        if not pretrained:
            raise ConfigError(
                "this world model has no pretrained encoder. Build it with "
                'encoders={"pixels": tc.models.encoders.Pretrained(perception.config)}.'
            )
        for encoder in pretrained:
            encoder.load_from(perception)

    def encode(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """Return latents ``[..., D]`` of observations with leading axes ``[B]`` or ``[B, T]``.

        Args:
            observation: Per modality pixels uint8 ``[..., C, H, W]``, vectors ``[..., D]``, series ``[..., R, C]``.

        Raises:
            SpecError: if a modality is missing or its shape or dtype does not fit the Spec.
        """
        return self._embed(self.encoder, observation)

    def encode_target(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """Return the latents of the target encoder; without gradients for an EMA copy."""
        if self.target_encoder is None:
            return self.encode(observation)
        with torch.no_grad():
            return self._embed(self.target_encoder, observation)

    def predict(self, latents: Tensor, actions: Tensor) -> Tensor:
        """Return teacher-forced one-step forecasts, causal.

        Args:
            latents: ``[B, T, D]``.
            actions: ``[B, T, A']`` raw action blocks; block ``t`` follows latent ``t``.

        Returns:
            ``[B, T, D]``: entry ``t`` forecasts latent ``t + 1``.
        """
        check_actions(self.config, latents, actions, "T")
        out: Tensor = self.predictor(latents, self._action_latents(self._normalised(actions), PLAIN))
        return out

    def rollout(self, context: Context, blocks: Tensor, /) -> Tensor:
        """Return imagined latents under candidate actions.

        Without gradients, on the CPU, in float32 and evaluation mode the layers run from packed weights.

        Args:
            context: Observed latents and actions; a model of history 1 needs the last latent only.
            blocks: ``[B, S, H, A']`` raw action blocks of ``S`` candidates, or ``[B, H, A']`` of one.

        Returns:
            ``[B, S, H, D]``, or ``[B, H, D]`` for one candidate.

        Raises:
            SpecError: if latents and actions do not fit the model or each other.
        """
        if blocks.ndim == 3:
            return self.rollout(context, blocks[:, None])[:, 0]
        check_actions(self.config, context.latents, blocks, "S, H")
        latents, past_actions = self._known(context, blocks)
        kernels = kernels_for(*(part for part in (self.predictor, self.action_encoder) if part is not None))
        worlds, parts = len(blocks), 1
        if kernels is not PLAIN:
            # Imagine as many candidates at a time as stay in the processor's cache.
            worlds, parts = max(self.predictor.rows // blocks.shape[1], 1), -(-blocks.shape[1] // self.predictor.rows)
        rolled = []
        for some, past, following in zip(
            *(torch.split(part, worlds) for part in (latents, past_actions, blocks)), strict=True
        ):
            before = self._action_latents(self._normalised(past), kernels)
            for part in following.chunk(parts, dim=1):
                encoded = self._action_latents(self._normalised(part), kernels)
                rolled.append(self.predictor.rollout(some, before, encoded, kernels))
        if parts > 1:
            rolled = [torch.cat(rolled[i : i + parts], dim=1) for i in range(0, len(rolled), parts)]
        return torch.cat(rolled)

    def forecast(self, clip: Clip, request: ForecastRequest = ForecastRequest()) -> Forecast:
        """Predict the latents of a clip, for objectives.

        Args:
            clip: Windows of ``T`` observations; ``latents`` in it replace a call of the frozen encoder.
            request: Its ``steps`` and ``starts``; ``every`` observation by default.

        Raises:
            ConfigError: if the clip has latents and the encoder is trained, or is not a perception model's; or if a
                training would leave steps of a pass of the predictor untrained.
            SpecError: if the clip does not fit the model or is too short.
        """
        tokens = None if clip.latents is None else self._given(clip.latents)
        latents = self._embed(self.encoder, clip.observation, tokens)
        steps, starts = request.steps, request.starts or "every"
        if not 1 <= steps < latents.shape[1]:
            raise SpecError(
                f"a clip of {latents.shape[1]} observations allows 1 to {latents.shape[1] - 1} steps of prediction; "
                f"got {steps}. Ask for longer clips or fewer steps."
            )
        if self.training and steps < self.predictor.span:
            raise ConfigError(
                f"the predictor predicts {self.predictor.span} steps in one pass, and the objective trains {steps} of "
                f"them. Train a prediction of {self.predictor.span} steps, or build the predictor with span={steps}."
            )
        targets = latents
        if self.target_encoder is not None:
            with torch.no_grad():
                targets = self._embed(self.target_encoder, clip.observation, tokens)
        blocks = clip.action.to(self.device)
        check_actions(self.config, latents, blocks, "T")
        actions = self._normalised(blocks)
        encoded = self._action_latents(actions, PLAIN)
        if starts == "every":
            predictions = self.predictor.unroll(latents[:, :-1], encoded, steps)
        elif starts in ("first", "mixed"):
            rolled = self.predictor.rollout(latents[:, :1], encoded[:, :0], encoded[:, None, :steps])[:, 0]
            predictions = torch.split(rolled, 1, dim=1)
            if starts == "mixed":
                predictions = (self.predictor(latents[:, :-1], encoded), *predictions[1:])
        else:
            raise ConfigError(f"starts is 'every', 'first' or 'mixed'; got {starts!r}.")
        changed = self._embed(self.encoder, {**clip.observation, **clip.changed}) if clip.changed else None
        return Forecast(latents, targets, actions, predictions, changed, clip.changed_at)

    def _camera(self) -> tuple[FrameEncoderConfig, PretrainedEncoder]:
        """Return the one camera that the frozen pretrained encoder encodes, and that encoder."""
        modules = self.encoder.encoders
        pretrained = {name: one.eye for name, one in modules.items() if isinstance(one, PooledEncoder)}
        if len(pretrained) != 1:
            raise ConfigError(
                "latents on disk are of one camera with a pretrained encoder; this world model has "
                f"{len(pretrained)} such cameras. Train from images, or name one camera with modalities=."
            )
        ((name, encoder),) = pretrained.items()
        config = self.config.encoders[name]
        if isinstance(config, Pretrained):
            check_frozen(config.tune)
        return FrameEncoderConfig(self.config.spec, encoder.config, name), encoder

    def _given(self, tokens: Tensor) -> Tensor:
        """Check precomputed tokens ``[B, T, n, D']``; return them as ``[B T, n, D']`` on this device."""
        self._camera()[0].check_tokens(tokens)
        return tokens.flatten(0, 1).to(self.device, non_blocking=True).float()

    def _embed(
        self, encoder: ObservationEncoder, observation: Mapping[str, Tensor | Array], tokens: Tensor | None = None
    ) -> Tensor:
        values, leading = batched(self.config, observation, self.device)
        statistics = [self.statistics_of(name) for name in self.config.inputs]
        out: Tensor = encoder([(value, *own) for value, own in zip(values, statistics, strict=True)], tokens)
        return out.reshape(*leading, -1)

    def _action_latents(self, normalised: Tensor, kernels: Kernels) -> Tensor:
        return normalised if self.action_encoder is None else kernels.mlp(self.action_encoder, normalised)

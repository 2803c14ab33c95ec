"""The world model: encode what is seen, predict what an action does, roll out what a plan would do."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tacit._registry import suggest
from tacit.errors import ConfigError, SpecError
from tacit.models._build import ObservationEncoder, build_action_encoder, build_predictor
from tacit.models._check import batched, check_actions
from tacit.models._config import SIZES, TRANSFORMER, WorldModelConfig
from tacit.nn.encoders import Normalizer
from tacit.nn.kernels import PLAIN, Kernels, kernels_for
from tacit.nn.linear import keep_freed_memory
from tacit.types import Array, Clip, Discrete, Forecast, Spec, Statistics

__all__ = ["WorldModel", "WorldModelConfig"]


class WorldModel(nn.Module):
    """A joint-embedding predictive world model: encoders, projector, action encoder and predictor, no decoder.

    It takes observations and actions as the world has them (bytes, raw units) and normalises inside,
    with the statistics given to :meth:`fit`.

    Args:
        config: What to build.
    """

    def __init__(self, config: WorldModelConfig) -> None:
        super().__init__()
        keep_freed_memory()
        self.config = config
        self.normalizers = nn.ModuleDict()
        for name in config.seen:
            modality = config.spec.modalities[name]
            pixels = modality.kind == "pixels"
            self.normalizers[name] = Normalizer(modality.shape[0], *((0.5, 0.25) if pixels else (0.0, 1.0)))
        self.action_normalizer = Normalizer(config.spec.action.size)
        self.encoder = ObservationEncoder(config)
        self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False) if config.target == "ema" else None
        self.action_encoder, width = build_action_encoder(config)
        self.predictor = build_predictor(config, width)

    @classmethod
    def for_spec(cls, spec: Spec, size: str = "tiny", **overrides: Any) -> WorldModel:
        """A model for what a dataset or an environment shows and accepts.

        Args:
            spec: For example ``episodes.spec``.
            size: For one camera of 64 x 64 pixels: ``tiny``, convolutions and an MLP predictor, ``D`` = 32,
                0.3 million parameters; ``small``, the same wider, ``D`` = 64, 1.3 million; ``base``,
                LeWorldModel's ViT-Tiny with its transformer predictor, ``D`` = 192, 18 million.
            overrides: Any option of :class:`WorldModelConfig`.

        Raises:
            ConfigError: for an unknown size or option, or values that do not fit together.
        """
        if size not in SIZES:
            raise ConfigError(f"no size called {size!r}.{suggest(size, SIZES)} There are: {', '.join(SIZES)}.")
        options = WorldModelConfig.__dataclass_fields__
        for name in overrides:
            if name not in options:
                raise ConfigError(f"WorldModelConfig has no option {name!r}.{suggest(name, options)}")
        chosen = {**SIZES[size], **overrides}
        if chosen.get("predictor", "mlp") != "transformer":
            chosen = {name: value for name, value in chosen.items() if name in overrides or name not in TRANSFORMER}
        pixels = {name: m.shape for name, m in spec.modalities.items() if m.kind == "pixels"}
        if size == "base" and pixels:
            large = max(max(shape[1:]) for shape in pixels.values()) > 112
            chosen = {"patch": 14 if large else 8, **chosen}
            chosen["encoders"] = {**dict.fromkeys(pixels, "vit"), **overrides.get("encoders", {})}
        return cls(WorldModelConfig(spec, **chosen))

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.action_normalizer.mean.device

    @property
    def statistics(self) -> Statistics:
        """The means and standard deviations that inputs are normalised with."""
        parts = {**{name: self._normalizer(name) for name in self.config.seen}, "action": self.action_normalizer}
        return Statistics(
            {name: tuple(part.mean.tolist()) for name, part in parts.items()},
            {name: tuple(part.std.tolist()) for name, part in parts.items()},
        )

    def fit(self, statistics: Statistics) -> None:
        """Take the statistics of the training episodes; a discrete action stays one-hot.

        Raises:
            SpecError: if they lack a modality that the model sees or have another number of components.
        """
        parts = {name: self._normalizer(name) for name in self.config.seen}
        if not isinstance(self.config.spec.action, Discrete):
            parts["action"] = self.action_normalizer
        for name, part in parts.items():
            if name not in statistics.mean or name not in statistics.std:
                raise SpecError(
                    f"the model needs statistics of {', '.join(parts)}; {name!r} is missing. "
                    "Fit them on the episodes that the model trains on: episodes.statistics()."
                )
            if len(statistics.mean[name]) != len(part.mean):
                raise SpecError(
                    f"statistics of {name!r} have {len(statistics.mean[name])} components; "
                    f"the model's Spec has {len(part.mean)}."
                )
            part.fit(statistics.mean[name], statistics.std[name])

    def encode(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """Latents ``[..., D]`` of observations with leading axes ``[B]`` or ``[B, T]``.

        Args:
            observation: Per modality pixels uint8 ``[..., C, H, W]``, vectors ``[..., D]``, series ``[..., R, C]``.

        Raises:
            SpecError: if a modality is missing or its shape or dtype does not fit the Spec.
        """
        return self._embed(self.encoder, observation)

    def encode_target(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """As :meth:`encode`, by the encoder of the targets; without gradients where that is an EMA copy."""
        if self.target_encoder is None:
            return self.encode(observation)
        with torch.no_grad():
            return self._embed(self.target_encoder, observation)

    @torch.no_grad()
    def update_target(self, decay: float) -> None:
        """Move the target encoder towards the encoder: ``target = decay * target + (1 - decay) * encoder``."""
        if self.target_encoder is None:
            return
        for target, source in zip(self.target_encoder.parameters(), self.encoder.parameters(), strict=True):
            target.lerp_(source, 1.0 - decay)
        for kept, current in zip(self.target_encoder.buffers(), self.encoder.buffers(), strict=True):
            kept.copy_(current)

    def predict(self, latents: Tensor, actions: Tensor) -> Tensor:
        """Teacher-forced one-step forecasts, causal.

        Args:
            latents: ``[B, T, D]``.
            actions: ``[B, T, A']`` raw action blocks; block ``t`` follows latent ``t``.

        Returns:
            ``[B, T, D]``: entry ``t`` forecasts latent ``t + 1``.
        """
        check_actions(self.config, latents, actions, "T")
        out: Tensor = self.predictor(latents, self._action_latents(self._normalised(actions), PLAIN))
        return out

    def rollout(self, latents: Tensor, actions: Tensor, past_actions: Tensor | None = None) -> Tensor:
        """Imagined latents under candidate actions.

        Without gradients, on the CPU, in float32 and evaluation mode the layers run from packed weights.

        Args:
            latents: ``[B, T0, D]`` what was observed, the last one current.
            actions: ``[B, S, H, A']`` raw action blocks of ``S`` candidates, or ``[B, H, A']`` of one.
            past_actions: ``[B, T0 - 1, A']`` the blocks between the observed latents; not needed for one latent,
                nor by a model of history 1.

        Returns:
            ``[B, S, H, D]``, or ``[B, H, D]`` for one candidate.

        Raises:
            SpecError: if latents and actions do not fit the model or each other.
        """
        if actions.ndim == 3:
            return self.rollout(latents, actions[:, None], past_actions)[:, 0]
        check_actions(self.config, latents, actions, "S, H")
        if past_actions is None:
            latents = latents[:, -1:] if self.config.history == 1 else latents
            past_actions = actions.new_empty(len(actions), 0, self.config.action_size)
        if past_actions.shape[1] != latents.shape[1] - 1:
            raise SpecError(
                f"{latents.shape[1]} latents have {latents.shape[1] - 1} action blocks between them; "
                f"got past_actions of shape {tuple(past_actions.shape)}."
            )
        kernels = kernels_for(*(part for part in (self.predictor, self.action_encoder) if part is not None))
        worlds, parts = len(actions), 1
        if kernels is not PLAIN:
            # Imagine as many candidates at a time as stay in the processor's cache.
            worlds, parts = max(self.predictor.rows // actions.shape[1], 1), -(-actions.shape[1] // self.predictor.rows)
        rolled = []
        for some, past, blocks in zip(
            *(torch.split(part, worlds) for part in (latents, past_actions, actions)), strict=True
        ):
            before = self._action_latents(self._normalised(past), kernels)
            for part in blocks.chunk(parts, dim=1):
                encoded = self._action_latents(self._normalised(part), kernels)
                rolled.append(self.predictor.rollout(some, before, encoded, kernels))
        if parts > 1:
            rolled = [torch.cat(rolled[i : i + parts], dim=1) for i in range(0, len(rolled), parts)]
        return torch.cat(rolled)

    def forecast(self, clip: Clip, steps: int = 1, starts: Literal["every", "first"] = "every") -> Forecast:
        """What the model makes of a clip, for objectives to judge.

        Args:
            clip: Windows of ``T`` observations.
            steps: How far to predict, at most ``T - 1``.
            starts: Predict from ``every`` observation (the context before it as it was, its own forecasts
                after it) or from the ``first`` alone.

        Raises:
            SpecError: if the clip does not fit the model or is too short.
        """
        latents = self.encode(clip.observation)
        if not 1 <= steps < latents.shape[1]:
            raise SpecError(
                f"a clip of {latents.shape[1]} observations allows 1 to {latents.shape[1] - 1} steps of prediction; "
                f"got {steps}. Ask for longer clips or fewer steps."
            )
        targets = latents if self.target_encoder is None else self.encode_target(clip.observation)
        blocks = clip.action.to(self.device)
        check_actions(self.config, latents, blocks, "T")
        actions = self._normalised(blocks)
        encoded = self._action_latents(actions, PLAIN)
        if starts == "every":
            predictions = self.predictor.unroll(latents[:, :-1], encoded, steps)
        elif starts == "first":
            rolled = self.predictor.rollout(latents[:, :1], encoded[:, :0], encoded[:, None, :steps])[:, 0]
            predictions = torch.split(rolled, 1, dim=1)
        else:
            raise ConfigError(f"starts is 'every' or 'first'; got {starts!r}.")
        return Forecast(latents, targets, actions, predictions)

    def _embed(self, encoder: ObservationEncoder, observation: Mapping[str, Tensor | Array]) -> Tensor:
        values, leading = batched(self.config, observation, self.device)
        statistics = [self._normalizer(name) for name in self.config.seen]
        out: Tensor = encoder([(v, n.mean, n.std) for v, n in zip(values, statistics, strict=True)])
        return out.reshape(*leading, -1)

    def _normalizer(self, name: str) -> Normalizer:
        module = self.normalizers[name]
        if not isinstance(module, Normalizer):
            raise TypeError(f"normalizers hold Normalizer modules; {name!r} is a {type(module).__name__}.")
        return module

    def _normalised(self, actions: Tensor) -> Tensor:
        out: Tensor = self.action_normalizer(actions)
        return out

    def _action_latents(self, normalised: Tensor, kernels: Kernels) -> Tensor:
        return normalised if self.action_encoder is None else kernels.mlp(self.action_encoder, normalised)

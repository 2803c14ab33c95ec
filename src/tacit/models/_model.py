"""Base classes of trainable models: input statistics, a device, and an EMA target encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor, nn

from tacit._registry import suggest
from tacit.errors import ConfigError, SpecError
from tacit.models._check import DynamicsConfig, ModelConfig
from tacit.nn.encoders import Normalizer
from tacit.types import Array, Clip, Context, Discrete, Forecast, ForecastRequest, Spec, Statistics
from tacit.types.outcomes import Outcome

__all__ = ["Dynamics", "Model", "preset", "seeded"]


def preset(
    configuration: type, sizes: Mapping[str, Mapping[str, Any]], size: str, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options of a size, with some replaced.

    Raises:
        ConfigError: for an unknown size, or an option that the configuration does not have, with the nearest name.
    """
    if size not in sizes:
        raise ConfigError(f"no size called {size!r}.{suggest(size, sizes)} There are: {', '.join(sizes)}.")
    options = {one.name for one in fields(configuration)}
    for name in overrides:
        if name not in options:
            raise ConfigError(f"{configuration.__name__} has no option {name!r}.{suggest(name, options)}")
    return {**sizes[size], **overrides}


Built = TypeVar("Built", bound=nn.Module)
Options = TypeVar("Options")


def seeded(kind: Callable[[Options], Built], config: Options, seed: int) -> Built:
    """Return ``kind(config)`` with weights that depend only on ``seed``; torch's generator does not change.

    Raises:
        ConfigError: if the seed is not an unsigned 64-bit integer.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**64:
        raise ConfigError(f"the seed of the weights must be a whole number from 0 to 2**64 - 1; got {seed!r}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(config)


class Model(nn.Module):
    """Base class for training, checkpoints and probes; subclasses implement ``forecast`` and ``encode``.

    It takes observations in the units of the world (bytes, raw units) and normalises inside, with the statistics given
    to :meth:`set_statistics`.

    Args:
        spec: Observations and actions of the world.
        seen: The modalities that the model reads.
        acts: True if the model takes actions.

    Attributes:
        configuration: The dataclass of its options; ``type(model)(model.config)`` builds an identical model.
        forecast_type: The type that :meth:`forecast` returns, for objectives to read.
        encoder: The context encoder.
        target_encoder: The EMA copy of the encoder; None if the encoder embeds the targets too.
        frameskip: Steps of the world in one step of the model.
        latent_size: Size ``D`` of a latent.
        action_size: Size of an action block; 0 for a model without actions.
    """

    configuration: ClassVar[type]
    forecast_type: ClassVar[type]
    config: ModelConfig
    encoder: nn.Module
    target_encoder: nn.Module | None
    frameskip: int = 1
    latent_size: int = 1
    action_size: int = 0

    def __init__(self, spec: Spec, seen: Sequence[str], acts: bool) -> None:
        super().__init__()
        self.normalizers = nn.ModuleDict()
        for name in seen:
            modality = spec.modalities[name]
            pixels = modality.kind == "pixels"
            self.normalizers[name] = Normalizer(modality.shape[0], *((0.5, 0.25) if pixels else (0.0, 1.0)))
        self.target_encoder = None
        self.action_normalizer = Normalizer(spec.action.size) if acts else None
        self._spec = spec

    def encode(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """Return latents ``[B, D]`` of observations ``[B, ...]`` by modality."""
        raise NotImplementedError

    def forecast(self, clip: Clip, request: ForecastRequest = ForecastRequest()) -> Outcome:
        """Return the forecast of a batch of windows, for objectives to read.

        Args:
            clip: Windows of observations, with the masks or views that the model needs.
            request: The parts of the forecast that an objective reads: ``objective.request()``.

        Raises:
            SpecError: if the clip does not fit the model.
        """
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        """Return the device of the model."""
        return next(self.buffers()).device

    @property
    def statistics(self) -> Statistics:
        """Return the means and standard deviations that normalise the inputs."""
        parts = self._parts()
        return Statistics(
            {name: tuple(part.mean.tolist()) for name, part in parts.items()},
            {name: tuple(part.std.tolist()) for name, part in parts.items()},
        )

    def set_statistics(self, statistics: Statistics) -> None:
        """Set the statistics of the training episodes; discrete choices stay one-hot.

        Raises:
            SpecError: if they lack a modality that the model reads or have another number of components.
        """
        parts = self._parts()
        if isinstance(self._spec.action, Discrete):
            parts.pop("action", None)
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
            mean, std = list(statistics.mean[name]), list(statistics.std[name])
            if name == "action":
                for where, space in self._spec.action.parts:
                    if isinstance(space, Discrete):
                        mean[where], std[where] = [0.0] * space.n, [1.0] * space.n
            part.set_statistics(mean, std)

    @torch.no_grad()
    def monitored(self, _clip: Clip, outcome: Outcome, /) -> Tensor:
        """Return latents ``[B, T, D]`` for collapse monitoring.

        They vary only where the model distinguishes observations.

        Args:
            _clip: The argument of :meth:`forecast`.
            outcome: The result of :meth:`forecast`.
        """
        return outcome.latents

    def untrained(self) -> Self:
        """Return a model of the same configuration with new weights."""
        return type(self)(self.config)  # type: ignore[call-arg, arg-type]  # subclasses take their configuration

    @torch.no_grad()
    def update_target(self, decay: float) -> None:
        """Move the target encoder towards the encoder: ``target = decay * target + (1 - decay) * encoder``."""
        if self.target_encoder is None:
            return
        for target, source in zip(self.target_encoder.parameters(), self.encoder.parameters(), strict=True):
            target.lerp_(source, 1.0 - decay)
        for kept, current in zip(self.target_encoder.buffers(), self.encoder.buffers(), strict=True):
            kept.copy_(current)

    def normalizer(self, name: str) -> Normalizer:
        """Return the statistics of one modality."""
        module = self.normalizers[name]
        if not isinstance(module, Normalizer):
            raise TypeError(f"normalizers are Normalizer modules; {name!r} is a {type(module).__name__}.")
        return module

    def statistics_of(self, name: str) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation ``[C]`` of one modality, in its raw units."""
        part = self.normalizer(name)
        scale = 255.0 if self._spec.modalities[name].kind == "pixels" else 1.0
        return scale * part.mean, scale * part.std

    def _parts(self) -> dict[str, Normalizer]:
        parts = {name: self.normalizer(name) for name in self.normalizers}
        return parts if self.action_normalizer is None else {**parts, "action": self.action_normalizer}


class Dynamics(Model):
    """Base class of models of action effects, for planning: ``encode``, ``predict`` and ``rollout``."""

    forecast_type = Forecast
    config: DynamicsConfig
    action_normalizer: Normalizer

    @property
    def spec(self) -> Spec:
        """Return the Spec of the model's world."""
        return self.config.spec

    @property
    def history(self) -> int:
        """Return the number of latents that the predictor reads, at least one."""
        return 1

    @property
    def latent_parts(self) -> Mapping[str, slice]:
        """Return the components of a latent that belong to each modality; empty where all are mixed."""
        return {}

    def predict(self, latents: Tensor, actions: Tensor) -> Tensor:
        """Return teacher-forced one-step forecasts ``[B, T, D]``, causal.

        Args:
            latents: ``[B, T, D]``.
            actions: ``[B, T, A']`` raw action blocks; block ``t`` follows latent ``t``.
        """
        raise NotImplementedError

    def rollout(self, context: Context, blocks: Tensor, /) -> Tensor:
        """Return imagined latents ``[B, S, H, D]`` under raw action blocks ``[B, S, H, A']``.

        For ``blocks [B, H, A']`` without the axis ``S``, the result is ``[B, H, D]``.
        """
        raise NotImplementedError

    def encode_target(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """Return the latents of the target encoder; see ``encode``."""
        return self.encode(observation)

    def _known(self, context: Context, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latents that a rollout starts from, and the blocks between them.

        Raises:
            SpecError: if the number of blocks is not one less than that of latents.
        """
        latents, past_actions = context.latents, context.blocks
        if past_actions is None:
            latents = latents[:, -1:] if self.history == 1 else latents
            past_actions = actions.new_empty(len(actions), 0, self.action_size)
        if past_actions.shape[1] != latents.shape[1] - 1:
            raise SpecError(
                f"{latents.shape[1]} latents have {latents.shape[1] - 1} action blocks between them; "
                f"got blocks of shape {tuple(past_actions.shape)}."
            )
        return latents, past_actions

    def _normalised(self, actions: Tensor) -> Tensor:
        """Convert raw action blocks to the model's units."""
        out: Tensor = self.action_normalizer(actions)
        return out

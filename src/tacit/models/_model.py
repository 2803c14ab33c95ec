"""What every model that can be trained shares: input statistics, a device, and a target that follows the encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor, nn

from tacit._registry import suggest
from tacit.errors import ConfigError, SpecError
from tacit.nn.encoders import Normalizer
from tacit.types import Array, Clip, Context, Discrete, Forecast, Spec, Statistics

__all__ = ["Dynamics", "Model", "PerceptionModel", "preset", "seeded"]


def preset(
    configuration: type, sizes: Mapping[str, Mapping[str, Any]], size: str, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """The options of a size, with some replaced.

    Raises:
        ConfigError: for an unknown size, or an option that the configuration does not have, with the nearest name.
    """
    if size not in sizes:
        raise ConfigError(f"no size called {size!r}.{suggest(size, sizes)} There are: {', '.join(sizes)}.")
    options = {field.name for field in fields(configuration)}
    for name in overrides:
        if name not in options:
            raise ConfigError(f"{configuration.__name__} has no option {name!r}.{suggest(name, options)}")
    return {**sizes[size], **overrides}


Built = TypeVar("Built", bound=nn.Module)


def seeded(kind: Callable[[Any], Built], config: Any, seed: int) -> Built:
    """Return ``kind(config)`` with weights that are a function of ``seed``; torch's generator stays as it was.

    Raises:
        ConfigError: if the seed is no whole number of 64 bits, at least 0.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**64:
        raise ConfigError(f"the seed of the weights is a whole number from 0 to 2**64 - 1; got {seed!r}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(config)


class Model(nn.Module):
    """A model that training, checkpoints and probes can hold; subclasses write ``forecast`` and ``encode``.

    It takes observations as the world has them (bytes, raw units) and normalises inside, with the statistics given
    to :meth:`fit`.

    Args:
        spec: What the world shows and accepts.
        seen: The modalities that the model sees.
        acts: Whether the model takes actions.

    Attributes:
        configuration: The dataclass of its options; ``type(model)(model.config)`` builds another one alike.
        gives: What :meth:`forecast` returns, for objectives to read.
        encoder: The context encoder.
        target_encoder: The copy that follows it, None where the encoder embeds the targets too.
        frameskip: Steps of the world in one step of the model.
        latent_size: Size ``D`` of a latent.
        action_size: Size of an action block; 0 for a model that takes none.
    """

    configuration: ClassVar[type]
    gives: ClassVar[type]
    config: Any
    forecast: Callable[..., Any]
    encode: Callable[..., Tensor]
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

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return next(self.buffers()).device

    @property
    def statistics(self) -> Statistics:
        """The means and standard deviations that inputs are normalised with."""
        parts = self._parts()
        return Statistics(
            {name: tuple(part.mean.tolist()) for name, part in parts.items()},
            {name: tuple(part.std.tolist()) for name, part in parts.items()},
        )

    def fit(self, statistics: Statistics) -> None:
        """Take the statistics of the training episodes; a discrete action stays one-hot.

        Raises:
            SpecError: if they lack a modality that the model sees or have another number of components.
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
            part.fit(statistics.mean[name], statistics.std[name])

    @torch.no_grad()
    def monitored(self, _clip: Clip, outcome: Any, /) -> Tensor:
        """Latents ``[B, T, D]`` that vary only where the model tells observations apart; training watches their health.

        Args:
            _clip: As :meth:`forecast` got it.
            outcome: What :meth:`forecast` made of it.
        """
        found: Tensor = outcome.latents
        return found

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
        """The statistics of one modality."""
        module = self.normalizers[name]
        if not isinstance(module, Normalizer):
            raise TypeError(f"normalizers hold Normalizer modules; {name!r} is a {type(module).__name__}.")
        return module

    def statistics_of(self, name: str) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation ``[C]`` of one modality, in its raw units."""
        part = self.normalizer(name)
        scale = 255.0 if self._spec.modalities[name].kind == "pixels" else 1.0
        return scale * part.mean, scale * part.std

    def _parts(self) -> dict[str, Normalizer]:
        parts = {name: self.normalizer(name) for name in self.normalizers}
        return parts if self.action_normalizer is None else {**parts, "action": self.action_normalizer}


class PerceptionModel(Model):
    """A model that learns to see one modality, without actions; a world model can look at its cameras with the encoder.

    ``encode(observation, tokens=True)`` gives ``[B, N, D]``, the tokens of each place.

    Args:
        config: What to build.

    Attributes:
        sizes: Options of its configuration by size.
    """

    sizes: ClassVar[Mapping[str, Mapping[str, Any]]]

    def __init__(self, config: Any) -> None:
        super().__init__(config.spec, config.seen, acts=False)
        self.config = config

    @classmethod
    def for_spec(cls, spec: Spec, size: str = "tiny", seed: int = 0, **overrides: Any) -> Self:
        """A model for what a dataset shows.

        Args:
            spec: For example ``episodes.spec``.
            size: Of the encoder; one of ``sizes``.
            seed: Of the weights.
            overrides: Any option of its configuration.

        Raises:
            ConfigError: for an unknown size or option, or values that do not fit together.
        """
        return seeded(cls, cls.configuration(spec, **preset(cls.configuration, cls.sizes, size, overrides)), seed)


class Dynamics(Model):
    """A model that imagines what actions do, for agents to plan with: ``encode``, ``predict`` and ``rollout``."""

    gives = Forecast
    predict: Callable[..., Tensor]
    rollout: Callable[[Context, Tensor], Tensor]
    action_normalizer: Normalizer

    @property
    def spec(self) -> Spec:
        """The world that it was made for."""
        spec: Spec = self.config.spec
        return spec

    @property
    def history(self) -> int:
        """Latents that the predictor looks back on, at least one."""
        return int(self.config.history)

    @property
    def latent_parts(self) -> Mapping[str, slice]:
        """The components of a latent that belong to a modality, by its name; empty where all are mixed."""
        return {}

    def encode_target(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """As ``encode``, by the encoder of the targets."""
        return self.encode(observation)

    def _known(self, context: Context, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Return the latents that a rollout starts from, and the blocks between them.

        Raises:
            SpecError: if there is not one block less than latents.
        """
        latents, past_actions = context.latents, context.blocks
        if past_actions is None:
            latents = latents[:, -1:] if self.config.history == 1 else latents
            past_actions = actions.new_empty(len(actions), 0, self.action_size)
        if past_actions.shape[1] != latents.shape[1] - 1:
            raise SpecError(
                f"{latents.shape[1]} latents have {latents.shape[1] - 1} action blocks between them; "
                f"got blocks of shape {tuple(past_actions.shape)}."
            )
        return latents, past_actions

    def _normalised(self, actions: Tensor) -> Tensor:
        """Raw action blocks in the model's units."""
        out: Tensor = self.action_normalizer(actions)
        return out

"""MC-JEPA: one encoder of the content and the motion of images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tacit._config import WEIGHTLESS
from tacit.errors import ConfigError, SpecError
from tacit.models._input import channels_first
from tacit.models._perception import PerceptionConfig, PerceptionModel
from tacit.nn.flow import FlowHead, resize_flow
from tacit.nn.mlp import MLP
from tacit.nn.pyramid import PYRAMID_SIZES, PyramidEncoder
from tacit.types import Array, Clip, FlowForecast, ForecastRequest

__all__ = ["MotionContent", "MotionContentConfig"]


@dataclass(frozen=True)
class MotionContentConfig(PerceptionConfig):
    """Configuration of a :class:`MotionContent`; plain values that convert to JSON and back.

    Args:
        spec: Observations of the world.
        modality: The camera that the model reads; the first where not named.
        frameskip: Steps from the first image of a pair to the second.
        widths: Channels of each level of the encoder, from the finest to the coarsest.
        depths: Blocks of each level.
        stem: Side of a cell of the finest level in pixels; each further level is half as fine.
        kernel: Side of the depthwise convolutions.
        radius: Radius of the comparison of places at each level, in places of that level.
        head_width: Channels of the network that computes the flow from the comparison.
        head_depth: Its hidden layers.
        expander: Widths of the hidden layers of the expander, with BatchNorm.
        embedding: Output size of the expander, on which views are compared.

    Raises:
        ConfigError: if the Spec has no such camera, or ``frameskip`` is below 1.
    """

    frameskip: int = field(default=1, metadata=WEIGHTLESS)
    widths: tuple[int, ...] = (32, 64, 128, 192)
    depths: tuple[int, ...] = (1, 1, 2, 2)
    stem: int = 2
    kernel: int = 7
    radius: int = 2
    head_width: int = 48
    head_depth: int = 3
    expander: tuple[int, ...] = (1024,)
    embedding: int = 256

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.spec.modalities[self.modality].kind != "pixels":
            raise ConfigError(
                f"a MotionContent reads images; {self.modality!r} is no camera. A MaskedModel reads any modality."
            )
        if self.frameskip < 1:
            raise ConfigError(f"frameskip is at least 1; got {self.frameskip}.")

    def build(self) -> MotionContent:
        """Return a new model."""
        return MotionContent(self)

    @property
    def patch(self) -> int:
        """Return the side of a cell of the coarsest level in pixels."""
        return self.stem << (len(self.widths) - 1)

    @property
    def width(self) -> int:
        """Return the channels of the coarsest level, ``D`` of a latent."""
        return self.widths[-1]


class MotionContent(PerceptionModel):
    """Pyramid encoder with two heads: flow between two images, and embeddings of views.

    MC-JEPA (arXiv 2307.12698). There is no official code, and the public descriptions of the method are incomplete: the
    flow head here is a small PWC-Net with one network for all levels, and normalised latents are compared. See
    :class:`tacit.recipes.MCJEPA` for the terms and the sources of their weights.

    Args:
        config: Configuration of the model.
    """

    configuration = MotionContentConfig
    sizes = PYRAMID_SIZES
    forecast_type = FlowForecast
    config: MotionContentConfig
    encoder: PyramidEncoder

    def __init__(self, config: MotionContentConfig) -> None:
        super().__init__(config)
        self.frameskip, self.latent_size = config.frameskip, config.embedding
        channels, height, width = config.spec.modalities[config.modality].shape
        self.encoder = PyramidEncoder(
            channels, (height, width), config.widths, config.depths, stem=config.stem, kernel=config.kernel
        )
        self.flow_head = FlowHead(config.radius, config.head_width, config.head_depth)
        self.expander = MLP(config.widths[-1], config.expander, config.embedding, norm="batch")

    def encode(self, observation: Mapping[str, Tensor | Array], tokens: bool = False) -> Tensor:
        """Return latents of images: of the coarsest level, before the expander.

        Args:
            observation: ``[B, C, H, W]`` per modality, or windows ``[B, T, C, H, W]``, of which the last image is
                read; of any size.
            tokens: The latents of all places instead of their mean.

        Returns:
            ``[B, D]``, or ``[B, N, D]`` in C order of the places.

        Raises:
            SpecError: if the modality is missing or its shape or dtype does not fit.
        """
        name = self.config.modality
        if name in observation and observation[name].ndim == 5:
            observation = {name: observation[name][:, -1:]}
        values = channels_first(observation, name, self.config.spec.modalities[name], 1, self.device)
        places = self._pyramid(values)[0].flatten(2).transpose(1, 2)
        return places if tokens else places.mean(dim=1)

    def flow(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """Return the flow from each pixel of the second image to its place in the first.

        Args:
            observation: ``[B, 2, C, H, W]`` per modality.

        Returns:
            ``[B, 2, H, W]``, to the right and down, in pixels: a motion to the right by 3 has -3.

        Raises:
            SpecError: if the modality is missing or its shape or dtype does not fit.
        """
        pair = self._pair(observation)
        _, flows = self._motion(pair, 1)
        return resize_flow(flows[-1], (pair.shape[3], pair.shape[4]))

    def forecast(self, clip: Clip, request: ForecastRequest = ForecastRequest()) -> FlowForecast:
        """Return embeddings of a clip's views, and the flow between its two images.

        Args:
            clip: Windows with views; of two observations if ``directions`` is not 0.
            request: Its ``directions`` are the flows to compute: none, from the second image to the first, or both.

        Raises:
            SpecError: if the clip has no views or does not have two observations.
        """
        if not clip.views:
            raise SpecError("a model of motion and content needs views; train it with transforms=[MakeViews(...)].")
        parts = [self._embed(views.to(self.device).flatten(0, 1)).view(*views.shape[:2], -1) for views in clip.views]
        latents: Tensor = self.expander(torch.cat(parts, dim=1))
        count_global, directions = clip.views[0].shape[1], request.directions
        if not directions:
            nothing = latents.new_zeros(len(latents), 0, 2, 0, 0)
            return FlowForecast(latents, count_global, nothing, (), (), nothing)
        pair = self._pair(clip.observation)
        features, flows = self._motion(pair, directions)
        full = resize_flow(flows[-1], (pair.shape[3], pair.shape[4]))
        count = len(pair)
        return FlowForecast(
            latents,
            count_global,
            pair.float() / 255.0,
            tuple(level.reshape(count, 2, *level.shape[1:]) for level in features),
            tuple(flow.view(directions, count, *flow.shape[1:]).transpose(0, 1) for flow in flows),
            full.view(directions, count, *full.shape[1:]).transpose(0, 1),
        )

    def _motion(self, pair: Tensor, directions: int) -> tuple[tuple[Tensor, ...], list[Tensor]]:
        """Return features ``[2 B, C', h, w]`` and flows ``[R B, 2, h, w]`` of each level, direction by direction."""
        features = self._pyramid(pair.flatten(0, 1))
        sides = [(level[0::2], level[1::2]) for level in features]
        source = [torch.cat([first, second][:directions]) for first, second in sides]
        target = [torch.cat([second, first][:directions]) for first, second in sides]
        return features, self.flow_head(source, target)

    def _pair(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        """Return the pair of images, ``[B, 2, C, H, W]``."""
        name = self.config.modality
        values = channels_first(observation, name, self.config.spec.modalities[name], 2, self.device)
        return values.transpose(1, 2)

    def _pyramid(self, images: Tensor) -> tuple[Tensor, ...]:
        out: tuple[Tensor, ...] = self.encoder(images, *self.statistics_of(self.config.modality))
        return out

    def _embed(self, images: Tensor) -> Tensor:
        return self._pyramid(images)[0].mean(dim=(2, 3))

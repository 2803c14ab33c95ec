"""Masked prediction models: I-JEPA, V-JEPA, V-JEPA 2, and pixel-space baselines."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from tacit._config import WEIGHTLESS
from tacit.errors import ConfigError, SpecError
from tacit.models._input import channels_first, grid_size
from tacit.models._perception import PerceptionConfig, PerceptionModel
from tacit.nn.masked_predictor import MaskedPredictor
from tacit.nn.positions import coordinates
from tacit.nn.vit import VIT_SIZES, VisionTransformer, cells
from tacit.types import Array, Clip, ForecastRequest, Mask, MaskedForecast
from tacit.types.outcomes import Outcome

__all__ = ["MaskedModel", "MaskedModelConfig"]

MONITORED = 64
"""Number of places of a window that are monitored in training."""


@dataclass(frozen=True)
class MaskedModelConfig(PerceptionConfig):
    """Configuration of a :class:`MaskedModel`; plain values that convert to JSON and back.

    Args:
        spec: Observations of the world.
        modality: The modality that the model reads; by default the first camera, or else the first of all.
        frames: Observations in a window; 1 for images.
        frameskip: Steps from one observation to the next.
        side: Height and width of the images that the model is built for; those of the Spec where 0.
        patch: Side of a patch of an image, or samples in a patch of a series.
        tubelet: Frames in a patch of a video.
        width: Size ``D`` of a token.
        depth: Blocks of the encoder.
        heads: Its attention heads.
        mlp_ratio: Hidden width of its MLPs, in widths.
        cls: Add a class token.
        positions: ``sincos``, ``learned`` or ``rope``, in encoder and predictor.
        norm_eps: Epsilon that LayerNorms add to a variance.
        predictor_width: Size of a token of the predictor.
        predictor_depth: Its blocks.
        predictor_heads: Its attention heads.
        mask_tokens: Number of kinds of mask token; the masks of a batch take them in turn.
        target: Prediction target. ``ema``: the layer-normalised latents of an EMA copy of the encoder; ``pixels``:
            the values of the patch themselves (MAE, VideoMAE), a baseline that is not a JEPA.
        normalised_pixels: Standardise the pixels of each patch by their mean and standard deviation.
        checkpointing: Recompute activations in backward, to save memory.

    Raises:
        ConfigError: if the Spec has no such modality, or sizes do not fit.
    """

    frames: int = field(default=1, metadata=WEIGHTLESS)
    frameskip: int = field(default=1, metadata=WEIGHTLESS)
    side: int = field(default=0, metadata=WEIGHTLESS)
    patch: int = 16
    tubelet: int = 2
    width: int = 192
    depth: int = 12
    heads: int = 3
    mlp_ratio: float = 4.0
    cls: bool = False
    positions: Literal["sincos", "learned", "rope"] = "sincos"
    norm_eps: float = 1e-6
    predictor_width: int = 96
    predictor_depth: int = 6
    predictor_heads: int = 3
    mask_tokens: int = field(default=1, metadata=WEIGHTLESS)
    target: Literal["ema", "pixels"] = field(default="ema", metadata=WEIGHTLESS)
    normalised_pixels: bool = field(default=True, metadata=WEIGHTLESS)
    checkpointing: bool = field(default=False, metadata=WEIGHTLESS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.frames, self.frameskip, self.patch, self.tubelet) < 1 or self.side < 0:
            raise ConfigError("frames, frameskip, patch and tubelet are at least 1, and side at least 0.")

    def build(self) -> MaskedModel:
        """Return a new model."""
        return MaskedModel(self)

    @property
    def extent(self) -> tuple[int, ...]:
        """Return the extent of the axes that are cut into patches."""
        return grid_size(self.spec, self.modality, self.frames, self.frameskip, self.side)

    @property
    def patch_extent(self) -> tuple[int, ...]:
        """Return the extent of a patch along each of them."""
        axes = len(self.extent)
        return (self.tubelet,) * (axes == 3) + (self.patch,) * min(axes, 2)


class MaskedModel(PerceptionModel):
    """Masked joint-embedding predictive architecture: context encoder, target encoder, predictor, no decoder.

    The context encoder reads the visible tokens only, the target encoder all of them; the predictor predicts the
    latents of the target at the hidden places. Sources: I-JEPA (arXiv 2301.08243), V-JEPA (arXiv 2404.08471), V-JEPA 2
    (arXiv 2506.09985); with pixels as target MAE (arXiv 2111.06377) and VideoMAE (arXiv 2203.12602).

    Args:
        config: Configuration of the model.
    """

    configuration = MaskedModelConfig
    sizes = VIT_SIZES
    forecast_type = MaskedForecast
    config: MaskedModelConfig
    encoder: VisionTransformer
    target_encoder: VisionTransformer | None

    def __init__(self, config: MaskedModelConfig) -> None:
        super().__init__(config)
        self.frameskip, self.latent_size = config.frameskip, config.width
        channels = config.spec.modalities[config.modality].shape[0]
        self.encoder = VisionTransformer(
            channels,
            config.extent,
            config.patch_extent,
            width=config.width,
            depth=config.depth,
            heads=config.heads,
            positions=config.positions,
            cls=config.cls,
            mlp_ratio=config.mlp_ratio,
            norm_eps=config.norm_eps,
            checkpointing=config.checkpointing,
        )
        latent_target = config.target == "ema"
        if latent_target:
            self.target_encoder = copy.deepcopy(self.encoder).requires_grad_(False)
        values = channels
        for side in config.patch_extent:
            values *= side
        self.predictor = MaskedPredictor(
            self.grid,
            config.width,
            config.predictor_width,
            depth=config.predictor_depth,
            heads=config.predictor_heads,
            positions=config.positions,
            out=config.width if latent_target else values,
            mask_tokens=config.mask_tokens,
            norm_eps=config.norm_eps,
            checkpointing=config.checkpointing,
        )

    @property
    def grid(self) -> tuple[int, ...]:
        """Return the tokens along each axis, on which masks are drawn."""
        return self.encoder.grid

    def encode(self, observation: Mapping[str, Tensor | Array], tokens: bool = False) -> Tensor:
        """Return latents of whole windows, by the target encoder where there is one.

        Args:
            observation: ``[B, frames, ...]`` per modality, or ``[B, ...]`` for images; other image sizes are allowed.
            tokens: All tokens instead of their mean.

        Returns:
            ``[B, D]``, or ``[B, N, D]`` in C order of the grid.

        Raises:
            SpecError: if the modality is missing or its shape or dtype does not fit.
        """
        encoder = self.encoder if self.target_encoder is None else self.target_encoder
        statistics = self.statistics_of(self.config.modality)
        out: Tensor = encoder(self._values(observation), *statistics)[:, self.config.cls :]
        return out if tokens else out.mean(dim=1)

    def forecast(self, clip: Clip, request: ForecastRequest = ForecastRequest()) -> MaskedForecast:
        """Predict the hidden tokens of a clip, for objectives.

        Args:
            clip: Windows with masks.
            request: Its ``visible`` asks for predictions of the visible tokens too.

        Raises:
            SpecError: if the clip has no masks or does not fit the model's grid, on which masks are drawn.
        """
        if not clip.masks or not all(mask.targets for mask in clip.masks):
            raise SpecError("a masked model needs a clip with masks; train it with transforms=[DrawMasks(...)].")
        values, statistics = self._values(clip.observation), self.statistics_of(self.config.modality)
        self._check_grid(values)
        targets = self._targets(values, *statistics)
        contexts: list[Tensor] = []
        predictions: list[Tensor] = []
        wanted: list[Tensor] = []
        seen: list[tuple[Tensor, Tensor, Tensor]] = []
        for number, mask in enumerate(_moved(clip.masks, self.device)):
            latents = self.encoder(values, *statistics, mask.context)
            contexts.append(latents)
            context, token = latents[:, self.config.cls :], number % self.config.mask_tokens
            wanted += [_gathered(targets, block) for block in mask.targets]
            if not request.visible:
                predictions += self._predicted(context, mask, token)
                continue
            for block in mask.targets:
                predicted, found = self.predictor.complete(context, mask.context, block, token)
                predictions.append(found)
                seen.append((predicted, _gathered(targets, mask.context), self._distances(mask.context, block)))
        dense = [tuple(part) for part in zip(*seen, strict=True)]
        return MaskedForecast(contexts[0], tuple(predictions), tuple(wanted), *dense)

    @torch.no_grad()
    def monitored(self, clip: Clip, _outcome: Outcome, /) -> Tensor:
        """Return the context encoder's tokens of whole windows, without the common part of each place.

        Positions alone separate the tokens of different places, for any encoder input, and the tokens of a masked
        window also encode which places are hidden: neither is information about the content.

        Args:
            clip: Windows, with or without masks; the tokens of a single window are returned unchanged.
            _outcome: Unused.

        Returns:
            ``[B, N, D]`` at up to 64 places, with the mean of the tokens.
        """
        statistics = self.statistics_of(self.config.modality)
        tokens: Tensor = self.encoder(self._values(clip.observation), *statistics)[:, self.config.cls :]
        tokens = tokens[:, :: -(-tokens.shape[1] // MONITORED)].float()
        if len(tokens) == 1:
            return tokens
        return tokens - tokens.mean(dim=0) + tokens.mean(dim=(0, 1))

    def _check_grid(self, values: Tensor) -> None:
        """Check that the input has the grid that the masks count."""
        config, size = self.config, tuple(values.shape[2:])
        grid = tuple(extent // side for extent, side in zip(size, config.patch_extent, strict=True))
        if grid == self.grid:
            return
        advice = "Make the model for them"
        if config.spec.modalities[config.modality].kind == "pixels":
            height, width = config.extent[-2:]
            advice = (
                f"Resize them before the masks with Augment(Resize(({height}, {width})), {config.modality!r}) among "
                "the transforms, or make the model for them (side=)"
            )
        raise SpecError(
            f"masks count the tokens of the model's grid {self.grid}, of {config.modality!r} with extent "
            f"{tuple(config.extent)}; those of extent {size} have the grid {grid}. {advice}."
        )

    def _predicted(self, context: Tensor, mask: Mask, token: int) -> list[Tensor]:
        """Predict each block independently; blocks of one size pass the predictor together."""
        sizes = {block.shape[1] for block in mask.targets}
        if len(sizes) > 1:
            return [self.predictor(context, mask.context, block, token) for block in mask.targets]
        count = len(mask.targets)
        stacked = context.repeat(count, 1, 1), mask.context.repeat(count, 1), torch.cat(mask.targets)
        return list(self.predictor(*stacked, token).chunk(count))

    @torch.no_grad()
    def _targets(self, values: Tensor, mean: Tensor, std: Tensor) -> Tensor:
        """Return the prediction targets of every place, ``[B, N, D']``."""
        if self.target_encoder is not None:
            latents = self.target_encoder(values, mean, std)[:, self.config.cls :]
            return F.layer_norm(latents, latents.shape[-1:])
        axes = [1] * (values.ndim - 2)
        normal = (values - mean.view(-1, *axes)) / std.view(-1, *axes)
        pixels = cells(normal, self.grid, self.config.patch_extent).flatten(1, len(self.grid)).flatten(2)
        if not self.config.normalised_pixels:
            return pixels
        return (pixels - pixels.mean(-1, keepdim=True)) / torch.sqrt(pixels.var(-1, keepdim=True) + 1e-6)

    def _distances(self, visible: Tensor, hidden: Tensor) -> Tensor:
        """Return the distance ``[B, K]`` from each visible token to the nearest hidden one."""
        there, away = (torch.stack(coordinates(index, self.grid), dim=-1) for index in (visible, hidden))
        return torch.cdist(there, away).amin(dim=-1)

    def _values(self, observation: Mapping[str, Tensor | Array]) -> Tensor:
        config = self.config
        modality = config.spec.modalities[config.modality]
        return channels_first(observation, config.modality, modality, config.frames, self.device)


def _moved(masks: tuple[Mask, ...], device: torch.device) -> list[Mask]:
    return [Mask(mask.context.to(device), tuple(block.to(device) for block in mask.targets)) for mask in masks]


def _gathered(tokens: Tensor, index: Tensor) -> Tensor:
    """Return ``[B, N, D]`` at the places ``[B, M]``."""
    return tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[-1]))

"""Joint-embedding models of several views of one image: LeJEPA, VICReg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from tacit._config import WEIGHTLESS
from tacit.errors import ConfigError, SpecError
from tacit.models._input import channels_first
from tacit.models._perception import PerceptionConfig, PerceptionModel
from tacit.nn.mlp import MLP
from tacit.nn.vit import VIT_SIZES, VisionTransformer
from tacit.types import Array, Clip, ForecastRequest, ViewEmbeddings

__all__ = ["JointEmbedding", "JointEmbeddingConfig"]


@dataclass(frozen=True)
class JointEmbeddingConfig(PerceptionConfig):
    """Configuration of a :class:`JointEmbedding`; plain values that convert to JSON and back.

    Args:
        spec: Observations of the world.
        modality: The camera that the model reads; the first where not named.
        side: Height and width of the images that the model is built for; those of the Spec where 0.
        patch: Side of a patch.
        width: Size ``D`` of a token.
        depth: Blocks of the encoder.
        heads: Its attention heads.
        mlp_ratio: Hidden width of its MLPs, in widths.
        pool: Embedded token: the class token (``cls``) or the ``mean`` of the patches.
        positions: ``learned``, ``sincos`` or ``rope``.
        norm_eps: Epsilon that LayerNorms add to a variance.
        projector: Widths of the hidden layers of the projector, with BatchNorm.
        embedding: Output size of the projector, on which views are compared.
        checkpointing: Recompute activations in backward, to save memory.

    Raises:
        ConfigError: if the Spec has no such camera.
    """

    side: int = field(default=0, metadata=WEIGHTLESS)
    patch: int = 16
    width: int = 192
    depth: int = 12
    heads: int = 3
    mlp_ratio: float = 4.0
    pool: Literal["cls", "mean"] = "cls"
    positions: Literal["learned", "sincos", "rope"] = "learned"
    norm_eps: float = 1e-6
    projector: tuple[int, ...] = (2048, 2048)
    embedding: int = 128
    checkpointing: bool = field(default=False, metadata=WEIGHTLESS)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.spec.modalities[self.modality].kind != "pixels":
            raise ConfigError(
                f"a JointEmbedding reads images; {self.modality!r} is no camera. A MaskedModel reads any modality."
            )

    def build(self) -> JointEmbedding:
        """Return a new model."""
        return JointEmbedding(self)


class JointEmbedding(PerceptionModel):
    """Encoder and projector, shared by all views, without target copy or predictor (LeJEPA, arXiv 2511.08544).

    Args:
        config: Configuration of the model.
    """

    configuration = JointEmbeddingConfig
    sizes = VIT_SIZES
    forecast_type = ViewEmbeddings
    config: JointEmbeddingConfig
    encoder: VisionTransformer

    def __init__(self, config: JointEmbeddingConfig) -> None:
        super().__init__(config)
        self.latent_size = config.embedding
        channels, *extent = config.spec.modalities[config.modality].shape
        self.encoder = VisionTransformer(
            channels,
            (config.side, config.side) if config.side else tuple(extent),
            (config.patch, config.patch),
            width=config.width,
            depth=config.depth,
            heads=config.heads,
            positions=config.positions,
            cls=config.pool == "cls",
            mlp_ratio=config.mlp_ratio,
            norm_eps=config.norm_eps,
            checkpointing=config.checkpointing,
        )
        self.projector = MLP(config.width, config.projector, config.embedding, norm="batch")

    def encode(self, observation: Mapping[str, Tensor | Array], tokens: bool = False) -> Tensor:
        """Return latents of images, before the projector.

        Args:
            observation: ``[B, C, H, W]`` or ``[B, 1, C, H, W]`` per modality, of any size.
            tokens: The tokens of all patches instead of one latent.

        Returns:
            ``[B, D]``, or ``[B, N, D]`` in C order of the patches.

        Raises:
            SpecError: if the modality is missing or its shape or dtype does not fit.
        """
        config = self.config
        values = channels_first(observation, config.modality, config.spec.modalities[config.modality], 1, self.device)
        return self._tokens(values)[:, self._lead :] if tokens else self._embed(values)

    def forecast(self, clip: Clip, request: ForecastRequest = ForecastRequest()) -> ViewEmbeddings:  # noqa: ARG002
        """Return embeddings of the views of a clip; the first group holds the global views.

        Raises:
            SpecError: if the clip has no views.
        """
        if not clip.views:
            raise SpecError("a joint embedding needs a clip with views; train it with transforms=[MakeViews(...)].")
        parts = [self._embed(views.to(self.device).flatten(0, 1)).view(*views.shape[:2], -1) for views in clip.views]
        latents: Tensor = self.projector(torch.cat(parts, dim=1))
        return ViewEmbeddings(latents, clip.views[0].shape[1])

    @property
    def _lead(self) -> int:
        return 1 if self.config.pool == "cls" else 0

    def _tokens(self, images: Tensor) -> Tensor:
        out: Tensor = self.encoder(images, *self.statistics_of(self.config.modality))
        return out

    def _embed(self, images: Tensor) -> Tensor:
        tokens = self._tokens(images)
        return tokens[:, 0] if self.config.pool == "cls" else tokens.mean(dim=1)

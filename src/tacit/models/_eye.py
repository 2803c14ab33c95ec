"""Encoder of a perception model inside a world model: frozen, or trained in part."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import fields
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError
from tacit.models._model import PerceptionModel
from tacit.models.joint_embedding import JointEmbedding, JointEmbeddingConfig
from tacit.models.masked import MaskedModel, MaskedModelConfig
from tacit.models.motion_content import MotionContent, MotionContentConfig
from tacit.nn.lora import add_lora, original_parameters
from tacit.nn.pyramid import PyramidEncoder
from tacit.nn.vit import VisionTransformer
from tacit.types import Spec

__all__ = ["Eye", "Perception", "Pool", "PooledEye", "Tune", "check_camera", "check_frozen", "check_tune"]

Perception: TypeAlias = MaskedModelConfig | JointEmbeddingConfig | MotionContentConfig
Tune: TypeAlias = Literal["frozen", "last", "lora", "all"]
Pool: TypeAlias = Literal["flat", "mean"]


class Eye(nn.Module):
    """Encoder of a perception model, with that model's input statistics: single images to tokens.

    A video encoder gets each image repeated for one tubelet, as in V-JEPA 2-AC (arXiv 2506.09985). The tokens of a
    pyramid are the places of its coarsest level.

    Args:
        config: Configuration of the perception model.
        tune: Trained part: ``frozen`` (none), the ``last`` blocks, low-rank additions (``lora``) or ``all``.
        last: Number of blocks, with ``last``.
        rank: Rank of the additions, with ``lora``.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: Perception, tune: Tune = "frozen", last: int = 1, rank: int = 8) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):  # its weights are replaced: they cost no draws
            model = _built(config)
        self.encoder = model.encoder.requires_grad_(tune == "all")
        self.tubelet = config.tubelet if isinstance(config, MaskedModelConfig) and config.frames > 1 else 0
        self.width = config.width
        mean, std = model.statistics_of(config.modality)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())
        if tune == "last":
            for part in _ending(self.encoder, last):
                part.requires_grad_(True)
        elif tune == "lora":
            inner = self.encoder.levels if isinstance(self.encoder, PyramidEncoder) else self.encoder.blocks
            add_lora(inner, rank, alpha=float(rank))
        self._learns = tune != "frozen"

    def adopt(self, model: PerceptionModel) -> None:
        """Copy the encoder weights and input statistics of a trained perception model.

        The source is the encoder that the model encodes with: its target encoder where it has one.

        Raises:
            ConfigError: if the model has another configuration.
        """
        if not isinstance(model, PerceptionModel) or model.config != self.config:
            raise ConfigError(
                f"a world model takes the encoder of the {type(self.config).__name__} that it has as perception=; got "
                f"{_difference(self.config, model)}. Build it with perception=model.config."
            )
        source = model.encoder if model.target_encoder is None else model.target_encoder
        theirs = dict(source.named_parameters())
        with torch.no_grad():
            for name, value in original_parameters(self.encoder).items():
                value.copy_(theirs[name])
            mean, std = model.statistics_of(model.config.modality)
            self.mean.copy_(mean)
            self.std.copy_(std)

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode ``[N, C, H, W]`` of any number type to tokens ``[N, n, D]``, without a class token."""
        values = pictures.unsqueeze(2).expand(-1, -1, self.tubelet, -1, -1) if self.tubelet else pictures
        with nullcontext() if self._learns else torch.no_grad():
            out: Tensor | tuple[Tensor, ...] = self.encoder(values, self.mean, self.std)
        if isinstance(out, tuple):
            return out[0].flatten(2).transpose(1, 2)
        return out if self.encoder.cls is None else out[:, 1:]


class PooledEye(nn.Module):
    """Pretrained encoder with one feature vector per image; the interface of a world model's encoders.

    The features are standardised without learned scales (BatchNorm), as MAE (arXiv 2111.06377) reads frozen ones: the
    differences between the tokens of two images are small next to their common part.

    Args:
        eye: The encoder.
        tokens: Tokens of an image.
        pool: All tokens concatenated (``flat``), or their ``mean``.
    """

    def __init__(self, eye: Eye, tokens: int, pool: Pool) -> None:
        super().__init__()
        self.eye, self.pool = eye, pool
        self.features = eye.width * (tokens if pool == "flat" else 1)
        self.norm = nn.BatchNorm1d(self.features, affine=False)

    def forward(self, x: Tensor, mean: Tensor | None = None, std: Tensor | None = None) -> Tensor:  # noqa: ARG002
        """Encode ``[N, C, H, W]`` to ``[N, D]``; ignore ``mean`` and ``std``, as the encoder has its own statistics."""
        return self.pooled(self.eye(x))

    def pooled(self, tokens: Tensor) -> Tensor:
        """Pool tokens ``[N, n, D']`` of the encoder to ``[N, D]``."""
        out: Tensor = self.norm(tokens.mean(dim=1) if self.pool == "mean" else tokens.flatten(1))
        return out


def check_camera(spec: Spec, name: str, perception: Perception) -> None:
    """Check that an encoder fits a camera.

    Args:
        spec: Observations of the world.
        name: The modality to encode.
        perception: The configuration of the perception model.

    Raises:
        ConfigError: if the configuration is of another model, or the camera's images do not fit the encoder.
    """
    if not isinstance(perception, Perception):
        raise ConfigError(
            "a world model looks with the encoder of a MaskedModel, a JointEmbedding or a MotionContent; perception= "
            f"got a {type(perception).__name__}. Name the run of such a model: encoder='RUN'."
        )
    camera, eye = spec.modalities[name], perception.spec.modalities[perception.modality]
    if camera.kind != "pixels" or eye.kind != "pixels" or camera.shape[0] != eye.shape[0]:
        raise ConfigError(
            f"the encoder sees {eye.kind} of {eye.shape[0]} channels; {name!r} is {camera.kind} of {camera.shape[0]}. "
            "Name the run of one that learnt from what this camera shows: encoder='RUN'."
        )
    if min(camera.shape[1:]) < perception.patch:
        raise ConfigError(
            f"the encoder sees pictures of at least {perception.patch} px; {name!r} is of {list(camera.shape[1:])}."
        )


def check_tune(tune: Tune, last: int, rank: int) -> None:
    """Check the range of the tuning options.

    Raises:
        ConfigError: if one is out of range, with its name.
    """
    if tune not in ("frozen", "last", "lora", "all"):
        raise ConfigError(f"tune is one of frozen, last, lora, all; got {tune!r}.")
    if last < 1 or rank < 1:
        raise ConfigError(f"tune_last and tune_rank are at least 1; got {last} and {rank}.")
    for option, value, default, of in (("tune_last", last, 1, "last"), ("tune_rank", rank, 8, "lora")):
        if value != default and tune != of:
            raise ConfigError(f"{option}={value} is an option of tune={of!r}; got tune={tune!r}. Leave it out.")


def check_frozen(tune: Tune) -> None:
    """Check that the encoder is frozen, as precomputed latents require.

    Raises:
        ConfigError: if it is not.
    """
    if tune != "frozen":
        raise ConfigError(
            f"latents on disk are those of a frozen encoder; with tune={tune!r} they change at every step. Train "
            "without latents=, or with tune='frozen'."
        )


def _difference(config: Perception, model: object) -> str:
    """Describe the differences between a configuration and another model's."""
    other = model.config if isinstance(model, PerceptionModel) else None
    if not isinstance(other, type(config)):
        return f"a {type(model).__name__}"
    names = [one.name for one in fields(config) if getattr(config, one.name) != getattr(other, one.name)]
    return ", ".join(
        f"another {name}" if name == "spec" else f"{name}={getattr(other, name)!r} instead of {getattr(config, name)!r}"
        for name in names
    )


def _built(config: Perception) -> MaskedModel | JointEmbedding | MotionContent:
    """Build the perception model of a configuration."""
    if isinstance(config, MaskedModelConfig):
        return MaskedModel(config)
    return JointEmbedding(config) if isinstance(config, JointEmbeddingConfig) else MotionContent(config)


def _ending(encoder: VisionTransformer | PyramidEncoder, last: int) -> list[nn.Module]:
    """Return the last blocks of an encoder, with the layers after them."""
    if isinstance(encoder, PyramidEncoder):
        return [block for level in encoder.levels for block in level.children()][-last:]
    return [*list(encoder.blocks)[-last:], encoder.norm]

"""Encoder of a perception model inside a world model: frozen, or trained in part."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import fields
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError
from tacit.models._perception import PerceptionConfig, PerceptionModel
from tacit.nn.lora import add_lora, original_parameters
from tacit.types import Modality

__all__ = ["PretrainedEncoder", "Tune", "check_frozen", "check_input", "check_tune"]

Tune: TypeAlias = Literal["frozen", "last", "lora", "all"]


class PretrainedEncoder(nn.Module):
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

    def __init__(self, config: PerceptionConfig, tune: Tune = "frozen", last: int = 1, rank: int = 8) -> None:
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):  # its weights are replaced: they cost no draws
            model = config.build()
        self.encoder = model.encoder.requires_grad_(tune == "all")
        self.width = config.width
        mean, std = model.statistics_of(config.modality)
        self.register_buffer("mean", mean.clone())
        self.register_buffer("std", std.clone())
        if tune == "last":
            for part in self.encoder.last_blocks(last):
                part.requires_grad_(True)
        elif tune == "lora":
            add_lora(self.encoder.trunk, rank, alpha=float(rank))
        self._learns = tune != "frozen"

    def load_from(self, model: PerceptionModel) -> None:
        """Copy the encoder weights and input statistics of a trained perception model.

        The source is the encoder that the model encodes with: its target encoder where it has one.

        Raises:
            ConfigError: if the model has another configuration.
        """
        if not isinstance(model, PerceptionModel) or model.config != self.config:
            raise ConfigError(
                f"expected the encoder of a model with the {type(self.config).__name__} that perception= has; got "
                f"{_difference(self.config, model)}. Build the world model with perception=model.config."
            )
        source = model.encoder if model.target_encoder is None else model.target_encoder
        theirs = dict(source.named_parameters())
        with torch.no_grad():
            for name, value in original_parameters(self.encoder).items():
                value.copy_(theirs[name])
            mean, std = model.statistics_of(model.config.modality)
            self.mean.copy_(mean)
            self.std.copy_(std)

    def forward(self, images: Tensor) -> Tensor:
        """Encode ``[N, C, H, W]`` of any number type to tokens ``[N, n, D]``, without a class token."""
        with nullcontext() if self._learns else torch.no_grad():
            return self.encoder.image_tokens(images, self.mean, self.std)


def check_input(perception: PerceptionConfig, modality: Modality, name: str) -> None:
    """Check that an encoder fits a camera.

    Args:
        perception: The configuration of the perception model.
        modality: The modality to encode.
        name: Its name.

    Raises:
        ConfigError: if the configuration is of another model, or the camera's images do not fit the encoder.
    """
    if not isinstance(perception, PerceptionConfig):
        raise ConfigError(
            "perception is the configuration of a perception model, such as a MaskedModelConfig; got a "
            f"{type(perception).__name__}."
        )
    trained = perception.spec.modalities[perception.modality]
    if modality.kind != "pixels" or trained.kind != "pixels" or modality.shape[0] != trained.shape[0]:
        raise ConfigError(
            f"the encoder reads {trained.kind} of {trained.shape[0]} channels; {name!r} is {modality.kind} of "
            f"{modality.shape[0]}. Take the configuration of a model that was trained on such images."
        )
    if min(modality.shape[1:]) < perception.patch:
        raise ConfigError(
            f"the encoder reads images of at least {perception.patch} px; {name!r} is of {list(modality.shape[1:])}."
        )


def check_tune(tune: Tune, last: int, rank: int, prefix: str = "") -> None:
    """Check the range of the tuning options.

    Args:
        tune: Trained part of the encoder.
        last: Number of blocks, with ``last``.
        rank: Rank of the additions, with ``lora``.
        prefix: Beginning of the names of the options ``last`` and ``rank``.

    Raises:
        ConfigError: if one is out of range, with its name.
    """
    if tune not in ("frozen", "last", "lora", "all"):
        raise ConfigError(f"tune is one of frozen, last, lora, all; got {tune!r}.")
    if last < 1 or rank < 1:
        raise ConfigError(f"{prefix}last and {prefix}rank are at least 1; got {last} and {rank}.")
    for option, value, default, of in (("last", last, 1, "last"), ("rank", rank, 8, "lora")):
        if value != default and tune != of:
            raise ConfigError(f"{prefix}{option}={value} is an option of tune={of!r}; got tune={tune!r}. Leave it out.")


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


def _difference(config: PerceptionConfig, model: object) -> str:
    """Describe the differences between a configuration and another model's."""
    other = model.config if isinstance(model, PerceptionModel) else None
    if not isinstance(other, type(config)):
        return f"a {type(model).__name__}"
    mine, theirs = vars(config), vars(other)
    names = [one.name for one in fields(config) if mine[one.name] != theirs[one.name]]
    return ", ".join(
        f"another {name}" if name == "spec" else f"{name}={theirs[name]!r} instead of {mine[name]!r}" for name in names
    )

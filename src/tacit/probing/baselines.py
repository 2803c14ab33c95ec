"""Baselines for probes: the untrained model and raw inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.errors import ConfigError
from tacit.models import Model
from tacit.nn.encoders import Normalizer
from tacit.probing.encoder import Encoder, Trainable
from tacit.types import Modality, Statistics

__all__ = ["RawInput", "baselines", "untrained_model"]


class RawInput(nn.Module):
    """Baseline without a network: standardised observations, with images averaged to fewer pixels.

    Args:
        config: Configuration of the compared model, with its Spec and its modalities.
        statistics: Statistics for standardising, fitted on training episodes.
        grid: Rows and columns of patches, the tokens of an image.
        patch: Side of a patch in pixels, after averaging.
        covered: Share of the height and the width of an image, from its upper left corner, that the patches cover.
    """

    def __init__(
        self,
        config: Any,
        statistics: Statistics,
        grid: tuple[int, int] = (4, 4),
        patch: int = 4,
        covered: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        super().__init__()
        self.config, self.grid, self.patch, self.covered = config, grid, patch, covered
        self.modalities: dict[str, Modality] = {name: config.spec.modalities[name] for name in config.inputs}
        self.normalizers = nn.ModuleDict({name: Normalizer(m.shape[0]) for name, m in self.modalities.items()})
        for name in self.modalities:
            self._normalizer(name).set_statistics(statistics.mean[name], statistics.std[name])

    def encode(self, observation: Mapping[str, Tensor], tokens: bool = False) -> Tensor:
        """Return ``[B, D]`` of observations ``[B, ...]``, or patches ``[B, n, D]`` of its images."""
        kinds = {modality.kind for modality in self.modalities.values()}
        if tokens and kinds != {"pixels"}:
            raise ConfigError(f"only images have patches; the modalities here are {', '.join(sorted(kinds))}.")
        parts = [self._flat(name, observation[name], tokens) for name in self.modalities]
        return torch.cat(parts, dim=-1)

    def _flat(self, name: str, value: Tensor, tokens: bool) -> Tensor:
        normalizer = self._normalizer(name)
        value = value.to(normalizer.mean.device).float()
        if self.modalities[name].kind != "pixels":
            out: Tensor = normalizer(value)
            return out.flatten(1)
        batch, frames = len(value), value.reshape(-1, *value.shape[-3:]) / 255.0
        frames = (frames - normalizer.mean[:, None, None]) / normalizer.std[:, None, None]
        down, across = (extent * self.patch for extent in self.grid)
        if not tokens:
            fewer = min(down, frames.shape[-2]), min(across, frames.shape[-1])
            return F.adaptive_avg_pool2d(frames, fewer).reshape(batch, -1)
        height, width = (round(side * share) for side, share in zip(frames.shape[-2:], self.covered, strict=True))
        frames = frames[..., :height, :width]
        patches = F.unfold(F.adaptive_avg_pool2d(frames, (down, across)), self.patch, stride=self.patch).transpose(1, 2)
        return patches.reshape(batch, -1, patches.shape[-1])

    def _normalizer(self, name: str) -> Normalizer:
        return cast("Normalizer", self.normalizers[name])


def untrained_model(model: Trainable, seed: int = 0) -> Trainable:
    """Build the same model with new random weights and the statistics of ``model``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(model, Model):
            twin: Trainable = model.untrained()
        else:
            twin = type(model)(model.config)  # type: ignore[call-arg]
    twin.set_statistics(model.statistics)
    twin.to(model.device)
    return twin


def baselines(
    model: Trainable,
    seed: int = 0,
    *,
    tokens: bool = False,
    grid: tuple[int, int] | None = None,
    covered: tuple[float, float] = (1.0, 1.0),
) -> dict[str, Encoder]:
    """Build the baselines of a model: ``untrained`` (new weights) and ``raw`` (its input).

    Args:
        model: The model to compare with.
        seed: Seed of the untrained weights.
        tokens: Compare tokens; ``raw`` is then left out unless all of the input is images.
        grid: Rows and columns of the tokens of ``raw``; 4 x 4 by default.
        covered: Share of an image's height and width that they cover.
    """
    kinds = {model.config.spec.modalities[name].kind for name in model.config.inputs}
    found: dict[str, Encoder] = {"untrained": untrained_model(model, seed)}
    if not tokens or kinds == {"pixels"}:
        found["raw"] = RawInput(model.config, model.statistics, grid or (4, 4), covered=covered)
    return found

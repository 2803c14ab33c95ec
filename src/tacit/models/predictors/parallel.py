"""Parallel predictor: all latents of a horizon from the current latent and the actions, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit._check import require
from tacit.models.predictors._predictor import PredictorConfig
from tacit.nn.kernels import PLAIN, Kernels
from tacit.nn.linear import Linear
from tacit.nn.mlp import MLP
from tacit.nn.predictors import Predictor

__all__ = ["Parallel"]


@dataclass(frozen=True)
class Parallel(PredictorConfig):
    """Residual MLP from the current latent and a prefix of the actions to the latent after that prefix.

    All prefixes up to ``span`` steps are computed in one pass, so a planner calls the network once where a step
    predictor is called ``span`` times. Longer rollouts continue from the last latent of each pass. Training must
    supervise every prefix: predict at least ``span`` steps ahead. After Fast-LeWM (arXiv 2606.26217), with one linear
    map for each length of prefix as the encoder of prefixes.

    Args:
        span: Steps that one pass predicts.
        width: Width of the hidden layers.
        depth: Hidden layers.
        final_norm: Layer-normalise the output, for an encoder that ends in a LayerNorm too.

    Raises:
        ConfigError: if ``span`` is below 1.
    """

    sizes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"width": 512, "depth": 3},
        "base": {"width": 192, "depth": 6},
    }
    span: int = 4
    width: int = 128
    depth: int = 2
    final_norm: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.span >= 1, "Parallel", f"span >= 1; got {self.span}")

    def build(self, latent: int, action: int) -> ParallelPredictor:
        """Return a new predictor; see :meth:`PredictorConfig.build`."""
        return ParallelPredictor(self, latent, action)


class ParallelPredictor(Predictor):
    """Network of :class:`Parallel`."""

    def __init__(self, config: Parallel, latent: int, action: int) -> None:
        super().__init__()
        self.span = config.span
        self.from_latent = Linear(latent, config.width, bias=False)
        self.prefixes = nn.ModuleList(Linear(action * (k + 1), config.width) for k in range(config.span))
        self.net = MLP(config.width, (config.width,) * (config.depth - 1), latent)
        self.norm = nn.LayerNorm(latent) if config.final_norm else nn.Identity()

    def step(self, latents: Tensor, actions: Tensor, kernels: Kernels) -> Tensor:
        """Compute the next latents; see :meth:`Predictor.step`."""
        return self._ahead(latents, actions.unsqueeze(-2), kernels)[..., 0, :]

    def unroll(self, latents: Tensor, actions: Tensor, steps: int) -> tuple[Tensor, ...]:
        """Forecast from every start; see :meth:`Predictor.unroll`."""
        batch, count = latents.shape[:2]
        following = F.pad(actions, (0, 0, 0, steps - 1)).unfold(1, steps, 1).transpose(2, 3)
        starts = latents.reshape(batch * count, 1, -1)
        found = self.rollout(starts, starts[:, :0], following.reshape(batch * count, 1, steps, -1))
        ahead = found.reshape(batch, count, steps, -1)
        return tuple(ahead[:, : count - k, k] for k in range(steps))

    def rollout(self, latents: Tensor, past: Tensor, actions: Tensor, kernels: Kernels = PLAIN) -> Tensor:
        """Imagine latents, ``span`` of them in a pass; see :meth:`Predictor.rollout`."""
        del past  # The current latent alone is read.
        current, out = latents[:, None, -1], []
        for part in torch.split(actions, self.span, dim=2):
            out.append(self._ahead(current, part, kernels))
            current = out[-1][:, :, -1]
        return torch.cat(out, dim=2)

    def _ahead(self, latents: Tensor, actions: Tensor, kernels: Kernels) -> Tensor:
        """Map ``latents [..., D]`` and ``actions [..., K, E]`` to the latents ``[..., K, D]`` after each prefix.

        Leading axes broadcast, so that what comes from a latent is computed once for all its candidates.
        """
        size, flat = actions.shape[-1], actions.flatten(-2)
        state = kernels.linear(self.from_latent, latents)
        prefixes = [
            state + kernels.linear(layer, flat[..., : (k + 1) * size])
            for k, layer in zip(range(actions.shape[-2]), self._layers, strict=False)
        ]
        change = kernels.mlp(self.net, F.gelu(torch.stack(prefixes, dim=-2)))
        out: Tensor = self.norm(latents.unsqueeze(-2) + change)
        return out

    @property
    def _layers(self) -> list[Linear]:
        return [layer for layer in self.prefixes if isinstance(layer, Linear)]

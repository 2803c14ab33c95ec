"""Predictors of the next latent: the interface, and two predictors without history."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tacit.nn.kernels import PLAIN, Kernels
from tacit.nn.linear import Linear
from tacit.nn.mlp import MLP

__all__ = ["GRUPredictor", "MLPPredictor", "Predictor"]


class Predictor(nn.Module):
    """Base class ``(latents, action latents) -> next latents``; subclasses implement :meth:`forward` and :meth:`step`.

    The methods here serve every predictor whose next latent depends on the last one alone.

    Attributes:
        history: Latents, the current one included, that a prediction depends on.
        rows: Candidates to imagine at a time on a CPU, so that their data stays in its cache.
    """

    history = 1
    rows = 4096

    def forward(self, latents: Tensor, actions: Tensor) -> Tensor:
        """Forecast: entry ``t`` of the result ``[N, T, D]`` is the forecast of latent ``t + 1``.

        ``latents`` is ``[N, T, D]``, ``actions`` ``[N, T, E]``.
        """
        return self.step(latents, actions, PLAIN)

    def step(self, latents: Tensor, actions: Tensor, kernels: Kernels) -> Tensor:
        """Map ``latents [..., D]``, ``actions [..., E]`` to the next latents ``[..., D]``."""
        raise NotImplementedError

    def unroll(self, latents: Tensor, actions: Tensor, steps: int) -> tuple[Tensor, ...]:
        """Forecast 1 to ``steps`` steps from every start, one batched pass for each step.

        Args:
            latents: ``[N, T, D]``.
            actions: ``[N, T, E]``; the last one leads out of the clip.
            steps: Number of steps.

        Returns:
            At index ``k - 1`` ``[N, T + 1 - k, D]``: entry ``i`` forecasts latent ``i + k`` from latent
            ``i`` and its context.
        """
        predictions = [self.forward(latents, actions)]
        for k in range(2, steps + 1):
            predictions.append(self.forward(predictions[-1][:, :-1], actions[:, k - 1 :]))
        return tuple(predictions)

    def rollout(self, latents: Tensor, past: Tensor, actions: Tensor, kernels: Kernels = PLAIN) -> Tensor:
        """Imagine latents: feed each forecast back.

        Args:
            latents: ``[B, T0, D]`` observed latents, the last one current.
            past: ``[B, T0 - 1, E]`` latents of the actions between them.
            actions: ``[B, S, H, E]`` latents of the candidate actions.
            kernels: Kernels of the linear layers.

        Returns:
            ``[B, S, H, D]``.
        """
        del past  # These predictors use the current latent only.
        latent = latents[:, -1:].expand(-1, actions.shape[1], -1)
        out = []
        for step in range(actions.shape[2]):
            latent = self.step(latent, actions[:, :, step], kernels)
            out.append(latent)
        return torch.stack(out, dim=2)


class MLPPredictor(Predictor):
    """Residual MLP: the next latent is the current one plus an MLP of latent and action.

    Args:
        latent: Size ``D``.
        action: Size ``E`` of an action latent.
        width: Width of the hidden layers.
        depth: Hidden layers.
        final_norm: Layer-normalise the output, for an encoder that ends in a LayerNorm too.
    """

    def __init__(self, latent: int, action: int, width: int, depth: int, final_norm: bool = False) -> None:
        super().__init__()
        self.net = MLP(latent + action, (width,) * depth, latent)
        self.norm = nn.LayerNorm(latent) if final_norm else nn.Identity()

    def step(self, latents: Tensor, actions: Tensor, kernels: Kernels) -> Tensor:
        """Compute the next latents; see :meth:`Predictor.step`."""
        out: Tensor = self.norm(latents + kernels.mlp(self.net, torch.cat([latents, actions], dim=-1)))
        return out


class GRUPredictor(Predictor):
    """Gated recurrent unit whose hidden state is the latent and whose input is the action latent.

    The predictor of eb_jepa's action-conditioned example; Cho et al. 2014 (arXiv 1406.1078) for the cell.

    Args:
        latent: Size ``D``.
        action: Size ``E`` of an action latent.
        final_norm: Layer-normalise the output, for an encoder that ends in a LayerNorm too.
    """

    def __init__(self, latent: int, action: int, final_norm: bool = False) -> None:
        super().__init__()
        self.from_action = Linear(action, 3 * latent)
        self.from_latent = Linear(latent, 3 * latent)
        for layer in (self.from_action, self.from_latent):
            nn.init.uniform_(layer.weight, -(latent**-0.5), latent**-0.5)
            nn.init.uniform_(layer.bias, -(latent**-0.5), latent**-0.5)
        self.norm = nn.LayerNorm(latent) if final_norm else nn.Identity()

    def step(self, latents: Tensor, actions: Tensor, kernels: Kernels) -> Tensor:
        """Compute the next latents; see :meth:`Predictor.step`."""
        reset, update, new = kernels.linear(self.from_action, actions).chunk(3, dim=-1)
        kept_reset, kept_update, kept_new = kernels.linear(self.from_latent, latents).chunk(3, dim=-1)
        new = torch.tanh(new + torch.sigmoid(reset + kept_reset) * kept_new)
        out: Tensor = self.norm(torch.lerp(new, latents, torch.sigmoid(update + kept_update)))
        return out

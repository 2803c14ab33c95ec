"""Base class of predictors of the next latent."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tacit.nn.kernels import PLAIN, Kernels

__all__ = ["Predictor"]


class Predictor(nn.Module):
    """Base class ``(latents, action latents) -> next latents``; subclasses implement :meth:`forward` and :meth:`step`.

    The methods here serve every predictor whose next latent depends on the last one alone.

    Attributes:
        history: Latents, the current one included, that a prediction depends on.
        span: Steps that one pass predicts; a longer rollout continues from the last of them.
        rows: Candidates to imagine at a time on a CPU, so that their data stays in its cache.
    """

    history = 1
    span = 1
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

"""Goal-conditioned policy: the action from one latent towards another, without search."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.errors import ConfigError, SpecError
from tacit.models._check import check_sizes
from tacit.nn.mlp import MLP
from tacit.types import Box, Context, Discrete, Noise, WorldModel

__all__ = ["GoalPolicy", "GoalPolicyConfig"]

# Bounds on the spread of an action, in half-widths of its range.
_NARROWEST, _WIDEST = 0.02, 1.0


@dataclass(frozen=True)
class GoalPolicyConfig:
    """Configuration of a :class:`GoalPolicy`.

    Args:
        latent: Size ``D`` of a latent.
        action: The space of one raw action.
        frameskip: Raw actions in a block.
        width: Width of the hidden layers.
        depth: Hidden layers.
    """

    latent: int
    action: Box | Discrete
    frameskip: int = 1
    width: int = 256
    depth: int = 2

    def __post_init__(self) -> None:
        check_sizes(self)
        if min(self.latent, self.frameskip, self.width, self.depth) < 1:
            raise ConfigError("latent, frameskip, width and depth of a GoalPolicy are at least 1.")

    @property
    def action_size(self) -> int:
        """Return ``A'``, the size of an action block."""
        return self.frameskip * self.action.size


class GoalPolicy(nn.Module):
    """Goal-conditioned inverse dynamics (as GC-IDM, arXiv 2605.08732): an MLP on two latents.

    Its inputs are a latent and the latent of a goal.

    For a box it returns a mean inside the box and a spread for each component, for a discrete space
    a distribution over the choices, for each raw action of the block.

    Args:
        config: Configuration of the policy.
    """

    low: Tensor
    high: Tensor

    def __init__(self, config: GoalPolicyConfig) -> None:
        super().__init__()
        self.config = config
        box = config.action if isinstance(config.action, Box) else None
        self.net = MLP(2 * config.latent, (config.width,) * config.depth, config.action_size * (2 if box else 1))
        self.register_buffer("low", torch.tensor(box.low if box else ()).repeat(config.frameskip))
        self.register_buffer("high", torch.tensor(box.high if box else ()).repeat(config.frameskip))

    def forward(self, latents: Tensor, goals: Tensor) -> Tensor:
        """Return the action block ``[..., A']`` at ``latents [..., D]`` that leads to ``goals [..., D]``.

        Raises:
            SpecError: if the latents have another size.
        """
        if isinstance(self.config.action, Box):
            return self._box(latents, goals)[0]
        logits = self._logits(latents, goals)
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).flatten(-2).to(logits.dtype)

    def loss(self, latents: Tensor, goals: Tensor, actions: Tensor) -> Tensor:
        """Compute the loss of the recorded ``actions [N, A']`` from latent to goal.

        The mean is fitted by squared error and the spread by the likelihood around it, so that unpredictable actions do
        not weigh less.

        Args:
            latents: ``[N, D]``.
            goals: ``[N, D]``, later latents of the same episodes.
            actions: ``[N, A']`` raw action blocks taken at ``latents``.
        """
        if isinstance(self.config.action, Discrete):
            logits = self._logits(latents, goals)
            chosen = actions.reshape(logits.shape).argmax(-1)
            return F.cross_entropy(logits.flatten(0, -2), chosen.flatten())
        mean, std = self._box(latents, goals)
        scale = _half(self.low, self.high)
        error, std = (mean - actions) / scale, std / scale
        return error.square().mean() + (0.5 * (error.detach() / std).square() + std.log()).mean()

    @torch.no_grad()
    def propose(
        self,
        context: Context,
        goal: Tensor,
        horizon: int,
        count: int,
        noise: Noise,
        model: WorldModel,
    ) -> Tensor:
        """Propose initial plans for a planner: the policy acts in the model's imagination.

        Args:
            context: Observed latents and actions; the policy reads the last latent only, the model its history.
            goal: ``[B, D]`` latents of the goals.
            horizon: Action blocks ``H`` of a plan.
            count: Plans ``P`` for each world; the first takes the mean (or likeliest) action, the others sample.
            noise: The source of randomness.
            model: The world model to imagine with.

        Returns:
            ``[B, P, H, A']`` raw actions inside the action space.

        Raises:
            SpecError: if the latents or the blocks between them do not fit.
        """
        latents, past_actions = context.latents, context.blocks
        if past_actions is None:
            past_actions = latents.new_empty(len(latents), 0, self.config.action_size)
        if latents.ndim != 3 or past_actions.shape[1] != latents.shape[1] - 1:
            raise SpecError(
                "propose needs a context of latents [B, T, D] and the blocks between them [B, T - 1, A']; "
                f"got {list(latents.shape)} and {list(past_actions.shape)}."
            )
        latents, past_actions, goal = (part.repeat_interleave(count, 0) for part in (latents, past_actions, goal))
        plan: list[Tensor] = []
        for step in range(horizon):
            if step:
                following = model.rollout(Context(latents, past_actions), plan[-1].flatten(0, 1)[:, None])
                past_actions = torch.cat([past_actions, plan[-1].flatten(0, 1)[:, None]], dim=1)
                latents = torch.cat([latents, following], dim=1)
            actions = self._sample(latents[:, -1], goal, count, noise, step)
            actions = actions.reshape(-1, count, actions.shape[-1])
            actions[:, 0] = self(latents[:, -1], goal).reshape(actions.shape)[:, 0]
            plan.append(actions)
        return torch.stack(plan, dim=2)

    def _sample(self, latents: Tensor, goals: Tensor, count: int, noise: Noise, step: int) -> Tensor:
        if isinstance(self.config.action, Box):
            mean, std = self._box(latents, goals)
            normal = torch.from_numpy(noise.normal(step, (count, mean.shape[-1]))).to(mean)
            return torch.minimum(torch.maximum(mean + std * normal.flatten(0, 1), self.low), self.high)
        logits = self._logits(latents, goals)
        # The argmax of probabilities divided by exponential draws is a sample of the choices.
        clocks = torch.from_numpy(noise.exponential(step, (count, *logits.shape[-2:]))).to(logits)
        chosen = (logits.softmax(-1) / clocks.flatten(0, 1)).argmax(-1)
        return F.one_hot(chosen, logits.shape[-1]).flatten(-2).to(logits.dtype)

    def _box(self, latents: Tensor, goals: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation ``[..., A']`` in raw units."""
        mean, spread = self._outputs(latents, goals).chunk(2, dim=-1)
        half = _half(self.low, self.high)
        std = _NARROWEST + (_WIDEST - _NARROWEST) * torch.sigmoid(spread)
        return (self.low + self.high) / 2 + (self.high - self.low) / 2 * torch.tanh(mean), half * std

    def _logits(self, latents: Tensor, goals: Tensor) -> Tensor:
        """Return logits ``[..., frameskip, n]``."""
        out = self._outputs(latents, goals)
        return out.reshape(*out.shape[:-1], self.config.frameskip, -1)

    def _outputs(self, latents: Tensor, goals: Tensor) -> Tensor:
        if latents.shape[-1] != self.config.latent or goals.shape[-1] != self.config.latent:
            raise SpecError(
                f"this policy takes latents of size {self.config.latent}; "
                f"got {list(latents.shape)} and goals {list(goals.shape)}."
            )
        out: Tensor = self.net(torch.cat([latents, goals], dim=-1))
        return out


def _half(low: Tensor, high: Tensor) -> Tensor:
    """Return half the width of a range; never 0, for a component that cannot move."""
    return ((high - low) / 2).clamp(min=1e-6)

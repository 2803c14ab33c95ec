"""Goal-conditioned policy: the action from one latent towards another, without search."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tacit.errors import ConfigError, SpecError
from tacit.models._check import check_sizes
from tacit.nn.mlp import MLP
from tacit.types import ActionSpace, Box, Context, Discrete, Noise, WorldModel

__all__ = ["GoalPolicy", "GoalPolicyConfig"]

# Bounds on the spread of an action, in half-widths of its range.
_NARROWEST, _WIDEST = 0.02, 1.0

CHOICES = 1000
"""The stream of noise of the choices of a mixed space; its numbers have the other one."""


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
    action: ActionSpace
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

    For each raw action of the block it returns a mean inside the box and a spread for each number, and a distribution
    over each choice.

    Args:
        config: Configuration of the policy.
    """

    low: Tensor
    high: Tensor

    def __init__(self, config: GoalPolicyConfig) -> None:
        super().__init__()
        self.config = config
        parts = config.action.parts
        boxes: list[Box] = [part for _, part in parts if isinstance(part, Box)]
        low = [bound for box in boxes for bound in box.low]
        high = [bound for box in boxes for bound in box.high]
        self._numbers = [box.size for box in boxes]
        self._choices = [part.n for _, part in parts if isinstance(part, Discrete)]
        outputs = config.frameskip * (2 * len(low) + sum(self._choices))
        self.net = MLP(2 * config.latent, (config.width,) * config.depth, outputs)
        self.register_buffer("low", torch.tensor(low).repeat(config.frameskip))
        self.register_buffer("high", torch.tensor(high).repeat(config.frameskip))

    def forward(self, latents: Tensor, goals: Tensor) -> Tensor:
        """Return the action block ``[..., A']`` at ``latents [..., D]`` that leads to ``goals [..., D]``.

        Raises:
            SpecError: if the latents have another size.
        """
        mean, _, logits = self._read(latents, goals)
        return self._block(mean, [part.argmax(-1) for part in logits])

    def loss(self, latents: Tensor, goals: Tensor, actions: Tensor) -> Tensor:
        """Compute the loss of the recorded ``actions [N, A']`` from latent to goal.

        The mean is fitted by squared error and the spread by the likelihood around it, so that unpredictable actions do
        not weigh less.

        Args:
            latents: ``[N, D]``.
            goals: ``[N, D]``, later latents of the same episodes.
            actions: ``[N, A']`` raw action blocks taken at ``latents``.
        """
        mean, std, logits = self._read(latents, goals)
        numbers, chosen = self._split(actions)
        total = latents.new_zeros(())
        if mean.shape[-1]:
            scale = _half(self.low, self.high)
            error, std = (mean - numbers) / scale, std / scale
            total = error.square().mean() + (0.5 * (error.detach() / std).square() + std.log()).mean()
        for part, choice in zip(logits, chosen, strict=True):
            total = total + F.cross_entropy(part.flatten(0, -2), choice.flatten())
        return total

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
        mean, std, logits = self._read(latents, goals)
        if mean.shape[-1]:
            normal = torch.from_numpy(noise.normal(step, (count, mean.shape[-1]))).to(mean)
            mean = torch.minimum(torch.maximum(mean + std * normal.flatten(0, 1), self.low), self.high)
            noise = noise.spawn(CHOICES)
        if not logits:
            return self._block(mean, [])
        # The argmax of probabilities divided by exponential draws is a sample of the choices.
        shape = (count, self.config.frameskip, sum(self._choices))
        drawn = torch.from_numpy(noise.exponential(step, shape)).to(mean).flatten(0, 1)
        clocks = torch.split(drawn, self._choices, dim=-1)
        return self._block(mean, [(p.softmax(-1) / c).argmax(-1) for p, c in zip(logits, clocks, strict=True)])

    def _read(self, latents: Tensor, goals: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return mean and standard deviation of the numbers of a block, in raw units, and the logits of the choices.

        Mean and standard deviation are ``[..., frameskip * numbers]``, the logits ``[..., frameskip, n]`` each.
        """
        width = len(self.low)
        mean, spread, rest = torch.tensor_split(self._outputs(latents, goals), (width, 2 * width), dim=-1)
        std = _NARROWEST + (_WIDEST - _NARROWEST) * torch.sigmoid(spread)
        mean = (self.low + self.high) / 2 + (self.high - self.low) / 2 * torch.tanh(mean)
        choices = self._rows(rest, sum(self._choices))
        logits = torch.split(choices, self._choices, dim=-1) if self._choices else ()
        return mean, _half(self.low, self.high) * std, list(logits)

    def _block(self, numbers: Tensor, chosen: list[Tensor]) -> Tensor:
        """Return an action block ``[..., A']`` of its numbers and choices ``[..., frameskip]``."""
        rows = self._rows(numbers, sum(self._numbers))
        boxes = iter(torch.split(rows, self._numbers, dim=-1) if self._numbers else ())
        choices = iter(chosen)
        parts = [
            next(boxes) if isinstance(part, Box) else F.one_hot(next(choices), part.n).to(numbers.dtype)
            for _, part in self.config.action.parts
        ]
        return torch.cat(parts, dim=-1).flatten(-2)

    def _split(self, block: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the numbers ``[..., frameskip * numbers]`` and the choices ``[..., frameskip]`` of a block."""
        rows, parts = self._rows(block, self.config.action.size), self.config.action.parts
        numbers = [rows[..., where] for where, part in parts if isinstance(part, Box)]
        choices = [rows[..., where].argmax(-1) for where, part in parts if isinstance(part, Discrete)]
        return torch.cat(numbers, dim=-1).flatten(-2) if numbers else block[..., :0], choices

    def _rows(self, block: Tensor, width: int) -> Tensor:
        """Return ``[..., frameskip * width]`` as ``[..., frameskip, width]``."""
        return block.reshape(*block.shape[:-1], self.config.frameskip, width)

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

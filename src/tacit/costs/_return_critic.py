"""Reward of a block and value of a latent, learned from recorded rewards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tacit._arrays import like
from tacit.errors import ConfigError, SpecError
from tacit.nn.mlp import MLP
from tacit.types import Numbers

__all__ = ["ReturnCritic", "ReturnCriticConfig"]

VALUES = 2
"""Value networks, the lowest of which counts."""


@dataclass(frozen=True)
class ReturnCriticConfig:
    """Configuration of a :class:`ReturnCritic`.

    Args:
        latent: Size ``D`` of a latent.
        block: Size ``A'`` of a block of raw actions.
        discount: Weight of a reward one block later.
        width: Width of the hidden layers.
        depth: Hidden layers.

    Raises:
        ConfigError: if a size is below 1, or the discount is not between 0 and 1.
    """

    latent: int
    block: int
    discount: float = 0.98
    width: int = 128
    depth: int = 2

    def __post_init__(self) -> None:
        if min(self.latent, self.block, self.width, self.depth) < 1 or not 0 <= self.discount < 1:
            raise ConfigError(
                "latent, block, width and depth of a ReturnCritic are at least 1, and 0 <= discount < 1; got "
                f"discount={self.discount}."
            )


class ReturnCritic(nn.Module):
    """Learned return of a rollout: predicted rewards of its blocks, and the value of its last latent.

    :func:`tacit.training.train_critic` trains it. The reward of a block is the sum of its raw rewards. The value
    is the lower of two networks, so that what only one of them has seen counts less.

    Args:
        config: Configuration of the critic.

    Attributes:
        latents: ``[2, D]`` mean and standard deviation of the latents.
        blocks: ``[2, A']`` of the blocks.
        rewards: ``[2]`` of the rewards of blocks.
        returns: ``[2]`` of the recorded discounted returns.
    """

    latents: Tensor
    blocks: Tensor
    rewards: Tensor
    returns: Tensor

    def __init__(self, config: ReturnCriticConfig) -> None:
        super().__init__()
        self.config = config
        hidden = (config.width,) * config.depth
        self.reward_net = MLP(config.latent + config.block, hidden, 1, "layer", "silu")
        self.value_nets = nn.ModuleList(MLP(config.latent, hidden, 1, "layer", "silu") for _ in range(VALUES))
        for name, size in {
            "latents": (config.latent,),
            "blocks": (config.block,),
            "rewards": (),
            "returns": (),
        }.items():
            self.register_buffer(name, torch.stack([torch.zeros(size), torch.ones(size)]))

    def forward(self, start: Tensor, latents: Tensor, blocks: Tensor) -> Tensor:
        """Return the discounted returns ``[B, S]`` of candidates, the value after the last block included.

        Args:
            start: ``[B, D]`` current latents.
            latents: ``[B, S, H, D]`` imagined latents.
            blocks: ``[B, S, H, A']`` raw action blocks.

        Raises:
            SpecError: if latents or blocks have another size.
        """
        before = torch.cat([start[:, None, None].expand(-1, latents.shape[1], -1, -1), latents[:, :, :-1]], dim=2)
        horizon = latents.shape[2]
        weights = self.config.discount ** torch.arange(horizon, device=latents.device, dtype=latents.dtype)
        return self.reward(before, blocks) @ weights + self.config.discount**horizon * self.value(latents[:, :, -1])

    def __call__(self, start: Numbers, latents: Numbers, blocks: Numbers) -> Numbers:
        """Return discounted returns; NumPy arrays in are NumPy arrays out. See :meth:`forward`."""
        if not isinstance(latents, np.ndarray):
            return super().__call__(start, latents, blocks)
        with torch.no_grad():
            found = super().__call__(*(like(part, self.rewards) for part in (start, latents, blocks)))
            return np.asarray(found.cpu().numpy(), latents.dtype)

    def reward(self, latents: Tensor, blocks: Tensor) -> Tensor:
        """Return the rewards ``[...]`` of ``blocks [..., A']`` that are carried out at ``latents [..., D]``."""
        for name, part, size in (("latents", latents, self.config.latent), ("blocks", blocks, self.config.block)):
            if part.shape[-1] != size:
                raise SpecError(
                    f"the critic is for {name} of size {size}; got {list(part.shape)}. It belongs to another model."
                )
        inputs = torch.cat([_standard(latents, self.latents), _standard(blocks, self.blocks)], dim=-1)
        found: Tensor = self.reward_net(inputs)[..., 0]
        return self.rewards[0] + self.rewards[1] * found

    def value(self, latents: Tensor) -> Tensor:
        """Return the lower of the two values ``[...]`` of ``latents [..., D]``."""
        return self.values(latents).amin(dim=0)

    def values(self, latents: Tensor) -> Tensor:
        """Return the value of ``latents [..., D]`` by each network, ``[2, ...]``."""
        standard = _standard(latents, self.latents)
        found = torch.stack([net(standard)[..., 0] for net in self.value_nets])
        return self.returns[0] + self.returns[1] * found


def _standard(part: Tensor, statistics: Tensor) -> Tensor:
    return (part - statistics[0]) / statistics[1]

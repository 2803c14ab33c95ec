"""Averages of the past latents that forget at fixed rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.memory.carriers._module import CarrierModule, check_sizes

__all__ = ["EMABank", "EMABankConfig"]


@dataclass(frozen=True)
class EMABankConfig:
    """Configuration of an :class:`EMABank`.

    Args:
        latent: Size ``D`` of a latent.
        block: Size ``A'`` of an action block, which the bank does not read.
        times: Blocks after which each average has forgotten all but a share of ``1 / e``.

    Raises:
        ConfigError: if a size is below 1, or a time is not above 0.
    """

    latent: int
    block: int
    times: tuple[float, ...] = (3.0, 25.0)

    def __post_init__(self) -> None:
        check_sizes(self, latent=self.latent, block=self.block, times=len(self.times))
        if not all(0 < time < float("inf") for time in self.times):
            raise ConfigError(f"the times of an EMABank are numbers of blocks above 0; got {self.times}.")


class EMABank(CarrierModule):
    """Bank of exponential averages of latents.

    An average is ``m_t = (1 - a) m_(t-1) + a z_t`` with ``a = 1 - exp(-1 / time)``, from ``m = 0`` on.
    It has no weights, so that nothing is trained but what reads it. Its state is ``averages [B, K, D]``.

    Args:
        config: Configuration of the bank.
    """

    configuration = EMABankConfig
    config: EMABankConfig

    def __init__(self, config: EMABankConfig) -> None:
        super().__init__(config)

    @property
    def size(self) -> int:
        """Return ``M``: all averages."""
        return len(self.config.times) * self.config.latent

    def begin(self, batch: int) -> dict[str, Tensor]:
        """Return the state before the first latent; see :class:`CarrierModule`."""
        return {"averages": self.mean.new_zeros(batch, len(self.config.times), self.config.latent)}

    def write(self, carry: Mapping[str, Tensor], latents: Tensor, blocks: Tensor) -> dict[str, Tensor]:  # noqa: ARG002 - averages of latents alone
        """Return the next state; see :class:`CarrierModule`."""
        shares = latents.new_tensor([1 - math.exp(-1 / time) for time in self.config.times])
        return {"averages": torch.lerp(carry["averages"], latents[:, None], shares[:, None])}

    def recall(self, carry: Mapping[str, Tensor]) -> Tensor:
        """Return the averages ``[B, K D]``; see :class:`CarrierModule`."""
        return carry["averages"].flatten(1)

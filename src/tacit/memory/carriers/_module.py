"""Base class of carriers that are torch modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from tacit.errors import ConfigError, SpecError

__all__ = ["CarrierModule"]


class _Sizes(Protocol):
    """The options that every carrier has."""

    @property
    def latent(self) -> int: ...
    @property
    def block(self) -> int: ...


class CarrierModule(nn.Module):
    """Base class of carriers; see :class:`tacit.types.Carrier`.

    A subclass names its ``configuration``, a frozen dataclass with ``latent`` and ``block`` among its options, and
    implements :meth:`begin`, :meth:`write`, :meth:`recall` and :attr:`size`. It is written with whitened latents.

    Args:
        config: The sizes of a latent and of an action block.

    Attributes:
        mean: ``[D]`` mean of the latents.
        whitening: ``[D, D]`` maps their deviations to the identity covariance, so that rare changes count.
    """

    configuration: ClassVar[type[Any]]
    config: _Sizes
    mean: Tensor
    whitening: Tensor

    def __init__(self, config: _Sizes) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(config.latent))
        self.register_buffer("whitening", torch.ones(config.latent).diag())

    @property
    def latent(self) -> int:
        """Return ``D``, the size of a latent."""
        return self.config.latent

    @property
    def size(self) -> int:
        """Return ``M``, the size of what is read."""
        raise NotImplementedError

    def begin(self, batch: int) -> dict[str, Tensor]:
        """Return the state of ``batch`` worlds before their first latent."""
        raise NotImplementedError

    def write(self, carry: Mapping[str, Tensor], latents: Tensor, blocks: Tensor) -> dict[str, Tensor]:
        """Return the state after whitened latents ``[B, D]``, to which blocks ``[B, A']`` led; 0 at the start."""
        raise NotImplementedError

    def recall(self, carry: Mapping[str, Tensor]) -> Tensor:
        """Return the memory ``[B, M]`` of a state."""
        raise NotImplementedError

    def start(self, batch: int, /) -> dict[str, Tensor]:
        """Return the state of new worlds; see :meth:`tacit.types.Carrier.start`.

        Raises:
            SpecError: if there is no world.
        """
        if batch < 1:
            raise SpecError(f"a carrier starts in 1 world or more; got {batch}.")
        return self.begin(batch)

    def step(self, carry: Mapping[str, Tensor], latents: Tensor, blocks: Tensor | None = None, /) -> dict[str, Tensor]:
        """Return the state after one more observation; see :meth:`tacit.types.Carrier.step`."""
        self._check(carry)
        batch = len(next(iter(carry.values())))
        blocks = latents.new_zeros(batch, self.config.block) if blocks is None else blocks
        for name, part, size in (("latents", latents, self.latent), ("blocks", blocks, self.config.block)):
            if tuple(part.shape) != (batch, size):
                raise SpecError(
                    f"{type(self).__name__} is written with {name} of shape {[batch, size]}; got {list(part.shape)}. "
                    "It belongs to another model, or the state to another batch."
                )
        known = latents.isfinite().all(dim=1) & blocks.isfinite().all(dim=1)
        safe, taken = (part.nan_to_num(0.0, 0.0, 0.0) for part in (latents, blocks))
        fresh = self.write(carry, self.whitened(safe), taken)
        return {
            name: torch.where(known.reshape(-1, *(1,) * (new.ndim - 1)), new, carry[name])
            for name, new in fresh.items()
        }

    def read(self, carry: Mapping[str, Tensor], /) -> Tensor:
        """Return the memory ``[B, M]``; see :meth:`tacit.types.Carrier.read`."""
        self._check(carry)
        return self.recall(carry)

    def read_along(self, latents: Tensor, blocks: Tensor) -> Tensor:
        """Return the memory ``[B, T + 1, M]`` along sequences: entry ``t`` is read before latent ``t``.

        Args:
            latents: ``[B, T, D]`` finite latents at block boundaries.
            blocks: ``[B, T - 1, A']`` the raw blocks between them.

        Raises:
            SpecError: if the sizes do not fit.
        """
        inputs = self.inputs(latents, blocks)
        carry = self.start(len(inputs))
        reads = [self.recall(carry)]
        for step in range(inputs.shape[1]):
            carry = self.write(carry, inputs[:, step, : self.latent], inputs[:, step, self.latent :])
            reads.append(self.recall(carry))
        return torch.stack(reads, dim=1)

    def whitened(self, latents: Tensor) -> Tensor:
        """Return latents ``[..., D]`` in the coordinates that the carrier is written with."""
        return (latents - self.mean) @ self.whitening

    def inputs(self, latents: Tensor, blocks: Tensor) -> Tensor:
        """Return whitened latents with the blocks that led to them ``[B, T, D + A']``.

        Args:
            latents: ``[B, T, D]``.
            blocks: ``[B, T - 1, A']``; before the first latent stands a block of zeros.

        Raises:
            SpecError: if the sizes do not fit.
        """
        batch, length, size = latents.shape
        if size != self.latent or tuple(blocks.shape) != (batch, length - 1, self.config.block):
            raise SpecError(
                f"expected latents [B, T, {self.latent}] and the blocks [B, T - 1, {self.config.block}] between them; "
                f"got {list(latents.shape)} and {list(blocks.shape)}."
            )
        before = torch.cat([blocks.new_zeros(batch, 1, self.config.block), blocks], dim=1)
        return torch.cat([self.whitened(latents), before], dim=2)

    def _check(self, carry: object) -> None:
        """Refuse the state of another carrier.

        Raises:
            SpecError: if it is one.
        """
        known = {name: tuple(part.shape[1:]) for name, part in self.begin(1).items()}
        found = {name: tuple(part.shape[1:]) for name, part in carry.items()} if isinstance(carry, Mapping) else carry
        if found != known:
            raise SpecError(
                f"expected a state of this {type(self).__name__}, arrays [B, ...] of {known}; got {found}. A state "
                "belongs to the carrier that made it: start again."
            )


def check_sizes(config: object, **sizes: float) -> None:
    """Refuse sizes below 1.

    Raises:
        ConfigError: if one is.
    """
    if min(sizes.values()) < 1:
        raise ConfigError(f"{', '.join(sizes)} of {type(config).__name__} are at least 1; got {config}.")

"""Interface of a learned distance of latents."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["Distance"]


class Distance(Protocol):
    """A learned distance of latents, in two steps; :class:`tacit.costs.TemporalCritic` is one."""

    def embed(self, latents: Tensor, /) -> Tensor:
        """Return embeddings ``[..., E]`` of latents ``[..., D]``."""

    def between(self, one: Tensor, other: Tensor, /) -> Tensor:
        """Return distances ``[...]`` from embeddings to embeddings ``[..., E]``, not negative."""

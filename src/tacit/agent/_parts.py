"""The parts of an actor, as far as it knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from tacit.types import Noise, Spec

__all__ = ["Model", "Proposal"]


class ModelConfig(Protocol):
    """What an agent reads of the configuration of a world model."""

    @property
    def spec(self) -> Spec:
        """The world that it was made for."""

    @property
    def frameskip(self) -> int:
        """Raw actions of one block."""

    @property
    def history(self) -> int:
        """Latents that the predictor looks back on, at least one."""


class Model(Protocol):
    """What an agent asks of a world model."""

    @property
    def config(self) -> ModelConfig:
        """What it was made for."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""

    def encode(self, observation: Mapping[str, Any]) -> Tensor:
        """Observations ``[B, ...]`` to latents ``[B, D]``."""

    def rollout(self, latents: Tensor, actions: Tensor, past_actions: Tensor | None = None) -> Tensor:
        """What follows the latents ``[B, T, D]`` under action blocks ``[B, H, A']`` or ``[B, S, H, A']``.

        Latents ``[B, H, D]`` or ``[B, S, H, D]``; ``past_actions [B, T - 1, A']`` lie between the given ones.
        """


class Proposal(Protocol):
    """A policy that suggests plans, for example a :class:`tacit.models.GoalPolicy`."""

    def propose(
        self,
        latents: Tensor,
        goal: Tensor,
        horizon: int,
        count: int,
        noise: Noise,
        model: Model,
        past_actions: Tensor | None = None,
    ) -> Tensor:
        """``count`` plans of raw action blocks, ``[B, count, horizon, A']``.

        For observed latents ``[B, T, D]``, the last one current, with the blocks ``past_actions [B, T - 1, A']``
        between them, and goals ``[B, D]``.
        """

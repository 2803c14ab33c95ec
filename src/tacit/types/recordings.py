"""Recorded episodes, and the clips that a model learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from tacit.types.spec import Array, Observation

if TYPE_CHECKING:
    from torch import Tensor


__all__ = ["REWARD", "SUCCESS", "Clip", "Episode", "Mask", "Masking", "Statistics", "Transform"]

REWARD, SUCCESS = "next.reward", "next.success"
"""The labels that hold the reward of each action and its success, named as in LeRobot."""


@dataclass(frozen=True)
class Episode:
    """An unbroken recording. ``action[t]`` takes ``observation[t]`` to ``observation[t + 1]``.

    Attributes:
        observation: Per modality ``[T, ...]``; a series has ``Spec.samples(name, T)`` samples instead.
        action: ``[T - 1, A]`` float32.
        terminated: The world ended the episode (as against ``truncated``: we did).
        final_action: ``[A]``, an action commanded at the last observation whose outcome was not recorded.
        labels: Quantities recorded for probes and evaluation only, ``[T, ...]``; a model never sees them.
        index: The episode's number in its dataset.
        seed: The seed that made it, where there was one.
        task: A description of the task in words.
        group: The recording that this is a piece of; a split never separates pieces of one. Empty: a whole recording.
    """

    observation: Observation
    action: npt.NDArray[np.float32]
    terminated: bool = False
    final_action: npt.NDArray[np.float32] | None = None
    labels: Mapping[str, Array] = field(default_factory=dict)
    index: int = 0
    seed: int | None = None
    task: str = ""
    group: str = ""

    def __len__(self) -> int:
        """Return the number of observations ``T``."""
        return len(self.action) + 1

    def __str__(self) -> str:
        parts = [f"{name} {list(value.shape)}" for name, value in self.observation.items()]
        parts += [f"action {list(self.action.shape)}"] if self.action.shape[-1:] != (0,) else []
        labels = f"; labels {', '.join(self.labels)}" if self.labels else ""
        task = f"; task {self.task!r}" if self.task else ""
        return f"episode {self.index} of {len(self)} observations: {', '.join(parts)}{labels}{task}"

    @property
    def truncated(self) -> bool:
        """Return whether we, not the world, ended the episode."""
        return not self.terminated

    @property
    def reward(self) -> Array | None:
        """Return the reward ``[T]`` of each action, or None where no rewards were recorded.

        The last value belongs to ``final_action``; it is 0 where there is none. Stored as the label ``next.reward``.
        """
        return self.labels.get(REWARD)

    @property
    def success(self) -> Array | None:
        """Return the success ``[T]`` after each action, or None where it was not recorded.

        The last value belongs to ``final_action``; without one it repeats the value before. Stored as the label
        ``next.success``.
        """
        return self.labels.get(SUCCESS)


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each component, fitted on training episodes only.

    Attributes:
        mean: Per modality (pixels: per channel, in ``[0, 1]``; series: per channel) and, under
            ``action``, per component of a raw action.
        std: The same; 1 for a component that does not vary, so that it can divide.
    """

    mean: Mapping[str, tuple[float, ...]]
    std: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Mask:
    """The indices of visible tokens and of tokens to predict, along a token grid.

    Attributes:
        context: ``[B, K]`` int64, ascending: the tokens that the context encoder sees.
        targets: Blocks to predict, ``[B, M]`` int64 each, ascending, none of them in the context.
    """

    context: Tensor
    targets: tuple[Tensor, ...]


@dataclass(frozen=True)
class Clip:
    """A batch of fixed-length windows, with ``frameskip`` steps between observations.

    Attributes:
        observation: Per modality ``[B, T, ...]``, in its storage dtype; a series is
            ``[B, T, R, C]`` with the ``R`` latest samples at the time of each observation or before.
        action: ``[B, T - 1, frameskip * A]`` raw actions, one block for each interval.
        episode: ``[B]`` index of the episode of each window.
        start: ``[B]`` step at which each window starts.
        masks: Visible tokens and tokens to predict for a masked model, which predicts once for each mask.
        views: Augmented images of the same windows, ``[B, V, C, H, W]`` for each size.
        latents: Precomputed latents of a frozen encoder for each observation, tokens ``[B, T, n, D]`` in any precision.
        changed: Some of the observations as another sensor might show them, per modality ``[B, F, ...]``.
        changed_at: ``[F]`` the places of these in the windows.
    """

    observation: Mapping[str, Tensor]
    action: Tensor
    episode: Tensor
    start: Tensor
    masks: tuple[Mask, ...] = ()
    views: tuple[Tensor, ...] = ()
    latents: Tensor | None = None
    changed: Mapping[str, Tensor] = field(default_factory=dict)
    changed_at: Tensor | None = None


class Masking(Protocol):
    """A sampler of masks over a grid of tokens. Holds configuration, never state."""

    def __call__(self, grid: tuple[int, ...], batch: int, *, seed: int, rank: int = 0) -> tuple[Mask, ...]:
        """Draw masks for ``batch`` items.

        Args:
            grid: Tokens along each axis: ``(H, W)``, ``(T, H, W)`` or ``(T,)``; indices count in C order.
            batch: Items ``B``.
            seed: All randomness is drawn from it: sizes, and so the shape of every tensor, from it alone.
            rank: Rank of the process in a distributed run: mask positions differ between ranks.

        Raises:
            ConfigError: if the grid has another number of axes than the method masks, or is too small for it.
        """


class Transform(Protocol):
    """A transform of a batch before the model: augmentation, masks. Holds configuration, never state."""

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        """Return the transformed batch; all randomness is drawn from ``seed`` and ``rank``."""

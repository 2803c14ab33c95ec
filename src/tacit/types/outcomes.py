"""Outputs of models for a clip, which objectives read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from tacit.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


__all__ = ["FlowForecast", "Forecast", "ForecastRequest", "MaskedForecast", "Outcome", "Starts", "ViewEmbeddings"]


Starts: TypeAlias = Literal["every", "first", "mixed"]


@dataclass(frozen=True)
class ForecastRequest:
    """Parts of a forecast that objectives read. A model ignores options of models of other kinds.

    Attributes:
        steps: World models: number of steps to predict, at most ``T - 1``.
        starts: World models: predict from ``every`` observation (with true latents as context before it, the model's
            forecasts after it), from the ``first`` alone, or ``mixed``: one step from every one, more from the first;
            None: the default of the model.
        visible: Masked models: predict the visible tokens too.
        directions: Models of motion: flows to compute: none, from the second image to the first, or both.
    """

    steps: int = 1
    starts: Starts | None = None
    visible: bool = False
    directions: int = 0

    def merged(self, other: ForecastRequest) -> ForecastRequest:
        """Return the request that satisfies both.

        Raises:
            ConfigError: if they start from different observations.
        """
        if self.starts and other.starts and self.starts != other.starts:
            raise ConfigError(f"terms of one objective agree on starts; got {self.starts!r} and {other.starts!r}.")
        return ForecastRequest(
            max(self.steps, other.steps),
            self.starts or other.starts,
            self.visible or other.visible,
            max(self.directions, other.directions),
        )


class Outcome(Protocol):
    """Output of a model's ``forecast``, of one type for each family of models."""

    @property
    def latents(self) -> Tensor:
        """Return latents ``[B, T, D]``, ``[B, N, D]`` or ``[B, V, D]``."""


@dataclass(frozen=True)
class Forecast:
    """The output of a world model for a clip; the only input of its objectives.

    Attributes:
        latents: ``[B, T, D]`` from the context encoder.
        targets: ``[B, T, D]`` from the target encoder (the same tensor where it is shared).
        actions: ``[B, T - 1, A']`` action blocks in the model's normalised units.
        predictions: ``predictions[k - 1]`` is ``[B, N_k, D]``, predicted ``k`` steps ahead from
            observations ``0 .. N_k - 1``, so that entry ``i`` is to match ``targets[:, i + k]``.
        changed: ``[B, F, D]`` from the context encoder, of the changed observations of the clip; None: there are none.
        changed_at: ``[F]`` the places of these in the clip.
    """

    latents: Tensor
    targets: Tensor
    actions: Tensor
    predictions: tuple[Tensor, ...]
    changed: Tensor | None = None
    changed_at: Tensor | None = None


@dataclass(frozen=True)
class MaskedForecast:
    """The output of a masked model for a clip; the only input of masked objectives.

    Attributes:
        latents: ``[B, N, D]`` of the visible tokens of the first mask, from the context encoder.
        predictions: ``[B, M, D']`` for each target block of each mask.
        targets: The same shapes: the true values.
        visible: ``[B, K, D']`` predicted for the visible tokens of each mask; empty unless requested.
        visible_targets: The same shapes: the true values.
        distances: ``[B, K]`` for each of them, from the visible token to the nearest masked one, in tokens.
    """

    latents: Tensor
    predictions: tuple[Tensor, ...]
    targets: tuple[Tensor, ...]
    visible: tuple[Tensor, ...] = ()
    visible_targets: tuple[Tensor, ...] = ()
    distances: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class ViewEmbeddings:
    """The output of a joint embedding for augmented views. It is the only input of objectives over views.

    Attributes:
        latents: ``[B, V, D]``, one latent for each view of each item.
        num_global: Number of global views, which come first and show most of an image.
    """

    latents: Tensor
    num_global: int


@dataclass(frozen=True)
class FlowForecast:
    """The output of a model of motion and content for image pairs. It is the only input of objectives over motion.

    A flow holds a vector ``(x right, y down)`` for each position of one image of a pair: its displacement to the
    matching position in the other. Direction 0 goes from the second image back to the first, direction 1 from the first
    to the second; ``R`` directions were requested, 0 to 2. Levels run from the coarsest to the finest.

    Attributes:
        latents: ``[B, V, D]``, one latent for each view of each item.
        num_global: Number of global views, which come first.
        images: ``[B, 2, C, H, W]`` images of the pairs, grey levels from 0 to 1; empty with ``R = 0``.
        features: ``[B, 2, C', h, w]`` for each level; none with ``R = 0``.
        flows: ``[B, R, 2, h, w]`` for each level, in grid positions of that level.
        flow: ``[B, R, 2, H, W]``, the finest of them at full size, in pixels.
    """

    latents: Tensor
    num_global: int
    images: Tensor
    features: tuple[Tensor, ...]
    flows: tuple[Tensor, ...]
    flow: Tensor

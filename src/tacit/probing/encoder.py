"""Encoders for probes: their interface, and latents of recorded windows in evaluation mode."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._progress import track
from tacit._threads import computing, suited_threads
from tacit.errors import DataError, SpecError
from tacit.models import FrameEncoder, MaskedModel, Model
from tacit.nn.pyramid import PyramidEncoder
from tacit.nn.vit import VisionTransformer
from tacit.types import Clip, Spec, Statistics

if TYPE_CHECKING:
    from tacit.data import Clips, Episodes
    from tacit.models import Dynamics

__all__ = [
    "CHUNK",
    "Encoder",
    "Trainable",
    "clip_latents",
    "covered_share",
    "draw_clips",
    "encode_windows",
    "frozen",
    "token_grid_of",
    "window_ends",
    "windows",
]

CHUNK = 256
"""Windows encoded together: the activations of a small encoder on 64 px frames stay below 1 GB."""


class Encoder(Protocol):
    """Interface of models for probes: a torch module. One with tokens takes ``tokens=True`` as well.

    ``config.inputs`` names the modalities that it encodes, ``config.frameskip`` the steps between two of its
    observations.
    """

    @property
    def config(self) -> Any:
        """Return the configuration of the model."""

    def encode(self, observation: Mapping[str, Tensor], /) -> Tensor:
        """Encode observations ``[B, ...]`` as ``[B, D]``; with ``tokens=True`` as ``[B, n, D]``."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return its parameters and buffers by name."""


class Trainable(Encoder, Protocol):
    """An encoder that can be built again: ``type(model)(model.config)``, then ``set_statistics(statistics)``."""

    @property
    def device(self) -> torch.device:
        """Return the device that it computes on."""

    @property
    def statistics(self) -> Statistics:
        """Return the statistics that its inputs are normalised with."""

    def set_statistics(self, statistics: Statistics) -> None:
        """Set the statistics of the training episodes."""

    def to(self, device: torch.device) -> Any:
        """Move it to a device."""


@contextmanager
def frozen(model: Model) -> Iterator[None]:
    """Run the block in evaluation mode, without gradients and with threads that suit the model.

    The mode of each part of the model and the number of threads are restored.
    """
    training = [part for part in model.modules() if part.training]
    model.eval()
    try:
        with computing(suited_threads(model)), torch.inference_mode():
            yield
    finally:
        for part in training:
            part.training = True


def draw_clips(clips: Clips, count: int, seed: int) -> Iterator[Clip]:
    """Yield ``count`` windows, or all if there are fewer, in batches that fit in memory.

    They are drawn uniformly, none twice.
    """
    wanted, drawn = min(count, len(clips)), set[tuple[int, int]]()
    # Where nearly all windows are wanted, chance leaves a few out: eight rounds miss about one in 3000.
    for step in range(8 * -(-wanted // CHUNK)):
        batch = clips.batch(seed, step, CHUNK)
        fresh = []
        for row, place in enumerate(zip(batch.episode.tolist(), batch.start.tolist(), strict=True)):
            if place not in drawn and len(drawn) < wanted:
                drawn.add(place)
                fresh.append(row)
        if fresh:
            observation = {name: values[fresh] for name, values in batch.observation.items()}
            yield Clip(observation, batch.action[fresh], batch.episode[fresh], batch.start[fresh])
        if len(drawn) == wanted:
            return


def clip_latents(model: Dynamics, clip: Clip, target: bool = False) -> Tensor:
    """Encode a clip as ``[B, T, D]`` on the CPU, with context or target encoder."""
    with frozen(model):
        latents: Tensor = model.encode_target(clip.observation) if target else model.encode(clip.observation)
    return latents.float().cpu()


def windows(model: Encoder, episodes: Episodes, length: int | None = None) -> Clips:
    """Return windows of all episodes, as long as the model's input."""
    if length is None:
        length = model.config.frames if isinstance(model, MaskedModel) else 1
    return episodes.clips(length, model.config.frameskip, model.config.inputs)


def window_ends(clips: Clips, index: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return episode and step of the last observation of the windows ``index``."""
    episode, start = clips.windows(index)
    return episode, start + (clips.length - 1) * clips.frameskip


def token_grid_of(model: Encoder, count: int) -> tuple[int, ...] | None:
    """Return the extents of the grid of ``count`` tokens, where the model has one."""
    if isinstance(model, FrameEncoder):
        return model.config.grid
    if not (isinstance(model, Model) and isinstance(model.encoder, VisionTransformer | PyramidEncoder)):
        return None
    grid = model.encoder.grid
    # A video encoder that is used on single frames, as in world models, has the tokens of an image.
    return next((some for some in (grid, grid[-2:]) if math.prod(some) == count), None)


def covered_share(model: Encoder, spec: Spec, grid: tuple[int, ...] | None) -> tuple[float, float]:
    """Return the share of an image's height and width that a model's tokens cover."""
    if grid is None or len(grid) < 2:
        return 1.0, 1.0
    extents = spec.modalities[model.config.inputs[0]].shape[1:]
    config = model.config.perception if isinstance(model, FrameEncoder) else model.config
    height, width = (min(cells * config.patch / extent, 1.0) for cells, extent in zip(grid[-2:], extents, strict=True))
    return height, width


def encode_windows(
    model: Encoder,
    clips: Clips,
    index: npt.NDArray[np.int64],
    tokens: bool,
    *,
    progress: bool | None = None,
    label: str = "batches encoded",
) -> Iterator[Tensor]:
    """Yield latents of the windows ``index`` on the CPU, a batch at a time.

    Args:
        model: The encoder.
        clips: The windows.
        index: Numbers of the windows to encode.
        tokens: Keep every token.
        progress: Show a progress bar; None: on a terminal and in a notebook.
        label: Name of the progress bar.

    Raises:
        DataError: if a latent is not finite.
        SpecError: if the model returns other shapes.
    """
    batches = np.split(index, range(CHUNK, len(index), CHUNK))
    for rows in track(batches, len(batches), label, show=progress):
        observation: dict[str, Tensor] = dict(clips.cut(*clips.windows(rows)).observation)
        if clips.length == 1:
            observation = {name: value[:, 0] for name, value in observation.items()}
        with frozen(cast("Model", model)):
            latents = cast("Any", model).encode(observation, tokens=True) if tokens else model.encode(observation)
            latents = latents.cpu()
        if latents.ndim != (3 if tokens else 2) or len(latents) != len(rows):
            axes = "n, D], a row for each token" if tokens else "D]"
            raise SpecError(
                f"encode must return shape [{len(rows)}, {axes}, for {len(rows)} observations; got "
                f"{list(latents.shape)} from {type(model).__name__}."
            )
        if not torch.isfinite(latents).all():
            raise DataError(
                f"{type(model).__name__} has latents that are not finite, the first in a window of episode "
                f"{clips.windows(rows)[0][0]} or after it. Check the model's weights and statistics."
            )
        yield latents

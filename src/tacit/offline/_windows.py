"""Windows of recordings as latents, actions and quantities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tacit._progress import track
from tacit.data.groups import units
from tacit.errors import ConfigError, DataError
from tacit.probing.encoder import CHUNK, clip_latents, draw_clips, frozen
from tacit.probing.features import targets_at
from tacit.types import Context

if TYPE_CHECKING:
    from tacit.data import Episodes
    from tacit.models import Dynamics

__all__ = ["Windows", "draw_windows"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of ``lead`` observations and ``H`` later ones, in the order of their episodes.

    Attributes:
        latents: ``[N, lead + H, D]`` from the context encoder.
        targets: ``[N, lead + H, D]`` from the target encoder.
        actions: ``[N, lead - 1 + H, A']`` raw action blocks.
        quantities: ``[N, lead + H, P]`` by name, as float64.
        unit: ``[N]`` number of the independent recording of each window.
        lead: Observations up to the last known one.
    """

    latents: Tensor
    targets: Tensor
    actions: Tensor
    quantities: Mapping[str, Floats]
    unit: npt.NDArray[np.int64]
    lead: int

    @property
    def horizon(self) -> int:
        """Return the number of later observations."""
        return self.latents.shape[1] - self.lead

    @property
    def future(self) -> Tensor:
        """Return the later action blocks ``[N, H, A']``."""
        return self.actions[:, self.lead - 1 :]

    def imagined(self, model: Dynamics, future: Tensor) -> Tensor:
        """Return the latents ``[N, H, D]`` that a model imagines under later action blocks ``[N, H, A']``."""
        first = self.lead - model.history
        found = []
        with frozen(model):
            for at in range(0, len(self.latents), CHUNK):
                rows = slice(at, at + CHUNK)
                parts = (self.latents[rows, first : self.lead], self.actions[rows, first : self.lead - 1], future[rows])
                latents, past, blocks = (part.to(model.device) for part in parts)
                found.append(model.rollout(Context(latents, past), blocks).float().cpu())
        return torch.cat(found)


def draw_windows(
    model: Dynamics, episodes: Episodes, horizon: int, count: int, seed: int, progress: bool | None = None
) -> Windows:
    """Encode windows that are drawn from episodes, with all quantities that these have.

    Two observations at least come before the later ones, so that a baseline sees a velocity.

    Raises:
        ConfigError: if horizon or count is below one, or fewer than two windows are found.
        DataError: if no episode is long enough.
    """
    if horizon < 1 or count < 2:
        raise ConfigError(f"an offline evaluation needs horizon >= 1 and windows >= 2; got {horizon} and {count}.")
    lead, frameskip = max(model.history, 2), model.config.frameskip
    clips = episodes.clips(lead + horizon, frameskip, model.config.inputs)
    latents, targets, actions, episode, start = [], [], [], [], []
    batches = -(-min(count, len(clips)) // CHUNK)
    for clip in track(draw_clips(clips, count, seed), batches, "batches of windows", show=progress):
        latents.append(clip_latents(model, clip))
        targets.append(clip_latents(model, clip, target=True))
        actions.append(clip.action.clone())
        episode.append(clip.episode.numpy().copy())
        start.append(clip.start.numpy().copy())
    number, first = np.concatenate(episode), np.concatenate(start)
    if len(number) < 2:
        raise DataError("the episodes have one window of this horizon; record more, or ask for a smaller horizon.")
    order = np.lexsort((first, number))
    number, first = number[order], first[order]
    steps = first[:, None] + np.arange(lead + horizon) * frameskip
    found, _ = targets_at(episodes, np.repeat(number, lead + horizon), steps.ravel())
    quantities = {
        name: np.asarray(values, np.float64).reshape(*steps.shape, -1)
        for name, values in found.items()
        if values.dtype.kind == "f"
    }
    rows = torch.from_numpy(order)
    known, wanted, blocks = (torch.cat(parts)[rows] for parts in (latents, targets, actions))
    return Windows(known, wanted, blocks, quantities, units(episodes.groups)[number], lead)

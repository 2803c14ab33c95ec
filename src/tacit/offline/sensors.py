"""The moments of recordings that surprise a world model most, and the sensors that explain them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from tacit.errors import ConfigError
from tacit.probing.encoder import CHUNK, clip_latents, draw_clips, frozen
from tacit.types import Clip, Context

if TYPE_CHECKING:
    from tacit.data import Clips, Episodes
    from tacit.models import Dynamics

__all__ = ["SurprisingMoment", "surprising_moments"]

COMPONENTS = 32
"""Components of a vector that are tried one by one, at the most."""


@dataclass(frozen=True)
class SurprisingMoment:
    """A step of a recording that a model did not expect.

    Attributes:
        episode: Number of the episode.
        step: Step of the observation that surprises.
        energy: Squared error of the predicted latent, over the mean of all windows: 1 is an ordinary step.
        sensors: Share of the surprise that goes where this sensor alone shows its value of the step before, the
            largest first. A negative share says that the sensor agreed with the prediction.
    """

    episode: int
    step: int
    energy: float
    sensors: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        named = ", ".join(f"{name} {100 * share:.0f} %" for name, share in list(self.sensors.items())[:3])
        return f"episode {self.episode}, step {self.step}: {self.energy:.1f} times the usual surprise; {named}"


def surprising_moments(
    model: Dynamics, episodes: Episodes, *, count: int = 5, windows: int = 4096, seed: int = 0
) -> tuple[SurprisingMoment, ...]:
    """Find the most surprising steps, one in each episode, and the sensors that explain them.

    The surprise of a step is the squared error of its latent as predicted one step ahead. To explain it, a modality, or
    one component of a vector, is set to its value one model step earlier, and the observation is encoded again.

    Args:
        model: The world model; its weights do not change.
        episodes: Recordings, preferably ones that it was not trained on.
        count: Moments to return, at the most.
        windows: The largest number of steps to look at.
        seed: Seed of the drawn steps.

    Raises:
        ConfigError: if an option is below one.
        DataError: if no episode is long enough.
    """
    if min(count, windows) < 1:
        raise ConfigError(f"surprising moments need count >= 1 and windows >= 1; got {count} and {windows}.")
    clips = episodes.clips(model.history + 1, model.config.frameskip, model.config.inputs)
    energy, episode, start = [], [], []
    for clip in draw_clips(clips, windows, seed):
        error = (_predicted(model, clip) - clip_latents(model, clip, target=True)[:, -1]).square().mean(dim=-1)
        energy.append(error.double().numpy())
        episode.append(clip.episode.numpy().copy())
        start.append(clip.start.numpy().copy())
    errors, numbers, starts = (np.concatenate(parts) for parts in (energy, episode, start))
    order = np.argsort(-errors, kind="stable")
    _, first = np.unique(numbers[order], return_index=True)
    top = order[np.sort(first)[:count]]
    return tuple(
        SurprisingMoment(
            int(numbers[row]),
            int(starts[row] + model.history * clips.frameskip),
            float(errors[row] / max(errors.mean(), 1e-30)),
            _explained(model, clips, clips.cut(numbers[[row]], starts[[row]])),
        )
        for row in top
    )


def _predicted(model: Dynamics, clip: Clip) -> Tensor:
    """Return the latents ``[B, D]`` that are expected at the end of windows."""
    latents, found = clip_latents(model, clip), []
    with frozen(model):
        for at in range(0, len(latents), CHUNK):
            rows = slice(at, at + CHUNK)
            known, actions = latents[rows, :-1].to(model.device), clip.action[rows].to(model.device)
            found.append(model.rollout(Context(known, actions[:, :-1]), actions[:, -1:])[:, 0].float().cpu())
    return torch.cat(found)


def _explained(model: Dynamics, clips: Clips, clip: Clip) -> dict[str, float]:
    """Return the share of the surprise at the end of one window that each sensor explains, the largest first."""
    expected = _predicted(model, clip)[0]
    changed = list(_earlier(clips, clip))
    stacked = {
        name: torch.cat([clip.observation[name], *(one[name] for _, one in changed)])[:, -1:]
        for name in clip.observation
    }
    with frozen(model):
        latents: Tensor = model.encode_target(stacked)
    errors = (latents[:, 0].float().cpu() - expected).square().mean(dim=-1).double().numpy()
    shares = {name: float(1 - error / errors[0]) for (name, _), error in zip(changed, errors[1:], strict=True)}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _earlier(clips: Clips, clip: Clip) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield each sensor, and the window with the value that it had one step before the end."""
    for name, values in clip.observation.items():
        modality = clips.spec.modalities[name]
        size = values.shape[-1]
        if modality.kind == "vector" and 1 < size <= COMPONENTS:
            for index in range(size):
                other = values.clone()
                other[:, -1, index] = values[:, -2, index]
                yield modality.names[index] if modality.names else f"{name}[{index}]", {**clip.observation, name: other}
        else:
            other = values.clone()
            other[:, -1] = values[:, -2]
            yield name, {**clip.observation, name: other}

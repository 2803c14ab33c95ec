"""Maps of recorded episodes: graphs of sub-goals with radii from the data."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from tacit._threads import computing, suited_threads
from tacit.agent import SubGoals
from tacit.costs import TemporalCritic
from tacit.data import Episodes
from tacit.errors import ConfigError, DataError
from tacit.memory import Graph, Recorded
from tacit.models import Dynamics
from tacit.nn._model_digest import model_digest
from tacit.nn._tuning import tune_cpu
from tacit.training.encoded import RecordedBlocks
from tacit.types import Context, WorldModel

__all__ = ["encode_recorded", "imagined_error", "map_episodes", "reach"]

STRAIGHT = 0.9
"""The share of recorded pairs of states whose distance is below the one that is covered when going straight."""
PAIRS = 4096


def map_episodes(
    model: Dynamics,
    critic: TemporalCritic,
    episodes: Episodes,
    *,
    horizon: int,
    radius: float | None = None,
    ahead: float | None = None,
    confirm: bool = True,
) -> SubGoals:
    """Return sub-goals from recorded episodes, with radii from the distances between their states.

    The radius of a node is the median distance of states one block apart. A sub-goal is at most the distance away that
    the straightest tenth of the episodes exceeds in ``horizon`` blocks, and so is the other end of an edge; an edge is
    a recorded transition of fewer blocks than the horizon.

    Args:
        model: The world model of the agent.
        critic: A trained critic of distances (:func:`tacit.training.train_critic`).
        episodes: The recorded episodes.
        horizon: Blocks that the agent plans ahead.
        radius: The radius of a node, in distances of the critic; None: from the episodes.
        ahead: The distance of a sub-goal; None: from the episodes.
        confirm: Leave out the transitions that the model does not predict.

    Raises:
        ConfigError: if the critic does not fit the model, or a number is out of range.
        DataError: if no episode has ``horizon`` blocks.
    """
    if horizon < 1:
        raise ConfigError(f"map_episodes needs horizon >= 1; got {horizon}.")
    if critic.config.latent != model.config.latent:
        raise ConfigError(
            f"the critic compares latents of size {critic.config.latent}; those of the model have "
            f"{model.config.latent}. Train a critic on this model."
        )
    tune_cpu()
    with computing(suited_threads(model, critic)), torch.no_grad():
        recorded = encode_recorded(model, episodes)
        radius = reach(critic, recorded, 1, 0.5) if radius is None else radius
        ahead = reach(critic, recorded, horizon) if ahead is None else ahead
        graph = Graph(radius, max(ahead, radius), max(horizon - 1, 1), model_digest(model))
        error = imagined_error(model, critic, recorded, horizon)
        return SubGoals(graph.extended(critic, recorded, model if confirm else None), critic, ahead, error=error)


def encode_recorded(model: Dynamics, episodes: Episodes) -> Recorded:
    """Return the latents of all frames of some episodes, and the block that was executed from each one on."""
    found = RecordedBlocks(model, episodes.clips(2, model.frameskip, model.config.inputs))
    blocks = torch.full((len(found.latents), found.blocks.shape[1]), torch.nan, device=found.blocks.device)
    blocks[torch.from_numpy(found.row)] = found.blocks
    return Recorded(found.latents, found.episode, model.frameskip, blocks)


def reach(critic: TemporalCritic, recorded: Recorded, blocks: int, share: float = STRAIGHT) -> float:
    """Return a quantile of the distances of recorded states that are some blocks apart.

    Args:
        critic: The learned distance.
        recorded: The states.
        blocks: Blocks between two states.
        share: The share of pairs that are nearer.

    Raises:
        DataError: if no episode is that long.
    """
    first, later = _apart(recorded, blocks), blocks * recorded.stride
    with torch.no_grad():
        ends = (critic.embed(recorded.latents[rows]) for rows in (first, first + later))
        return float(np.quantile(critic.between(*ends).cpu().numpy(), share))


def imagined_error(model: WorldModel, critic: TemporalCritic, recorded: Recorded, blocks: int) -> float:
    """Return the median distance of latents that are imagined some recorded blocks ahead from the recorded ones.

    Raises:
        DataError: if no episode is that long.
    """
    assert recorded.blocks is not None
    first = _apart(recorded, blocks)
    rows = torch.from_numpy(first[:, None] + recorded.stride * np.arange(blocks))
    with torch.no_grad():
        imagined = model.rollout(Context(recorded.latents[first][:, None]), recorded.blocks[rows][:, None])[:, 0, -1]
        found = critic(imagined, recorded.latents[first + blocks * recorded.stride])
    return float(found.median())


def _apart(recorded: Recorded, blocks: int) -> npt.NDArray[np.int64]:
    """Return frames after which an episode has some more blocks, at most ``PAIRS`` of them.

    Raises:
        DataError: if there are none.
    """
    later = blocks * recorded.stride
    first = np.flatnonzero(recorded.episode[:-later] == recorded.episode[later:])
    if not len(first):
        raise DataError(f"no recorded episode has {blocks} whole blocks. Record longer episodes or lower the horizon.")
    return np.asarray(first[np.linspace(0, len(first) - 1, min(len(first), PAIRS)).astype(int)])

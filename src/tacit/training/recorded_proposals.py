"""Recordings of latents and actions that an agent takes proposals from."""

from __future__ import annotations

import numpy as np

from tacit._threads import computing, suited_threads
from tacit.agent import RecordedProposals
from tacit.data import Clips
from tacit.errors import ConfigError
from tacit.models import Dynamics
from tacit.nn._tuning import tune_cpu
from tacit.training.encoded import RecordedBlocks

__all__ = ["record_proposals"]


def record_proposals(
    model: Dynamics, clips: Clips, *, horizon: int, count: int = 2_000, seed: int
) -> RecordedProposals:
    """Encode recorded sequences of actions, for an agent to propose those that led to similar goals.

    Args:
        model: The model of the agent.
        clips: Their episodes and frameskip are used, their length is not.
        horizon: Blocks of a sequence, such as the horizon of the agent.
        count: Sequences; all that there are if there are fewer.
        seed: The seed of the choice of sequences.

    Raises:
        ConfigError: if a number is below 1, the clips have another frameskip than the model, or no episode has
            ``horizon`` blocks.
    """
    tune_cpu()
    if clips.frameskip != model.config.frameskip or min(horizon, count) < 1:
        raise ConfigError(
            f"record_proposals needs clips with the model's frameskip={model.config.frameskip}, horizon >= 1 and "
            f"count >= 1; got {clips.frameskip}, {horizon} and {count}."
        )
    with computing(suited_threads(model)):
        recorded = RecordedBlocks(model, clips)
    possible = np.flatnonzero(recorded.blocks_left[recorded.row] >= horizon)
    if not len(possible):
        raise ConfigError(f"no episode has {horizon} whole blocks. Choose a smaller horizon.")
    chosen = np.random.default_rng(seed).permutation(possible)[:count]
    return RecordedProposals(*recorded.sequences(np.sort(chosen), horizon))

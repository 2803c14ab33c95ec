"""Recording of what a control loop observed and wrote, as episodes of a dataset."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tacit.data import Writer
from tacit.errors import ConfigError
from tacit.types import Array, Episode, Observation, Spec

__all__ = ["Recording"]


class Recording:
    """Episodes of a run: an episode is unbroken, so a cycle without an observation ends one and begins another.

    The episode in progress is held in memory.

    Args:
        path: The path of the dataset; existing episodes of the same Spec are kept.
        spec: The Spec of the agent.
        hz: Cycles per second.

    Raises:
        ConfigError: if a modality is a series.
        SpecError: if a dataset of another Spec is there.
    """

    def __init__(self, path: str | os.PathLike[str], spec: Spec, hz: float) -> None:
        series = [name for name, modality in spec.modalities.items() if modality.kind == "series"]
        if series:
            raise ConfigError(f"a loop records pixels and vectors; {', '.join(series)} is a series.")
        self._writer = Writer(path, replace(spec, fps=hz))
        self.episodes = 0
        """The number of episodes of this run."""
        self._observations: list[Observation] = []
        self._actions: list[npt.NDArray[np.float32]] = []

    def add(self, observation: Observation | None, action: npt.NDArray[np.float32]) -> None:
        """Add a cycle: the observation, None if it was lost, and the command that was written."""
        if observation is None:
            self.cut()
            return
        self._observations.append(observation)
        self._actions.append(action)

    def cut(self) -> None:
        """End the episode in progress."""
        observations, actions = self._observations, self._actions
        self._observations, self._actions = [], []
        if len(observations) < 2:
            return
        stacked: dict[str, Array] = {name: np.stack([one[name] for one in observations]) for name in observations[0]}
        self._writer.add(Episode(stacked, np.stack(actions[:-1]), final_action=actions[-1], index=len(self._writer)))
        self.episodes += 1

    def close(self) -> None:
        """End the episode in progress and complete the dataset."""
        self.cut()
        if len(self._writer):
            self._writer.close()

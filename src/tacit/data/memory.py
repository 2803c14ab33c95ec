"""Episodes in memory, concatenated, from which clips are cut."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tacit.data.episodes import Episodes
from tacit.data.storage import PackedEpisodes, digest, rows
from tacit.data.validation import Labels, label_schema, problems
from tacit.errors import DataError, SpecError
from tacit.types import Episode, Spec

__all__ = ["from_episodes"]


def from_episodes(episodes: Sequence[Episode], spec: Spec) -> Episodes:
    """Build episodes in memory; copy the arrays once and check each against ``spec``.

    Raises:
        DataError: if there is no episode.
        SpecError: naming the episode and field that break the spec.
    """
    if not episodes:
        raise DataError("from_episodes needs at least one episode; got none.")
    labels = label_schema(episodes[0])
    for index, episode in enumerate(episodes):
        require(episode, spec, labels, "from_episodes", index)
    return Episodes(_Memory(episodes, spec, labels))


def require(episode: Episode, spec: Spec, labels: Labels, file: str, index: int) -> None:
    """Raise SpecError at the first field of a whole ``episode`` that breaks ``spec`` or ``labels``."""
    for name in (*spec.modalities, *labels):
        if not re.fullmatch(r"\w[\w.-]*", name) or name == "action":
            raise SpecError(f"names are letters, digits, '_', '.' and '-', and not 'action'; got {name!r}. Rename it.")
    if set(episode.observation) != set(spec.modalities):
        came, expected = sorted(episode.observation), sorted(spec.modalities)
        raise SpecError(f"{file}, episode {index}, field 'observation': expected modalities {expected}; got {came}.")
    for field, problem in problems(episode, spec, labels):
        raise SpecError(f"{file}, episode {index}, field {field!r}: {problem}")


class _Memory:
    """Storage of packed episodes in memory; its episodes are views of them."""

    parallel = False

    def __init__(self, episodes: Sequence[Episode], spec: Spec, labels: Labels) -> None:
        self.spec, self.labels = spec, labels
        self.lengths = np.array([len(episode) for episode in episodes], dtype=np.int64)
        self.groups = [episode.group for episode in episodes]
        first = {}
        for name in (*spec.modalities, "action"):
            counts = rows(spec, name, self.lengths)
            first[name] = np.cumsum(counts) - counts
        observation = {name: np.concatenate([e.observation[name] for e in episodes]) for name in spec.modalities}
        gap = np.zeros((1, spec.action.size), np.float32)
        action = np.concatenate([part for episode in episodes for part in (episode.action, gap)])
        self._packed = PackedEpisodes(observation, action, first)
        self._rest = [replace(e, observation={}, action=gap, index=index) for index, e in enumerate(episodes)]
        self._digests: dict[int, str] = {}

    def read(self, index: int, modalities: Collection[str]) -> Episode:
        steps, first = int(self.lengths[index]), self._packed.first
        observation = {}
        for name in modalities:
            start = first[name][index]
            observation[name] = self._packed.observation[name][start : start + self.spec.samples(name, steps)]
        start = first["action"][index]
        return replace(
            self._rest[index], observation=observation, action=self._packed.action[start : start + steps - 1]
        )

    def file(self, _index: int, _field: str) -> str:
        return "memory"

    def digest(self, index: int) -> str:
        if index not in self._digests:
            self._digests[index] = digest(self.read(index, tuple(self.spec.modalities)))
        return self._digests[index]

    def packed(
        self, _indices: npt.NDArray[np.int64], _modalities: Collection[str], _cache: Path | None
    ) -> PackedEpisodes:
        return self._packed

"""The memory of an actor: what happened since the last entries, new entries, and those that are recalled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from tacit.agent._past import Past
from tacit.agent._state import AgentState
from tacit.errors import CheckpointError, ConfigError, SpecError
from tacit.memory import entries
from tacit.models import Dynamics
from tacit.nn._model_digest import model_digest as module_digest
from tacit.nn.digest import digest
from tacit.types import Entries, Neighbors, Store, WorldModel

__all__ = ["AgentMemory", "Recalled", "grouped", "latent_size", "model_digest"]


@runtime_checkable
class _Growing(Store, Protocol):
    """A store to which entries are appended, such as :class:`tacit.memory.DiskStore`."""

    def append(self, entries: Entries, /) -> npt.NDArray[np.int64]:
        """Append entries, and return their numbers."""

    def source(self, name: str, /) -> int:
        """Return the index of a source of episodes."""


@dataclass(frozen=True, eq=False)
class Recalled:
    """The entries of a memory that are nearest to the current latent of a world, the nearest first.

    Attributes:
        numbers: ``[K]`` the numbers of the entries.
        distances: ``[K]`` squared distances of their latents.
        entries: The entries, with the episode and the step of each in its source.
        sources: The names of the sources.
    """

    numbers: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float64]
    entries: Entries
    sources: tuple[str, ...]

    def __str__(self) -> str:
        rows = []
        found, columns = self.entries, (self.entries.sources, self.entries.episodes, self.entries.steps)
        for rank, (source, episode, step) in enumerate(zip(*(one.tolist() for one in columns), strict=True)):
            name = f" of {self.sources[source]}" if source >= 0 else ""
            outcome = "" if np.isnan(found.outcomes[rank]) else f", outcome {found.outcomes[rank]:.3g}"
            rows.append(f"episode {episode}, step {step}{name}: distance {self.distances[rank] ** 0.5:.3g}{outcome}")
        return "\n".join(rows) or "the memory is empty"


def model_digest(model: WorldModel) -> str:
    """Return the SHA-256 of a model, which names its latents: of its class, settings and weights."""
    return module_digest(model) if isinstance(model, Dynamics) else digest([type(model).__name__, None], {})


def latent_size(model: WorldModel) -> int:
    """Return the size of the latents of a model."""
    shown = {name: np.zeros((1, *one.shape), one.dtype) for name, one in model.spec.modalities.items()}
    with torch.no_grad():
        return int(model.encode(shown).shape[1])


class AgentMemory:
    """The memory of an actor, which may have none.

    Args:
        model: The source of latents.
        action_size: The size of a raw action.
        store: The memory; None: there is none.

    Raises:
        CheckpointError: if it holds latents of another model.
        ConfigError: if its blocks are of another size.
    """

    def __init__(self, model: WorldModel, action_size: int, store: Store | None) -> None:
        self.frameskip, self.store = model.frameskip, store
        if store is None:
            return
        if store.model and store.model != (own := model_digest(model)):
            raise CheckpointError(
                f"the memory holds latents of the model {store.model[:12]}; this one is {own[:12]}. Make a new memory "
                "for it: agent.new_memory(path)."
            )
        if store.block_shape[1] != model.frameskip * action_size:
            raise ConfigError(
                f"the memory holds blocks of {store.block_shape[1]} raw values; those of the agent have "
                f"{model.frameskip} x {action_size}. Make a new memory for it: agent.new_memory(path)."
            )

    def start(self, state: AgentState) -> AgentState:
        """Return a state that names the newest snapshot."""
        if self.store is None:
            return state
        sizes = self.store.latent_size, self.store.block_shape[1]
        return replace(state, memory=Past.begin(state.batch, *sizes, self.store.snapshot))

    def update(self, state: AgentState) -> AgentState:
        """Return the state with the current latents among the last ones, at a block boundary.

        Raises:
            SpecError: if the latents are of another size than those of the memory.
        """
        if self.store is None or state.memory is None or state.context is None:
            return state
        latents = state.context.latents[:, -1].float().cpu().numpy()
        if latents.shape[1] != self.store.latent_size:
            raise SpecError(
                f"the memory holds latents of size {self.store.latent_size}; the model makes {latents.shape[1]}. Make "
                "a new memory for it: agent.new_memory(path)."
            )
        block = None if state.block is None else state.block.float().cpu().numpy()
        length = self.store.block_shape[0] + 1
        return replace(state, memory=state.memory.extended(latents, block, state.surprise, state.steps, length))

    def views(self, state: AgentState) -> tuple[Store, ...] | None:
        """Return the memory of each world at its snapshot; None if there is none.

        Raises:
            DataError: if entries of a snapshot were forgotten.
        """
        if self.store is None or state.memory is None:
            return None
        views = {name: self.store.at(name) for name in {*state.memory.snapshots.tolist()}}
        return tuple(views[name] for name in state.memory.snapshots.tolist())

    def remember(
        self, state: AgentState, outcome: npt.ArrayLike, episode: npt.ArrayLike | None, source: str | None
    ) -> AgentState:
        """Append what happened in each world since its last entry; see :meth:`tacit.agent.BlockActor.remember`."""
        if self.store is None or state.memory is None:
            raise ConfigError("the agent has no memory. Give it one: agent.replace(memory=agent.new_memory(path)).")
        if not isinstance(self.store, _Growing):
            raise ConfigError(f"a {type(self.store).__name__} cannot be appended to. Use a tacit.memory.DiskStore.")
        past, blocks = state.memory, self.store.block_shape[0]
        first = past.newest - blocks * self.frameskip
        new = past.complete(blocks) & (first > past.remembered)
        outcomes = _per_world(np.asarray(outcome, np.float32), state.batch, "outcome")
        numbers = np.array([seed % 2**63 for seed in state.seeds]) if episode is None else np.asarray(episode)
        episodes = _per_world(numbers, state.batch, "episode")
        if new.any():
            self.store.append(
                entries(
                    past.latents[new, 0],
                    past.blocks[new],
                    outcomes=outcomes[new],
                    surprises=past.surprise()[new],
                    times=time.time(),
                    episodes=episodes[new],
                    steps=first[new],
                    sources=-1 if source is None else self.store.source(source),
                )
            )
        snapshots, remembered = np.full(state.batch, self.store.snapshot), np.where(new, first, past.remembered)
        return replace(state, memory=replace(past, snapshots=snapshots, remembered=remembered))

    def recall(self, state: AgentState, count: int, exact: bool) -> tuple[Recalled, ...]:
        """Return the nearest entries of each world; see :meth:`tacit.agent.BlockActor.recall`."""
        views = self.views(state)
        if views is None or state.memory is None or not state.memory.latents.shape[1]:
            raise ConfigError(
                "recall needs an agent with a memory and a state after an act. Give it one: "
                "agent.replace(memory=agent.new_memory(path))."
            )
        return tuple(
            _recalled(view, view.nearest(latent[None], count, exact=exact))
            for view, latent in zip(views, state.memory.latents[:, -1], strict=True)
        )


def _recalled(view: Store, found: Neighbors) -> Recalled:
    return Recalled(found.numbers[0], found.distances[0], view.entries(found.numbers[0]), view.sources)


def _per_world(values: npt.NDArray[np.float32 | np.int64], batch: int, name: str) -> npt.NDArray[np.float32 | np.int64]:
    """Return values ``[B]`` from one or ``[B]``."""
    if values.shape not in ((), (batch,)):
        raise SpecError(f"{name} is one number, or one for each of the {batch} worlds; got {list(values.shape)}.")
    return np.broadcast_to(values, (batch,))


def grouped(views: Sequence[Store]) -> list[tuple[Store, npt.NDArray[np.int64]]]:
    """Return each memory once, with the worlds whose memory it is."""
    names = np.array([view.snapshot for view in views])
    found = []
    for name in np.unique(names):
        worlds = np.flatnonzero(names == name)
        found.append((views[int(worlds[0])], worlds))
    return found

"""A batch around the user's vector environment, in any autoreset mode."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

from tacit._foreign import foreign
from tacit.envs._gymnasium_batches import Entries, Facts, Flags, Outcome, scaled
from tacit.envs._gymnasium_world import SUCCESS, frame_of, number
from tacit.envs._spaces import streams
from tacit.errors import ConfigError, SpecError
from tacit.types import Array

__all__ = ["VectorBatch"]


class VectorBatch:
    """A batch around the user's vector environment.

    It resets worlds that have ended by its autoreset mode; the last observation of an episode is kept until the next
    reset.
    """

    def __init__(self, vector: VectorEnv[Any, Any, Any]) -> None:
        self._vector = vector
        name = vector.spec.id if vector.spec is not None else type(vector.unwrapped).__name__
        self._reset, self._step, self._render, self._close = (
            foreign(f"vector environment {name!r}: {verb}") for verb in ("reset", "step", "render", "close")
        )
        metadata = vector.metadata or {}
        if "autoreset_mode" not in metadata:
            warnings.warn(
                f"vector environment {name!r} has no metadata['autoreset_mode']; NEXT_STEP is assumed.", stacklevel=3
            )
        try:
            self._mode = AutoresetMode(metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
        except ValueError as error:
            raise ConfigError(f"vector environment {name!r}: {error}. Gymnasium has the class AutoresetMode.") from None
        self.facts = Facts(
            name,
            vector.single_observation_space,
            vector.single_action_space,
            vector.render_mode,
            metadata.get("render_fps"),
        )
        if self._mode is AutoresetMode.SAME_STEP and isinstance(vector.unwrapped, SyncVectorEnv):
            self._require_fresh_arrays(vector.unwrapped)

    def show(self, shown: Sequence[str], pixels: int | None) -> None:
        """See :class:`tacit.envs._gymnasium_batches.Batch`."""
        if pixels is not None and self._mode is AutoresetMode.SAME_STEP:
            raise ConfigError("pixels cannot show the last frame under AutoresetMode.SAME_STEP; use NEXT_STEP.")
        self._entries = Entries(self.facts.observation_space, shown, pixels, self.facts.name)

    def reset(self, seeds: Sequence[int]) -> dict[str, Array]:
        """See :class:`tacit.envs._gymnasium_batches.Batch`."""
        with self._reset:
            observation, _ = self._vector.reset(seed=list(seeds))  # type: ignore[arg-type]
        return self._read(observation)

    def step(self, actions: Any, going: Flags) -> Outcome:
        """See :class:`tacit.envs._gymnasium_batches.Batch`."""
        with self._step:
            if self._mode is AutoresetMode.DISABLED and not going.all():
                self._vector.reset(options={"reset_mask": ~going})
            observation, reward, terminated, truncated, info = self._vector.step(self._joined(actions))
        entries = self._read(observation)
        terminated, truncated = self._flags("terminated", terminated), self._flags("truncated", truncated)
        if self._mode is AutoresetMode.SAME_STEP:
            self._restore_last(entries, info, (terminated | truncated) & going)
        count = self._vector.num_envs
        single = np.shape(reward)[:1] == (count,)
        rewards = np.array([number(reward[world]) if single else np.nan for world in range(count)])
        return Outcome(entries, terminated, truncated, rewards, self._success(info))

    def _joined(self, actions: Any) -> Any:
        """Return a list of tuples or dictionaries as the batch that a vector environment takes."""
        if not isinstance(actions, list):
            return actions
        space = self._vector.single_action_space
        batch: Any = create_empty_array(space, len(actions))
        return concatenate(space, actions, batch)

    def _success(self, info: Mapping[str, Any]) -> npt.NDArray[np.float64]:
        """Return the success in the infos, also in those of episodes that ended in this step."""
        found = np.full(self._vector.num_envs, np.nan)
        for source in (info, info.get("final_info")):
            name = next((name for name in SUCCESS if isinstance(source, Mapping) and name in source), None)
            if name is None or not isinstance(source, Mapping):
                continue
            values, given = np.asarray(source[name]), np.asarray(source.get(f"_{name}", True))
            if values.shape == found.shape and values.dtype.kind in "biuf":
                found = np.where(np.broadcast_to(given, found.shape), values > 0, found)
        return found

    def close(self) -> None:
        """See :class:`tacit.envs._gymnasium_batches.Batch`."""
        with self._close:
            self._vector.close()

    def _read(self, observation: Any) -> dict[str, Array]:
        entries = self._entries.batch(observation, self._vector.num_envs)
        if self._entries.pixels is not None:
            with self._render:
                frames = self._vector.render()
            count = self._vector.num_envs
            if not isinstance(frames, (tuple, list)) or len(frames) != count:
                raise SpecError(
                    f"vector environment {self.facts.name!r}: pixels need a render() that returns a frame for each of "
                    f"{count} worlds; got {type(frames).__name__}."
                )
            entries["pixels"] = scaled([frame_of(frame, self.facts.name) for frame in frames], self._entries.pixels)
        return entries

    def _flags(self, name: str, values: Any) -> Flags:
        flags = np.asarray(values)
        if flags.shape != (self._vector.num_envs,):
            raise SpecError(
                f"vector environment {self.facts.name!r}: step's {name} has shape {flags.shape}; expected one for each "
                f"of {self._vector.num_envs} worlds."
            )
        return flags.astype(np.bool_)

    def _restore_last(self, entries: dict[str, Array], info: Mapping[str, Any], ended: Flags) -> None:
        """Replace the first observation of the next episode by the last one of the episode that ended."""
        for world in np.flatnonzero(ended).tolist():
            last = info.get("final_obs")
            if isinstance(last, np.ndarray):
                last = last[world]
            elif isinstance(last, Mapping):
                last = _row(last, world)
            if last is None:
                raise SpecError(
                    f"vector environment {self.facts.name!r} resets in the same step, but its info has no final_obs of "
                    f"world {world}, so the last observation is lost. Use AutoresetMode.NEXT_STEP."
                )
            for name, batch in self._entries.gather([last]).items():
                entries[name][world] = batch[0]

    def _require_fresh_arrays(self, vector: SyncVectorEnv) -> None:
        """Refuse environments that overwrite the last observation of an episode with the first of the next one."""
        for env in vector.envs:
            with self._reset:
                one, two = env.reset(seed=0)[0], env.reset(seed=0)[0]
            found, _ = streams(self.facts.observation_space)
            for name, stream in found.items():
                if np.shares_memory(stream.of(one), stream.of(two)):
                    raise SpecError(
                        f"vector environment {self.facts.name!r} resets in the same step, and its environments return "
                        f"the entry {name!r} in one array that they write anew, so the last observation of an episode "
                        "is overwritten. Return a copy, or use AutoresetMode.NEXT_STEP."
                    )


def _row(batch: Any, world: int) -> Any:
    """Return one world's part of batched dictionaries."""
    return {key: _row(value, world) for key, value in batch.items()} if isinstance(batch, Mapping) else batch[world]

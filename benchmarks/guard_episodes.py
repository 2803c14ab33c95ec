"""Latents of an agent in Two Rooms, without faults and with each perturbation, kept on disk for the study of guards."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import tacit as tc
from tacit.guard import Recording
from tacit.stress import ChangedFactor, FrozenSensor, Perturbation, Teleport
from tacit.types import GoalEnvironment

CHUNK = 500
KINDS: Mapping[str, Perturbation] = {
    "teleport": Teleport(first=(20, 60)),
    "sensor frozen": FrozenSensor(first=(5, 15)),
    **{
        f"{name}, hue + 60": ChangedFactor(f"{key}_color", hue=60.0)
        for name, key in (("disc", "agent"), ("wall", "wall"))
    },
    "background, hue + 60": ChangedFactor("background_color", hue=60.0),
    **{
        f"{name} {shift:+.0f}": ChangedFactor(f"{key}_color", shift=shift)
        for name, key in (("disc", "agent"), ("wall", "wall"), ("background", "background"))
        for shift in (60.0, -60.0)
    },
    "wall moved by 4": ChangedFactor("wall_x", shift=4.0),
    "wall 8 thick": ChangedFactor("wall_thickness", shift=4.0),
    "speed x 0.6": ChangedFactor("speed", scale=0.6),
    "speed x 1.5": ChangedFactor("speed", scale=1.5),
}
"""The perturbations of the study, by the name of their row."""


@dataclass(frozen=True)
class Episodes:
    """Recorded episodes.

    Attributes:
        recording: Their latents and blocks.
        distances: ``[n, steps + 1]`` true distance to the goal.
        onset: ``[n]`` the step of the fault; 0 where it is there from the start.
    """

    recording: Recording
    distances: np.ndarray
    onset: np.ndarray

    @property
    def failed(self) -> np.ndarray:
        """Return whether each episode missed its goal."""
        return self.distances[:, -1] > tc.envs.TwoRooms.rules.radius


def episodes(folder: Path, name: str, perturbation: Perturbation | None, count: int, seed: int) -> Episodes:
    """Record episodes of the pretrained agent in chunks that an interrupted study finds again."""
    agent, parts = tc.recipes.pretrained("two_rooms"), []
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, count, CHUNK):
        path = folder / f"{name.replace(' ', '_')}_{first}.npz"
        if not path.exists():
            env: GoalEnvironment = tc.envs.TwoRooms()
            if perturbation is not None:
                env = perturbation(env, seed + first)
            some = min(CHUNK, count - first)
            tasks, _ = tc.evaluation.held_out_tasks(env, some, seed + first)
            recording, trace = tc.embeddings.record_latents(agent, env, tasks, seed + first)
            assert trace.distances is not None, "tasks have distances"
            onset = env.onset if isinstance(env, tc.stress.Perturbed) else np.zeros(some, np.int64)
            latents, blocks, distances = recording.latents, recording.blocks, trace.distances
            with (fresh := path.with_suffix(".part")).open("wb") as file:
                np.savez(file, onset=onset, latents=latents, blocks=blocks, distances=distances)
            fresh.rename(path)
        with np.load(path) as stored:
            parts.append({key: stored[key] for key in stored.files})
    whole = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return Episodes(Recording(whole["latents"], whole["blocks"]), whole["distances"], whole["onset"])

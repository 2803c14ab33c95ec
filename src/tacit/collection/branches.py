"""Policy that records several episodes from one snapshot, each with actions of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tacit._check import require_simulation
from tacit._seeds import derive_seed
from tacit.collection.policies import Act, Random
from tacit.errors import ConfigError
from tacit.types import Environment, Observation

__all__ = ["Branches"]


@dataclass(frozen=True)
class Branches:
    """Policy whose episodes share their starts, so that only their actions make the difference.

    A snapshot is the state that ``before`` random actions lead to. Each episode is a branch of a random snapshot with
    probability ``share``; the others start as usual. All act by ``policy``. As with every policy, an episode is a
    function of its own seed, and ``episodes * share / snapshots`` branches start in one snapshot on average. Common
    starts make the effect of an action identifiable (arXiv 2609.22816).

    Args:
        snapshots: The number of snapshots.
        share: Share of the episodes that are branches.
        before: Random actions before a snapshot; 0 for a start of the environment.
        policy: The random policy of all episodes.
        seed: Seed of the snapshots; give held-out episodes another one.

    Raises:
        ConfigError: if an option is out of range.
    """

    snapshots: int = 50
    share: float = 0.5
    before: int = 4
    policy: Random = field(default_factory=Random)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.snapshots < 1 or self.before < 0 or not 0 < self.share <= 1:
            raise ConfigError(
                "Branches needs snapshots of at least 1, a share above 0 and up to 1, and before of at least 0; got "
                f"{self.snapshots}, {self.share} and {self.before}."
            )

    def __call__(self, env: Environment, seeds: Sequence[int], steps: int) -> tuple[Observation, Act]:
        """Start episodes; see :data:`Policy`.

        Raises:
            ConfigError: if the states of the environment cannot be set and simulated.
        """
        world, space = require_simulation(env, "Branches"), env.spec.action
        found = [self.snapshot_of(seed) for seed in seeds]
        begins = [
            seed if number is None else derive_seed(self.seed, number)
            for seed, number in zip(seeds, found, strict=True)
        ]
        observation = world.reset(begins)
        branch = np.array([number is not None for number in found])
        if self.before and branch.any():
            state = world.state()
            first = np.stack([self.policy.plan(space, np.random.default_rng([2, one]), self.before) for one in begins])
            moved = world.simulate(state, first)
            observation = world.begin(
                {
                    name: np.where(branch.reshape(-1, *[1] * (values.ndim - 1)), moved[name][:, -1], values)
                    for name, values in state.items()
                }
            )
        plan = np.stack([self.policy.plan(space, np.random.default_rng([1, seed]), steps) for seed in seeds])
        return observation, lambda step, _observation: plan[:, step]

    def snapshot_of(self, seed: int) -> int | None:
        """Return the number of the snapshot that an episode of this seed starts in; None for no branch."""
        rng = np.random.default_rng([3, seed])
        return int(rng.integers(self.snapshots)) if rng.random() < self.share else None

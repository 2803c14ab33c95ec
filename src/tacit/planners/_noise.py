"""Random numbers of a search, with a stream for each world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from numpy.random import Generator, Philox

from tacit._seeds import derive_seed
from tacit.errors import ConfigError

__all__ = ["WorldNoise", "seeds_of", "world_seeds"]

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class WorldNoise:
    """Noise from a counter-based generator (Philox; Salmon et al., 2011), the same on every device.

    Args:
        seeds: ``[B]`` the seed of each world, from 0 to ``2 ** 64 - 1``.
        steps: ``[B]`` the step at which each world plans; None: 0.
        stream: Separates different uses at the same step, such as a policy that makes proposals.

    Raises:
        ConfigError: if there is no world, or a seed or a step is out of range.
    """

    seeds: tuple[int, ...]
    steps: tuple[int, ...] | None = None
    stream: int = 0

    def __post_init__(self) -> None:
        steps = (0,) * len(self.seeds) if self.steps is None else tuple(map(int, self.steps))
        object.__setattr__(self, "seeds", tuple(map(int, self.seeds)))
        object.__setattr__(self, "steps", steps)
        whole = (*self.seeds, *steps, self.stream)
        if not self.seeds or len(self.seeds) != len(steps) or not all(0 <= one < 2**64 for one in whole):
            raise ConfigError(
                "noise needs a seed and a step for each world, from 0 to 2^64 - 1; got seeds "
                f"{self.seeds}, steps {steps} and stream {self.stream}."
            )

    @classmethod
    def of(cls, seed: int, batch: int) -> WorldNoise:
        """Return the noise of a batch of worlds that share one seed. Each has a separate stream."""
        return cls(tuple(world_seeds(seed, batch)))

    def __len__(self) -> int:
        return len(self.seeds)

    def normal(self, round: int, shape: tuple[int, ...], /) -> Floats:
        """See :class:`tacit.types.Noise`."""
        return self._drawn(round, shape, lambda generator, out: generator.standard_normal(dtype=np.float32, out=out))

    def uniform(self, round: int, shape: tuple[int, ...], /) -> Floats:
        """See :class:`tacit.types.Noise`."""
        return self._drawn(round, shape, lambda generator, out: generator.random(dtype=np.float32, out=out))

    def exponential(self, round: int, shape: tuple[int, ...], /) -> Floats:
        """See :class:`tacit.types.Noise`."""
        return self._drawn(
            round, shape, lambda generator, out: generator.standard_exponential(dtype=np.float32, out=out)
        )

    def spawn(self, stream: int, /) -> WorldNoise:
        """See :class:`tacit.types.Noise`."""
        return replace(self, stream=stream)

    def _drawn(self, round: int, shape: tuple[int, ...], draw: Callable[[Generator, Floats], object]) -> Floats:
        out = np.empty((len(self), *shape), np.float32)
        for row, seed, step in zip(out, self.seeds, self.steps or (), strict=True):
            draw(Generator(Philox(key=[seed, step], counter=[0, 0, round, self.stream])), row)
        return out


def world_seeds(seed: int, batch: int) -> list[int]:
    """Return a seed for each world of a batch, functions of ``seed`` and the world's number."""
    return [derive_seed(seed, world, bits=64) for world in range(batch)]


def seeds_of(seed: int | Sequence[int], batch: int) -> list[int]:
    """Return a seed for each world from one seed for all of them or one for each.

    Raises:
        ConfigError: if a seed is negative, there is no world, or there are not as many seeds as worlds.
    """
    many = seed if isinstance(seed, Sequence) else None
    least = min(many, default=0) if many is not None else seed
    if batch < 1 or least < 0 or (many is not None and len(many) != batch):  # type: ignore[operator]
        raise ConfigError(
            f"an episode needs batch >= 1 and a seed >= 0, or one for each world; got batch {batch} and seed {seed}."
        )
    return list(map(int, many)) if many is not None else world_seeds(seed, batch)  # type: ignore[arg-type]

"""Derivation of seeds and random streams.

Every function is pure: the same arguments give the same numbers on every machine. Data on disk, held-out tasks and
exact resume depend on these numbers, so they never change.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

__all__ = ["SCORES", "CounterStream", "TrainingStream", "counter_rng", "derive_seed", "draw_seeds"]

SCORES = 0x5C0FE
"""First element of the path of seeds that score episodes, apart from the seeds that record them."""


class TrainingStream(IntEnum):
    """First elements of the paths of seeds within a training."""

    GLOBAL = 0
    MODEL = 1
    OBJECTIVE = 2
    TRANSFORM = 3
    VALIDATION = 4


class CounterStream(IntEnum):
    """Streams of :func:`counter_rng`, which share no numbers."""

    CLIPS = 0
    MASKS = int.from_bytes(b"mask")


def derive_seed(seed: int, *path: int, bits: int = 32) -> int:
    """Return the seed of one item, such as an episode, an attempt or a step.

    Args:
        seed: The seed of the whole.
        path: The item, for example a stream and a number in it.
        bits: Bits of the result: 32, or up to 64.
    """
    sequence = np.random.SeedSequence([seed, *path])
    if bits == 32:
        return int(sequence.generate_state(1)[0])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(64 - bits))


def draw_seeds(seed: int, count: int) -> list[int]:
    """Return ``count`` seeds of 32 bits, one for each world of a batch."""
    return [int(one) for one in np.random.SeedSequence(seed).generate_state(count)]


def counter_rng(seed: int, stream: CounterStream, index: int) -> np.random.Generator:
    """Return the generator at a position of a counter-based stream (Philox; Salmon et al., 2011).

    Args:
        seed: The key of the stream; only its last 128 bits count.
        stream: The name of the stream.
        index: The position, below 2**64. A draw advances a lower part of the counter, so positions share no numbers.
    """
    return np.random.Generator(np.random.Philox(key=seed % 2**128, counter=stream << 192 | index << 128))

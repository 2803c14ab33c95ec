"""Stores with random entries, their slow reference, and a process that writes until it is killed."""

import sys
from pathlib import Path

import numpy as np

import tacit as tc

SIZE, BLOCKS, BLOCK = 6, 2, 3


def made(path: Path, **options) -> tc.memory.DiskStore:
    sizes = {"latent_size": SIZE, "blocks": BLOCKS, "block_size": BLOCK, "segment_entries": 64}
    return tc.memory.DiskStore.create(path, **{**sizes, **options})


def drawn(count: int, seed: int = 0, **options):
    """Random entries; the first action of each is its place among them."""
    draw = np.random.default_rng(seed)
    blocks = draw.standard_normal((count, BLOCKS, BLOCK))
    blocks[:, 0, 0] = np.arange(count)
    return tc.memory.entries(draw.standard_normal((count, SIZE)), blocks, **options)


def naive(latents, numbers, queries, count):
    """Numbers and squared distances of the nearest, one at a time, in float64; of equal ones the lower number."""
    found = []
    for query in queries.astype(np.float64):
        ranked = sorted((float(np.square(one - query).sum()), int(n)) for one, n in zip(latents, numbers, strict=True))
        found.append(ranked[:count])
    return [[n for _, n in row] for row in found], [[d for d, _ in row] for row in found]


def write_for_ever(path: str) -> None:
    """Append entries, and print the number of those that are acknowledged."""
    with tc.memory.DiskStore.open(path, write=True) as store:
        start = len(store)
        while True:
            some = drawn(7, seed=start)
            some.blocks[:, 0, 0] = start + np.arange(7)
            start = int(store.append(some, sync=start % 2 == 0)[-1]) + 1
            sys.stdout.write(f"{start}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    write_for_ever(sys.argv[1])

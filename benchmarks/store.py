"""Writes, searches and sizes of the memory store, and writers that are killed."""

import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import tacit as tc
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, at_least, at_most, rate, table

WRITE = """
import sys
import numpy as np
import tacit as tc
with tc.memory.DiskStore.open(sys.argv[1], write=True) as store:
    number, count, sync = len(store), int(sys.argv[2]), sys.argv[3] == "True"
    while True:
        blocks = np.arange(number, number + count, dtype=np.float32)[:, None, None]
        store.append(tc.memory.entries(np.zeros((count, 8)), blocks), sync=sync)
        number += count
        print(number, flush=True)
"""
SIZE, BLOCKS, BLOCK, NEAREST, GROUP, TAIL = 192, 4, 10, 10, 64, 8192
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Attributes:
        entries: Entries of the store.
        queries: Queries, one at a time.
        kills: Writers that are killed.
    """

    entries: int = 0
    queries: int = 1000
    kills: int = 0


def latents(count: int, seed: int) -> Floats:
    """Return latents near a curved surface of 16 dimensions, as those of a trained encoder are."""
    fixed = np.random.default_rng(0)
    inner, outer = (fixed.standard_normal(shape, np.float32) for shape in ((16, 256), (256, SIZE)))
    draw = np.random.default_rng([seed, 1])
    surface = np.tanh(draw.standard_normal((count, 16), np.float32) @ inner / 4) @ outer / 16
    return np.asarray(surface + 0.02 * draw.standard_normal((count, SIZE), np.float32), np.float32)


def chunk(count: int, seed: int) -> tc.types.Entries:
    return tc.memory.entries(latents(count, seed), np.zeros((count, BLOCKS, BLOCK)))


def times(call: Callable[[Floats], object], queries: Floats) -> dict[str, float]:
    """Return the milliseconds of single queries by the clock and of the CPU, after one that is not timed."""
    call(queries[:1])
    wall, cpu = [], []
    for index in range(len(queries)):
        began, used = time.perf_counter(), time.process_time()
        call(queries[index : index + 1])
        wall.append(1e3 * (time.perf_counter() - began))
        cpu.append(1e3 * (time.process_time() - used))
    shares = {"p50": 0.5, "p99": 0.99}
    clock = {name: float(np.quantile(wall, share)) for name, share in shares.items()}
    return clock | {f"cpu_{name}": float(np.quantile(cpu, share)) for name, share in shares.items()}


def written(store: tc.memory.DiskStore, count: int) -> dict[str, Any]:
    """Append entries in groups that are acknowledged one by one, and return how fast."""
    seconds: list[float] = []
    for start in range(0, count, 2**14):
        some = chunk(min(2**14, count - start), start)
        for first in range(0, len(some), GROUP):
            group = type(some)(**{name: value[first : first + GROUP] for name, value in vars(some).items()})
            began = time.perf_counter()
            store.append(group)
            seconds.append(time.perf_counter() - began)
    return {"per_second": count / sum(seconds), "group_p99_ms": 1e3 * float(np.quantile(seconds, 0.99))}


def singly(store: tc.memory.DiskStore, count: int) -> float:
    """Append entries one by one without waiting, and return the entries per second with the last flush."""
    some = chunk(count, -1 % 2**32)
    ones = [type(some)(**{name: value[i : i + 1] for name, value in vars(some).items()}) for i in range(count)]
    began = time.perf_counter()
    for one in ones:
        store.append(one, sync=False)
    store.flush()
    return count / (time.perf_counter() - began)


def sized(chosen: Settings, folder: Path) -> dict[str, Any]:
    """Fill a store, and time its searches."""
    with tc.memory.DiskStore.create(folder, latent_size=SIZE, blocks=BLOCKS, block_size=BLOCK) as store:
        found: dict[str, Any] = {"write": written(store, chosen.entries)}
        began = time.perf_counter()
        store.index()
        found["index_s"] = time.perf_counter() - began
        found["singly"] = singly(store, TAIL)
        queries = latents(chosen.queries, 2**31)
        view, few = store.newest, queries[: max(chosen.queries // 10, 10)]
        found["exact"] = times(lambda query: view.nearest(query, NEAREST, exact=True), few)
        found["search"] = times(lambda query: view.nearest(query, NEAREST), queries)
        pairs = zip(view.nearest(few, NEAREST, exact=True).numbers, view.nearest(few, NEAREST).numbers, strict=True)
        hits = sum(len({*left.tolist()} & {*right.tolist()}) for left, right in pairs)
        found["recall"] = hits / (NEAREST * len(few))
        found["indexed"] = int(store.snapshot.rpartition("-")[2])
        found["entries"] = len(store)
        found["bytes_per_entry"] = store.size / len(store)
    began = time.perf_counter()
    tc.memory.DiskStore.open(folder, write=True).close()
    return {**found, "open_s": time.perf_counter() - began}


def killed(kills: int, folder: Path) -> dict[str, Any]:
    """Kill writers of one store; count the acknowledged entries that are not in it, or are not as they were."""
    tc.memory.DiskStore.create(folder, latent_size=8, blocks=1, block_size=1, segment_entries=500).close()
    drawn, lost, acknowledged = random.Random(0), 0, 0
    for number in range(kills):
        words = [sys.executable, "-W", "ignore", "-c", WRITE, str(folder), str(1 + number % 9), str(number % 2 == 0)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
            lines = [process.stdout.readline()]  # type: ignore[union-attr]
            time.sleep(drawn.uniform(0.0, 0.3))
            process.kill()
            lines += process.stdout.read().splitlines()  # type: ignore[union-attr]
        last = max(int(line) for line in lines)
        acknowledged += last - acknowledged
        reader = tc.memory.DiskStore.open(folder)
        found = reader.entries().blocks[:, 0, 0]
        lost += max(last - len(found), 0) + int((found != np.arange(len(found))).sum())
    return {"kills": kills, "acknowledged": acknowledged, "lost": lost}


def measure(run: Run[Settings]) -> dict[str, Any]:
    before, folder = os.getloadavg()[0], run.work / "memory"
    shutil.rmtree(folder, ignore_errors=True)  # of an interrupted run
    found = killed(run.settings.kills, folder) if run.settings.kills else sized(run.settings, folder)
    shutil.rmtree(folder)
    return {**found, "load_before": before}


def report(results: Mapping[str, RunResult]) -> Report:
    rows, targets = [], []
    for name, result in results.items():
        one = result.values
        if "kills" in one:
            continue
        rows.append(
            (
                name,
                f"{one['write']['per_second']:,.0f}",
                f"{one['write']['group_p99_ms']:.1f}",
                f"{one['singly']:,.0f}",
                *(f"{one['exact'][key]:.1f}" for key in ("p50", "p99")),
                *(f"{one['search'][key]:.1f}" for key in ("p50", "p99", "cpu_p99")),
                f"{100 * one['recall']:.1f} %" if one["entries"] > 100_000 else "exact",
                f"{one['index_s']:,.0f}",
                f"{one['bytes_per_entry']:,.0f}",
                f"{one['open_s']:.2f}",
                f"{one['load_before']:.1f}",
            )
        )
    header = (
        "entries",
        f"writes/s in groups of {GROUP}",
        "p99 of a group, ms",
        "writes/s one by one",
        "exact p50, ms",
        "exact p99, ms",
        "p50, ms",
        "p99, ms",
        "CPU p99, ms",
        "recall",
        "index, s",
        "bytes/entry",
        "open, s",
        "load",
    )
    if LARGE in results:
        one = results[LARGE].values
        targets += [
            at_least(f"{LARGE}: acknowledged writes per second", one["write"]["per_second"], 10_000, "{:,.0f}"),
            at_most(f"{LARGE}: p99 of a search, ms", one["search"]["p99"], 5, "{:.1f}"),
            at_least(f"{LARGE}: recall of the nearest {NEAREST}", one["recall"], 0.95, "{:.3f}"),
        ]
    tables = [table(header, rows)]
    if KILLED in results:
        one = results[KILLED].values
        targets.append(at_most(f"acknowledged entries lost in {one['kills']} kills", one["lost"], 0, "{:.0f}"))
        kept = rate(asdict(tc.statistics.wilson(one["acknowledged"] - one["lost"], one["acknowledged"])))
        tables.append(
            f"Of {one['acknowledged']:,} acknowledged entries of {one['kills']} killed writers, {kept} stayed."
        )
    return Report(tables, targets)


LARGE, KILLED = "1,000,000", "killed"

STUDY = Study(
    name="store",
    title="Memory store",
    summary=(
        f"Entries with latents of size {SIZE}, near a surface of 16 dimensions, and {BLOCKS} blocks of {BLOCK} actions."
        f" Each group is on the disk before the next is appended. A search returns the {NEAREST} nearest of one query; "
        f"{TAIL:,} further entries, half a segment, are in no index. Up to 100,000 entries a search is exact. Recall "
        "is that of the exact search. Load is that of the machine of two cores before the case."
    ),
    command="uv run benchmarks/store.py",
    cases={
        "10,000": Settings(10_000),
        "100,000": Settings(100_000),
        LARGE: Settings(1_000_000),
        KILLED: Settings(kills=200),
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

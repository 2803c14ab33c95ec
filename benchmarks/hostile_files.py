"""Crafted and randomly damaged files of every kind, opened in a worker process with limits on memory and time.

Run from the repository root, on Linux::

    uv run benchmarks/hostile_files.py [--edits 10000] [--seed 0] [--results FILE]

The crafted files are those of ``tests/hostile``; each edit damages a small valid file of one kind, by its number alone.
Reading has to give a value or an error of Tacit, without 10 seconds of computing, a crash, or more than 1 GB of memory
beyond the size of the data. The study goes on where it stopped, and writes ``benchmarks/results/hostile_files.json``.
The exit status is 1 if a rule was broken.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from record import Record

ROOT = Path(__file__).parents[1]
SAVED = 50
"""Edits after which what was found is kept."""


def tallied(kept: dict[str, Any], found: Any, rules: list[str], name: str) -> dict[str, Any]:
    """What was found of a kind so far, and one outcome more."""
    outcomes = Counter(kept.get("outcomes", {}))
    outcomes[found.outcome] += 1
    return {
        "files": kept.get("files", 0) + 1,
        "outcomes": dict(outcomes),
        "largest_peak_mb": max(kept.get("largest_peak_mb", 0), round(found.peak / 2**20)),
        "longest_seconds": max(kept.get("longest_seconds", 0.0), round(found.seconds, 1)),
        "seconds": round(kept.get("seconds", 0.0) + found.seconds, 1),
        "broken": {**kept.get("broken", {}), **({name: rules} if rules else {})},
    }


def crafted(record: Record, folder: Path) -> None:
    """Open every crafted file that was not opened yet."""
    from hostile import specimens
    from hostile.crafting import CRAFTED
    from hostile.judging import Worker, broken_rules, size_of
    from hostile.test_crafted import LISTS

    worker = Worker()
    for kind in specimens.SPECIMENS:
        some = [one for one in CRAFTED if one.kind == kind]
        if not some or record.section("crafted").get(kind, {}).get("files") == len(some):
            continue
        source = specimens.make(kind, folder / kind)
        kept: dict[str, Any] = {}
        for one in some:
            place = specimens.copy(kind, source, folder / "copy")
            one.change(place)
            found = worker.open(kind, place)
            kept = tallied(kept, found, broken_rules(found, size_of(place) + one.unpacked), one.name)
        record.add("crafted", kind, kept)
        shutil.rmtree(source)
    worker.close()
    assert LISTS


def edits(record: Record, folder: Path, count: int, seed: int) -> None:
    """Open ``count`` damaged files, as many of each kind, those left out that were opened before."""
    from hostile import specimens
    from hostile.edits import edit
    from hostile.judging import Worker, broken_rules, size_of

    worker, kinds = Worker(), list(specimens.SPECIMENS)
    for place_of_kind, kind in enumerate(kinds):
        total = (count - place_of_kind + len(kinds) - 1) // len(kinds)
        kept = record.section("edits").get(kind, {})
        source = specimens.make(kind, folder / kind)
        for number in range(kept.get("files", 0), total):
            place = specimens.copy(kind, source, folder / "copy")
            said = edit(place, np.random.default_rng([seed, place_of_kind, number]))
            found = worker.open(kind, place)
            kept = tallied(kept, found, broken_rules(found, size_of(place)), f"{number}: {said}"[:300])
            if (number + 1) % SAVED == 0 or number + 1 == total:
                record.add("edits", kind, kept)
        shutil.rmtree(source)
        print(f"{kind:<16} {kept.get('files', 0):6d} edits, {len(kept.get('broken', {}))} broke a rule", flush=True)
    worker.close()


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=10_000, help="how many, over all kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / "hostile_files.json")
    options = parser.parse_args()
    os.nice(10)
    sys.path.insert(0, str(ROOT / "tests"))
    record = Record(options.results, {"seed": options.seed})
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        crafted(record, Path(folder) / "crafted")
        edits(record, Path(folder) / "edits", options.edits, options.seed)
    found = [entry for part in ("crafted", "edits") for entry in record.section(part).values()]
    broken = sum(len(entry["broken"]) for entry in found)
    print(f"{sum(entry['files'] for entry in found)} files, {broken} broke a rule, {time.perf_counter() - began:.0f} s")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()

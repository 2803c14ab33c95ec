"""Crafted and randomly damaged files of every kind, opened in a worker process with limits on memory and time.

The crafted files are those of `tests/hostile`; each edit damages a small valid file, by its number alone. Linux only.
"""

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, Target, met, table

KINDS = {
    "lerobot": "LeRobot dataset of Tacit",
    "lerobot_foreign": "LeRobot dataset of lerobot, with video",
    "lerobot_cached": "dataset with a filled cache",
    "hdf5": "HDF5",
    "csv": "CSV",
    "tsv": "TSV",
    "parquet": "Parquet of signals",
    "wfdb": "WFDB record",
    "images": "PNG, JPEG, WebP, BMP, TIFF",
    "videos": "mp4, mkv, avi, webm, ts",
    "checkpoints": "checkpoint",
    "agent": "agent",
    "run": "run, its log and its state",
    "embedding": "embedding",
    "collection": "dataset and its collection note",
    "staged": "unfinished dataset",
    "published": "published weights, `.pt`",
    "published_hub": "published weights, Hugging Face folder",
}


@dataclass(frozen=True)
class Settings:
    """Kind of file, and number of random edits with their seed; None for the crafted files."""

    kind: str
    edits: int | None
    seed: int = 0


def damaged(chosen: Settings, folder: Path) -> Iterator[tuple[str, Path, int]]:
    """Yield the description of each damaged copy, its path, and the bytes that it unpacks to."""
    from hostile import specimens, test_crafted
    from hostile.crafting import CRAFTED
    from hostile.edits import edit

    assert test_crafted.LISTS  # its import fills CRAFTED
    source = specimens.make(chosen.kind, folder / chosen.kind)
    if chosen.edits is None:
        for one in (crafted for crafted in CRAFTED if crafted.kind == chosen.kind):
            place = specimens.copy(chosen.kind, source, folder / "copy")
            one.change(place)
            yield one.name, place, one.unpacked
        return
    for number in range(chosen.edits):
        place = specimens.copy(chosen.kind, source, folder / "copy")
        draw = np.random.default_rng([chosen.seed, [*specimens.SPECIMENS].index(chosen.kind), number])
        yield f"{number}: {edit(place, draw)}"[:300], place, 0


def measure(run: Run[Settings]) -> dict[str, Any]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from hostile.judging import Worker, broken_rules, size_of

    os.nice(10)
    worker, opened, broken = Worker(), [], {}
    with tempfile.TemporaryDirectory() as folder:
        for name, place, unpacked in damaged(run.settings, Path(folder)):
            opened.append(worker.open(run.settings.kind, place))
            if rules := broken_rules(opened[-1], size_of(place) + unpacked):
                broken[name] = rules
    worker.close()
    return {
        "files": len(opened),
        "outcomes": Counter(found.outcome for found in opened),
        "largest_peak_mb": max(round(found.peak / 2**20) for found in opened),
        "longest_seconds": max(round(found.seconds, 1) for found in opened),
        "broken": broken,
    }


def report(results: Mapping[str, RunResult]) -> Report:
    rows = []
    for kind, name in KINDS.items():
        found = [results.get(f"{part}/{kind}") for part in ("crafted", "edits")]
        values = [run.values for run in found if run]
        outcomes = sum((Counter(one["outcomes"]) for one in values), Counter[str]())
        refused = sum(count for what, count in outcomes.items() if what.endswith(("Error", "Defect", "Extra")))
        files = [str(run.values["files"] if run else 0) for run in found]
        numbers = outcomes["value"], refused, sum(len(one["broken"]) for one in values)
        peak, longest = (max(one[name] for one in values) for name in ("largest_peak_mb", "longest_seconds"))
        rows.append((name, *files, *map(str, numbers), f"{peak} MB", f"{longest:.1f} s"))
    crafted, edits, broken = (sum(int(row[column]) for row in rows) for column in (1, 2, 5))
    header = ("kind of file", "crafted", "edits", "read", "refused", "broke a rule", "largest peak", "longest")
    target = Target(
        f"{crafted} crafted files and {edits} random edits, opened",
        "a value or an error of Tacit; no crash, 10 s, 1 GB or code that is run",
        f"{broken} of {crafted + edits} broke a rule",
        met(broken == 0),
    )
    return Report([table(header, rows)], [target])


STUDY = Study(
    name="hostile_files",
    title="Damaged files",
    summary=(
        "Crafted files, and random edits of small valid files (bytes, JSON values, columns, attributes; digests "
        "corrected in seven of ten), each opened, read through and checked in a worker process. Seconds are of a "
        "shared machine."
    ),
    command="uv run benchmarks/hostile_files.py",
    cases={
        **{f"crafted/{kind}": Settings(kind, None) for kind in KINDS if kind != "tsv"},
        **{f"edits/{kind}": Settings(kind, 556 if index < 10 else 555) for index, kind in enumerate(KINDS)},
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

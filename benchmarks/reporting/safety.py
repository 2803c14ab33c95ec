"""Files that are damaged or made to do harm."""

from collections import Counter
from typing import Any

from reporting.text import Rows, load, table

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


def hostile() -> str:
    """What became of crafted and randomly edited files."""
    found = load("hostile_files")
    if found is None:
        return ""
    lacking = [name for kind, name in KINDS.items() if kind not in found["edits"]]
    left = f" Without edits, and so not measured: {'; '.join(lacking)}." if lacking else ""
    rows: Rows = [_row(name, found["crafted"].get(kind), found["edits"].get(kind)) for kind, name in KINDS.items()]
    both = [entry for part in ("crafted", "edits") for entry in found[part].values()]
    crafted, edits = (sum(entry["files"] for entry in found[part].values()) for part in ("crafted", "edits"))
    broken = sum(len(entry["broken"]) for entry in both)
    header = ("kind of file", "crafted", "edits", "read", "refused", "broke a rule", "largest peak", "longest")
    return (
        f"## Damaged files\n\n`uv run benchmarks/hostile_files.py`: {crafted} crafted files and {edits} random edits of "
        "small valid files (bytes, JSON values, columns, attributes; digests made to fit again in seven of ten), each "
        "opened, read through and checked in a process that is used again. Rule: a value or an error of Tacit; no other "
        "exception, no crash, no 10 s of computing or waiting, no peak of memory over 1 GB beyond the size of the data, "
        f"and no code of a file is run. {broken} of {crafted + edits} broke it. Seconds are of a machine shared with "
        f"other work.{left}\n\n"
        f"{table(header, rows)}\n"
    )


def _row(name: str, *parts: Any) -> tuple[str, ...]:
    there = [part for part in parts if part]
    outcomes = sum((Counter(part["outcomes"]) for part in there), Counter())
    bad = sum(len(part["broken"]) for part in there)
    refused = sum(count for outcome, count in outcomes.items() if outcome.endswith(("Error", "Defect", "Extra")))
    return (
        name,
        *(str(part["files"]) if part else "0" for part in parts),
        str(outcomes["value"]),
        str(refused),
        str(bad),
        f"{max((part['largest_peak_mb'] for part in there), default=0)} MB",
        f"{max((part['longest_seconds'] for part in there), default=0.0):.1f} s",
    )

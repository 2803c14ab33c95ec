"""Side by side with stable-worldmodel, on the same work in the same run: `uv run benchmarks/peers.py`.

Makes one environment for each package (the same torch release in both), then runs every row in turn,
A B A B ..., each time in a fresh process on one thread, and compares medians of CPU seconds. Takes about
15 minutes on one core, most of it the other package's plans and training steps. Needs Python 3.11 and
8 GB of disk. Results: benchmarks/results/peers.json.

    uv run benchmarks/peers.py --work /tmp/peers --rows frames_1 frames_64
"""

import argparse
import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sides import call, environment
from tacit.checkpoint import provenance

HERE = Path(__file__).parent
PEER = ["stable-worldmodel[all]==0.1.1", "torch==2.13.0", "torchvision==0.28.0"]
OURS = [f"{HERE.parent}[hdf5]", "torch==2.13.0"]


@dataclass(frozen=True)
class Row:
    """One piece of work: the words for each side's script, the target, and what it is."""

    ours: str
    theirs: tuple[str, ...]
    target: float
    what: str


ROWS = {
    "frames_1": Row("frames 1 20000", ("frames 1 500",), 20, "Two Rooms step + 64 px frame, 1 environment"),
    "frames_64": Row("frames 64 2000", ("frames 64 20",), 20, "Two Rooms step + 64 px frame, 64 environments"),
    "windows": Row(
        "windows {work} 2000",
        ("windows {work} hdf5 100", "windows {work} lance 100", "windows {work} folder 50"),
        5,
        "random window of 4 uint8 frames of 64 px with actions, batches of 32 (theirs: its fastest format)",
    ),
    "plan": Row("plan {work}", ("plan {work}",), 2.5, "CEM, 300 samples x 30 iterations x 5 blocks, same LeWM weights"),
    "train": Row("train 5", ("train 5",), 1.3, "LeWM training step, 32 windows of 4 frames of 64 px"),
    "first_frame": Row("first_frame", ("first_frame",), 3, "cold import to the first 64 px frame"),
}


def compare(name: str, pythons: tuple[Path, Path], work: Path, repeats: int) -> dict[str, object]:
    """Run both sides of a row in turn and relate the medians."""
    row = ROWS[name]
    ours: list[dict[str, Any]] = []
    theirs: dict[str, list[dict[str, Any]]] = {words: [] for words in row.theirs}
    for _ in range(repeats):
        ours.append(call(pythons[0], "peers_tacit.py", row.ours, work))
        for words in row.theirs:
            theirs[words].append(call(pythons[1], "peers_stable_worldmodel.py", words, work))
    medians = {words: statistics.median(float(r["seconds"]) for r in runs) for words, runs in theirs.items()}
    fastest = min(medians, key=lambda words: medians[words])
    mine = statistics.median(float(r["seconds"]) for r in ours)
    ratio = medians[fastest] / mine
    result = {
        "what": row.what,
        "ratio": round(ratio, 2),
        "target": row.target,
        "met": ratio >= row.target,
        "ours_cpu_seconds": mine,
        "theirs_cpu_seconds": medians[fastest],
        "theirs_fastest": fastest,
        "repeats": repeats,
        "ours": ours[-1],
        "theirs": theirs[fastest][-1],
        "packages": {"ours": OURS[1:], "theirs": PEER},
        "made_by": provenance(),
    }
    print(
        f"{name:<12} {ratio:7.2f}x  (target {row.target}x)  ours {mine:.3g} s, theirs {medians[fastest]:.3g} s",
        flush=True,
    )
    return result


def main() -> None:
    """Make the environments and the shared inputs, run the rows, write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("/tmp/tacit-peers"))
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "peers.json")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    pythons = environment(options.work / "ours", OURS), environment(options.work / "theirs", PEER)
    if not (options.work / "rooms_hdf5.h5").exists():
        call(pythons[1], "peers_stable_worldmodel.py", "record {work}", options.work)
    if not (options.work / "plan.safetensors").exists():
        call(pythons[1], "peers_stable_worldmodel.py", "weights {work}", options.work)
    target = options.results
    results = json.loads(target.read_text()) if target.exists() else {}
    for name in options.rows:
        results[name] = compare(name, pythons, options.work, options.repeats)
        target.parent.mkdir(exist_ok=True)
        target.write_text(json.dumps(results, indent=2) + "\n")
    missed = [name for name in options.rows if not results[name]["met"]]
    sys.exit(f"below the target: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()

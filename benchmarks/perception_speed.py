"""Training steps of V-JEPA 2 and I-JEPA next to those of transformers, on the same weights and inputs in float32.

transformers runs in an environment of its own with the same torch release, in turn with Tacit in new processes on one
thread. A step is target encoder without gradients, context encoder, predictor, L1 loss and backward.

- step: each library's own call at 90 % hidden. That of transformers encodes every token and masks afterwards, so that
  its latents have seen what they predict: more work, and another loss.
- visible: the same function: hidden tokens dropped by hand between transformers' own layers.
- dense: the same function: every token encoded, masked afterwards, as in transformers' own call.
- ijepa: forward and backward of the encoder of I-JEPA, on whole images.

Where the function is the same, losses and norms of all gradients must agree to 1e-4; attention must run on the same
operator. The limit is the multiplications at the best rate of a large packed product in the same run.
"""

import statistics
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from environments import call, environment
from perception_work import FRAMES, IMAGE_SIDE, IMAGES, SIDE, TOKENS, VIDEOS, VISIBLE
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, at_least, at_most, columns, table

THEIRS = ["transformers==5.23.0", "torch==2.13.0"]
AGREE, LEAST, MOST = 1e-4, 1.3, 0.15


@dataclass(frozen=True)
class Settings:
    """Work of each library, whether it is one function, and processes and counted steps of each."""

    ours: str
    theirs: str
    same: bool = True
    rounds: int = 3
    repeats: int = 2


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, work = run.settings, run.shared.absolute()
    pythons = {"ours": Path(sys.executable), "theirs": environment(work / "theirs", THEIRS)}

    def work_of(which: str, action: str, *words: object) -> dict[str, Any]:
        return call(pythons[which], "perception_work.py", " ".join(map(str, (action, work, *words))), work)

    if not (work / "ijepa").exists():
        work_of("theirs", "draw")
    if run.name == "memory":
        names = {"ours_step": ("ours", "step"), "ours_dense": ("ours", "dense"), "theirs_step": ("theirs", "step")}
        kept = work_of("ours", "limits")["saved"]
        peaks = {name: work_of(which, "memory", which, what)["peak"] for name, (which, what) in names.items()}
        share = round(kept["visible"] / kept["dense"], 3)
        return {"saved_for_backward": kept, "visible_over_dense": share, "peak_of_a_step": peaks}
    if run.name == "profile":
        profiles = {which: work_of(which, "profile", which) for which in pythons}
        for row in (row for row in STUDY.cases.values() if row.ours):
            mine, other = profiles["ours"][row.ours]["attention"], profiles["theirs"][row.theirs]["attention"]
            if mine != other or not mine:
                raise SystemExit(f"attention of {row.ours} ran on {mine} here and on {other} in transformers.")
        shares = {name: one["shares"] for name, one in profiles["ours"].items()}
        return {"shares": shares, "attention": profiles["ours"]["step"]["attention"]}
    runs: dict[str, list[Any]] = {"ours": [], "theirs": []}
    for _ in range(chosen.rounds):
        for which, found in runs.items():
            found.append(work_of(which, "timed", which, chosen.repeats))
    return compared(chosen, runs, work_of("ours", "limits"))


def compared(chosen: Settings, runs: Mapping[str, list[Any]], limit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of a row; one function must give one result."""
    names = {"ours": chosen.ours, "theirs": chosen.theirs}
    found = {which: [run[name] for run in runs[which]] for which, name in names.items()}
    taken = {which: statistics.median(t for one in some for t in one["seconds"]) for which, some in found.items()}
    rounds = [
        statistics.median(theirs["seconds"]) / statistics.median(ours["seconds"])
        for ours, theirs in zip(found["ours"], found["theirs"], strict=True)
    ]
    results = {kind: {which: some[-1][kind] for which, some in found.items()} for kind in ("loss", "gradient")}
    for kind, pair in results.items():
        if chosen.same and abs(pair["ours"] - pair["theirs"]) > AGREE * abs(pair["theirs"]):
            raise SystemExit(f"{chosen.ours}: one function, but the {kind} is {pair}.")
    least = limit["operations"][chosen.ours] / limit["rate"]
    return {
        "ratio": round(taken["theirs"] / taken["ours"], 2),
        "ratio_of_rounds": [round(min(rounds), 2), round(max(rounds), 2)],
        "ours_cpu_seconds": taken["ours"],
        "theirs_cpu_seconds": taken["theirs"],
        **results,
        "ours_gigaflop": round(limit["operations"][chosen.ours] / 1e9, 1),
        "gigaflop_per_second": round(limit["rate"] / 1e9),
        "ours_over_limit": round(taken["ours"] / least, 2),
        "ours_with_layers_of_torch": limit["plain"][chosen.ours],
    }


STEP = f"V-JEPA 2 training step, {VIDEOS} videos of {FRAMES} frames of {SIDE} px, {VISIBLE} of {TOKENS} tokens visible"
NAMES = {
    "step": f"{STEP}; own call of each library",
    "visible": f"{STEP}; theirs with hidden tokens dropped by hand",
    "dense": f"{STEP}; both encode every token and mask afterwards",
    "ijepa": f"I-JEPA encoder, forward and backward, {IMAGES} images of {IMAGE_SIDE} px",
}


def report(results: Mapping[str, RunResult]) -> Report:
    rows = [
        {"work": NAMES[name], "same": "equal" if run.settings["same"] else "another function", **run.values}
        for name in NAMES
        if (run := results.get(name))
    ]
    cells = {
        "work": "{work}",
        "Tacit, CPU s": "{ours_cpu_seconds:.3f}",
        "transformers, CPU s": "{theirs_cpu_seconds:.3f}",
        "ratio [rounds]": "**{ratio:.2f}x** [{ratio_of_rounds[0]:.2f}, {ratio_of_rounds[1]:.2f}]",
        "loss and gradients": "{same}",
        "Tacit over its limit": "{ours_over_limit:.1f}x",
        "Tacit with torch's linear layers, CPU s": "{ours_with_layers_of_torch:.3f}",
    }
    profile, memory = results["profile"].values, results["memory"].values
    shares = [(name, *(f"{100 * value:.0f} %" for value in some.values())) for name, some in profile["shares"].items()]
    targets = [at_least(row["work"], row["ratio"], LEAST, "{:.2f}x", "{:g}x of transformers") for row in rows]
    quantity = "bytes kept for backward by the context encoder, 90 % hidden"
    targets.append(at_most(quantity, memory["visible_over_dense"], MOST, "{:.2f}x", "<= {:g}x of all tokens"))
    saved, peak = [memory["saved_for_backward"][kind] for kind in ("visible", "dense")], memory["peak_of_a_step"]
    sizes = [
        ("kept for backward by the context encoder", *(f"{size / 1e6:.0f} MB" for size in saved), ""),
        ("peak of a step beyond what was resident", *(f"{size / 1e6:.0f} MB" for size in peak.values())),
    ]
    limit = rows[0]["gigaflop_per_second"]
    calls = ", ".join(f"{count} calls of `{name}`" for name, count in profile["attention"].items())
    tables = [
        columns(cells, rows),
        f"Limit: {limit} GFLOP/s. Attention in a step, both libraries: {calls}. Time of one profiled step:",
        table(("work", *next(iter(profile["shares"].values()))), shares),
        table(("memory", "90 % hidden", "every token", "transformers"), sizes),
    ]
    return Report(tables, targets)


STUDY = Study(
    name="perception_speed",
    title="Next to transformers, on videos and images",
    summary=(
        "transformers 5.23.0, ViT-Tiny (192 wide, 12 blocks) with a predictor of 96 wide and 6 blocks, same weights"
        " and torch release, float32, one thread, medians of CPU seconds of 3 processes each."
    ),
    command="uv run benchmarks/perception_speed.py",
    cases={
        "step": Settings("step", "step", same=False),
        "visible": Settings("step", "visible"),
        "dense": Settings("dense", "step"),
        "ijepa": Settings("ijepa", "ijepa"),
        "profile": Settings("", ""),
        "memory": Settings("", ""),
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

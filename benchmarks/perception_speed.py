"""Training steps of V-JEPA 2 and I-JEPA next to those of transformers, on the same weights and inputs in float32.

A step is target encoder without gradients, context encoder, predictor, L1 loss and backward. transformers' own call
(`step`) encodes every token and masks afterwards, so that its latents have seen what they predict; `visible` drops the
hidden tokens between its layers, and `dense` encodes every token in both. Losses and norms of gradients of the same
function must agree to 1e-4, and attention must run on the same operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from perception_work import FRAMES, IMAGE_SIDE, IMAGES, SIDE, TOKENS, VIDEOS, VISIBLE
from tacit import studies
from tacit.studies import Report, Run, RunResult, Study, at_least, columns
from tacit.studies.environments import Script, install
from tacit.studies.speed import in_turn, median

WORK = Path(__file__).with_name("perception_work.py")
THEIRS = ["transformers==5.23.0", "torch==2.13.0"]
AGREE, LEAST = 1e-4, 1.3


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
    scripts = {"ours": Script(WORK), "theirs": Script(WORK, install(work / "theirs", THEIRS, pinned=False))}
    names = {"ours": chosen.ours, "theirs": chosen.theirs}
    if not (work / "ijepa").exists():
        scripts["theirs"].call("draw", work)
    results = {side: script.call("result", work, side, names[side]) for side, script in scripts.items()}
    for kind in ("loss", "gradient"):
        pair = [one[kind] for one in results.values()]
        if chosen.same and abs(pair[0] - pair[1]) > AGREE * abs(pair[1]):
            raise SystemExit(f"{chosen.ours}: one function, but the {kind} is {pair}.")
    attention = [one["attention"] for one in results.values()]
    if attention[0] != attention[1] or not attention[0]:
        raise SystemExit(
            f"attention of {chosen.ours} ran on {attention[0]} here and on {attention[1]} in transformers."
        )
    timed = {
        side: partial(script.cpu_seconds, "step_of", work, side, names[side], rounds=chosen.repeats)
        for side, script in scripts.items()
    }
    found = in_turn(timed, chosen.rounds)
    ours, theirs = (median(some) for some in found.values())
    rounds = [median([b]) / median([a]) for a, b in zip(*found.values(), strict=True)]
    limit = scripts["ours"].call("limit", work, chosen.ours)
    return {
        "ratio": round(theirs / ours, 2),
        "ratio_of_rounds": [round(min(rounds), 2), round(max(rounds), 2)],
        "ours_cpu_seconds": ours,
        "theirs_cpu_seconds": theirs,
        **{kind: {side: one[kind] for side, one in results.items()} for kind in ("loss", "gradient", "attention")},
        "ours_gigaflop": round(limit["operations"] / 1e9, 1),
        "gigaflop_per_second": round(limit["rate"] / 1e9),
        "ours_over_limit": round(ours * limit["rate"] / limit["operations"], 2),
        "ours_with_layers_of_torch": limit["plain"],
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
    targets = [at_least(row["work"], row["ratio"], LEAST, "{:.2f}x", "{:g}x of transformers") for row in rows]
    limit = f"Limit: {rows[0]['gigaflop_per_second']} GFLOP/s."
    return Report([columns(cells, rows), limit], targets)


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
    },
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

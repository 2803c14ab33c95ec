"""Write RESULTS.md, and its images in docs/, from the files in results/: `uv run benchmarks/report.py`.

Every figure there comes from a command named next to it.
"""

import argparse
from pathlib import Path

import action_data
import images
import mc_jepa
import recipes
import videos
from reporting import acting, collapse, first_contact, interoperation, minutes, safety, seeing, speed, targets
from reporting.text import load

PAGE = Path(__file__).parent / "RESULTS.md"
DOCS = PAGE.parents[1] / "docs"
HEAD = """# Results

Written by `uv run benchmarks/report.py` from the files in `benchmarks/results/`, which hold seeds, settings, versions
and the revision that was run. Rates are of held-out tasks with 95 % Wilson intervals. Machines: 2 cores of
AMD EPYCs of more than one generation, shared with other work, so seconds of two runs are not to be compared; ratios are
of one run.
"""
FIXED = "uv run benchmarks/two_rooms.py --recipe two_rooms"
RANDOM = (
    "uv run benchmarks/two_rooms.py --recipe random_rooms --env two_rooms:layout=random --episodes 3000 --task-seed 2"
)
SEEDS = 3
ACTING = [f"{method}/{some:g}" for method in action_data.METHODS for some in action_data.MINUTES]
STUDIES = {
    "images": ("pictures", [*images.METHODS, "supervised", "from_few"]),
    "videos": ("films", [*videos.METHODS]),
    "mc_jepa": ("motion and content", [*mc_jepa.MAIN]),
    "recipes": ("recipes", [*recipes.JOBS]),
    "action_data_two_rooms": ("minutes of actions in Two Rooms", ACTING),
    "action_data_reacher": ("minutes of actions on Reacher", ACTING),
}
"""The runs of each study, a seed apiece."""


def missing() -> str:
    """What was not measured yet."""
    lines = []
    for study, (title, names) in STUDIES.items():
        done = (load(study) or {"runs": {}})["runs"]
        left: dict[str, list[str]] = {}
        for name in names:
            seeds = ", ".join(str(seed) for seed in range(SEEDS) if f"{name}/{seed}" not in done)
            left.setdefault(seeds, []).append(f"`{name}`")
        left.pop("", None)
        parts = (
            f"{'everything' if len(some) == len(names) else ', '.join(some)} of seed {seeds}"
            for seeds, some in left.items()
        )
        lines += [f"- {title}: {'; '.join(parts)}"] if left else []
    variants = [name for name in mc_jepa.VARIANTS if f"{name}/0" not in (load("mc_jepa") or {"runs": {}})["runs"]]
    if variants:
        lines.append(f"- motion and content without each term: {', '.join(f'`{name}`' for name in variants)}")
    return "\n".join(["## Not measured yet\n", *lines, "- anything on a GPU", ""])


def main() -> None:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rooms = acting.rooms
    parts = [
        HEAD,
        targets.targets(),
        acting.demo(),
        rooms("two_rooms", "Two Rooms, fixed wall", FIXED, "median >= 95 %, worst >= 92 %, trained in <= 5 minutes"),
        rooms("random_rooms", "Two Rooms, random wall and door", RANDOM, ">= 90 % within 60 CPU-minutes"),
        acting.ablation(),
        acting.reacher(),
        acting.rechecked(),
        seeing.images(),
        seeing.videos(),
        seeing.motion(),
        seeing.recipes(),
        *(minutes.action_data(env) for env in minutes.WORLDS),
        collapse.collapse(),
        speed.peers(),
        speed.planning(),
        speed.floors(),
        speed.perception_speed(),
        first_contact.gymnasium_scores(),
        first_contact.collection_speed(),
        first_contact.busy(),
        interoperation.interop(),
        interoperation.memory(),
        safety.hostile(),
        missing(),
    ]
    PAGE.write_text("\n".join(part for part in parts if part))
    for name, drawn in {minutes.PICTURE: minutes.picture(), seeing.PICTURE: seeing.images_picture()}.items():
        if drawn is not None:
            (DOCS / name).write_bytes(drawn)


if __name__ == "__main__":
    main()

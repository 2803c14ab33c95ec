"""Write RESULTS.md from the files in results/: `uv run benchmarks/report.py`.

Every figure there comes from a command named beside it.
"""

import argparse
from pathlib import Path

from reporting import acting, interoperation, seeing, speed
from reporting.text import load

PAGE = Path(__file__).parent / "RESULTS.md"
HEAD = """# Results

Written by `uv run benchmarks/report.py` from the files in `benchmarks/results/`, which hold seeds, settings, versions
and the revision that was run. Rates are of held-out tasks with 95 % Wilson intervals. The machine: 2 cores of an
AMD EPYC, shared with other work while it measured, so read ratios before seconds.
"""
FIXED = "uv run benchmarks/two_rooms.py --recipe two_rooms"
RANDOM = (
    "uv run benchmarks/two_rooms.py --recipe random_rooms --env two_rooms:layout=random --episodes 3000 --task-seed 2"
)
STUDIES = {
    "images": "representations against pixels on pictures",
    "videos": "latents against pixels on films",
    "mc_jepa": "motion and content",
    "recipes": "every recipe on real data",
    "action_data_two_rooms": "minutes of actions in Two Rooms",
    "action_data_reacher": "minutes of actions on Reacher",
}


def missing() -> str:
    """What was not measured yet."""
    studies = [text for name, text in STUDIES.items() if load(name) is None]
    return f"## Not measured yet\n\n{'; '.join([*studies, 'anything on a GPU'])}.\n"


def main() -> None:
    """Write the page."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    rooms = acting.rooms
    parts = [
        HEAD,
        acting.demo(),
        rooms("two_rooms", "Two Rooms, fixed wall", FIXED, "median >= 95 %, worst >= 92 %, trained in <= 5 minutes"),
        rooms("random_rooms", "Two Rooms, random wall and door", RANDOM, ">= 90 % within 60 CPU-minutes"),
        acting.ablation(),
        acting.reacher(),
        seeing.images(),
        seeing.videos(),
        seeing.motion(),
        seeing.recipes(),
        acting.action_data("two_rooms", "Two Rooms"),
        acting.action_data("reacher", "Reacher"),
        speed.peers(),
        speed.planning(),
        speed.floors(),
        speed.perception_speed(),
        interoperation.interop(),
        missing(),
    ]
    PAGE.write_text("\n".join(part for part in parts if part))


if __name__ == "__main__":
    main()

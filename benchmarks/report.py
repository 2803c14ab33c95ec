"""Write RESULTS.md and the charts of docs/ from results/: `uv run benchmarks/report.py [--to FOLDER]`."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from tacit import studies
from tacit.studies import met, rate, table

HERE = Path(__file__).parent
NAMES = (
    "demo two_rooms reacher ablation images videos mc_jepa recipes action_data collapse peers perception_speed "
    "planning_speed versions paired_success critic fast_modes gymnasium_scores collection_speed busy large_videos "
    "hostile_files log_conversion audit guard margins goals precision gpu_pretraining parallel_prediction pendulum "
    "latency imagination store hierarchy sub_goals carriers exploration stress detail identify physics"
)
STUDIES: dict[str, studies.Study[Any]] = {name: import_module(name).STUDY for name in NAMES.split()}
CHARTS = {"images_operations.svg": "images", "action_minutes.svg": "action_data"}
HEAD = """# Results

Written by `uv run benchmarks/report.py` from `benchmarks/results/`, which holds seeds, settings, versions and
revisions. Rates are of held-out tasks with 95 % Wilson intervals; other intervals are bootstrap intervals. Machines:
2 cores of AMD EPYCs or Intel Xeons of more than one generation, shared with other work: compare seconds within one
run only.
"""


def results(study: studies.Study[Any], folder: str = "") -> dict[str, studies.RunResult]:
    return studies.Results(HERE / "results" / folder / f"{study.name}.json").read()


def repeated() -> str:
    """Compare a later run of one seed with the intervals of the first runs."""
    rows = []
    for name, case in (("two_rooms", "two_rooms"), ("reacher", "agent")):
        study = STUDIES[name]
        before, now = (studies.by_case(results(study, folder))[case] for folder in ("", "recheck"))
        known = [run.values["planning"]["success"] for run in before.values()]
        found = now["0"].values["planning"]["success"]
        low, high = min(one["low"] for one in known), max(one["high"] for one in known)
        command = f"`{study.command} --only {case} --seeds 0 --results benchmarks/results/recheck/{study.name}.json`"
        rows.append((command, f"{100 * low:.1f} to {100 * high:.1f} %", rate(found), met(low <= found["rate"] <= high)))
    header = ("command", "intervals of the seeds above", "now, one seed", "within")
    return f"## One seed again\n\nNew data and a new training with later code.\n\n{table(header, rows)}\n"


def missing() -> str:
    """List the runs that are not recorded."""
    rows = []
    for study in STUDIES.values():
        left = studies.missing(study, HERE / "results" / f"{study.name}.json")
        if left:
            rows.append((study.title, ", ".join(f"`{name}`" for name, *_ in left)))
    return f"## Not measured yet\n\n{table(('study', 'runs'), rows)}\n"


def page() -> str:
    """Return the text of RESULTS.md: targets, a section for each study, and the missing runs."""
    found = {study.name: results(study) for study in STUDIES.values()}
    reports = [(study, study.report(found[study.name])) for study in STUDIES.values() if found[study.name]]
    targets = [target for _, report in reports for target in report.targets]
    sections = [studies.section(study, report) for study, report in reports]
    head = f"## Targets\n\nFixed before they were measured, or claimed by others.\n\n{studies.targets(targets)}\n"
    return "\n".join(part for part in (HEAD, head, *sections, repeated(), missing()) if part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=HERE, help="the folder of RESULTS.md")
    parser.add_argument("--charts", type=Path, default=HERE.parent / "docs", help="the folder of the charts")
    options = parser.parse_args()
    (options.to / "RESULTS.md").write_text(page())
    for file, name in CHARTS.items():
        (options.charts / file).write_bytes(import_module(name).chart(results(STUDIES[name])))


if __name__ == "__main__":
    main()

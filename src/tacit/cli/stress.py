"""Test an agent under changes of images, world, sensors and actuators."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

if TYPE_CHECKING:
    from tacit.stress import StressTest

__all__ = ["stress"]


def stress(
    run: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    /,
    *,
    env: str,
    episodes: int = 200,
    seed: int = 1,
    severities: tuple[int, ...] = (3,),
    on: tuple[Literal["observation", "goal", "both"], ...] = ("observation",),
    changes: tuple[str, ...] = (),
    workers: int = 1,
    device: str = "auto",
    to: Path | None = None,
) -> None:
    """Report the success of an agent under each change, paired with its success without; run it again to continue.

    For example: tacit stress runs/two_rooms --env two_rooms --severities 1 3 5 --changes color noise

    Changes are named alone or by their family: detail, color, cover, texture, view, environment, sensors, actuators.

    Args:
        run: The directory of a run, or of an agent.
        env: An environment with goals, for example two_rooms.
        episodes: The number of tasks.
        seed: Seed of the tasks and of the changes.
        severities: 1 to 5.
        on: What a change of images is applied to.
        changes: Names of changes or families; all by default.
        workers: Processes to test in.
        device: cpu, cuda, cuda:1, mps or auto.
        to: The folder of the cases, report.json and index.html; RUN/stress by default.
    """
    from tacit.cli._run import agent_of, other_world
    from tacit.cli._run import device as chosen
    from tacit.stress import stress_test

    if warning := other_world(run, env):
        print(warning, file=sys.stderr)
    place = to or run / "stress"
    found = stress_test(
        agent_of(run, chosen(device)),
        env,
        episodes=episodes,
        seed=seed,
        severities=severities,
        on=on,
        changes=changes,
        to=place,
        workers=workers,
    )
    print(found)
    print(_written(found, run, env, place))


def _written(found: StressTest, run: Path, env: str, place: Path) -> Path:
    """Write the report, and return the path of its page."""
    import tacit as tc
    from tacit.runs import RunRecord
    from tacit.stress._report import stress_sections

    record = RunRecord.load(run) if (run / "run.json").exists() else None
    written = tc.reports.new_record(
        "stress",
        seeds={**({} if record is None else {"train": record.seed}), "tasks": found.config["seed"]},
        config={"run": record, **found.config},
        dataset_hash=None if record is None else record.dataset_hash,
        stress={"clean": found.clean, "random": found.random, "refused": found.refused, "results": found.results},
    )
    return tc.reports.write_report(place, written, stress_sections(found, env), title=f"Stress test of {run.name}")

"""Compare latents with true states by linear maps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from tacit.data import Episodes
    from tacit.runs import Run

__all__ = ["identify"]

HALVES = 0.5
"""Share of the episodes of a simulator that the linear maps are fitted on."""


def identify(
    run: Annotated[Path | None, tyro.conf.Positional, tyro.conf.arg(metavar="[RUN]")] = None,
    /,
    *,
    env: str = "",
    synthetic: str = "",
    episodes: int = 60,
    target: tuple[str, ...] = (),
    seed: int = 1,
    device: str = "auto",
    to: Path | None = None,
) -> None:
    """Report how linearly the latents of a model determine the state, with advice on data coverage.

    For example: tacit identify runs/two_rooms --env two_rooms --target position
    Or, with an encoder that is trained in a synthetic world: tacit identify --synthetic spiral:alpha=1

    A run is compared with the states of random episodes in a simulator, or without --env with the labels of its own
    data, whose law is the one that it was trained on.

    Args:
        run: The directory of a run.
        env: A simulator, for example two_rooms.
        synthetic: A world with known states: spiral, banana, sinusoid or coupling, with options after a colon.
        episodes: Episodes of 100 steps to record in the simulator.
        target: Labels or observed vectors that make up the state; by default all of floating-point numbers.
        seed: Seed of the recorded episodes, or of the training in a synthetic world.
        device: cpu, cuda, cuda:1, mps or auto; a synthetic world computes on the CPU.
        to: The folder of report.json and index.html; RUN/identification by default.
    """
    from tacit.errors import ConfigError

    if (run is None) == (not synthetic):
        raise ConfigError(
            "tacit identify needs either a run or a synthetic world: tacit identify RUN --env ENV, or "
            "tacit identify --synthetic spiral."
        )
    if run is None:
        if env or target:
            raise ConfigError("--env and --target are for a run; a synthetic world has its own states.")
        _identify_world(synthetic, seed, to or Path("identification"))
    else:
        _identify_run(run, env, episodes, target, seed, device, to or run / "identification")


def _identify_world(word: str, seed: int, to: Path) -> None:
    """Train an encoder in a synthetic world and report its scores."""
    import tacit as tc

    found = tc.identification.identify_world(tc.identification.make_world(word), seed=seed)
    print(found)
    written = tc.reports.new_record(
        "identification",
        seeds={"train": seed, "world": found.world.seed},
        config={"world": found.world, "training": found.training},
        identification=tc.reports.plain({**vars(found.scores), "holds": found.scores.bound.holds}),
    )
    title = f"Identifiability of the world {word}"
    print(tc.reports.write_report(to, written, tc.reports.world_sections(found), title=title))


def _identify_run(
    path: Path, env: str, episodes: int, target: tuple[str, ...], seed: int, device: str, to: Path
) -> None:
    """Compare the latents of a run with recorded states and report the scores."""
    import tacit as tc
    from tacit.cli._run import device as chosen

    run = tc.runs.open(path)
    fit_on, test_on = _episodes(run, env, episodes, seed)
    found = tc.identification.identify(
        run.model(chosen(device)), fit_on=fit_on, test_on=test_on, targets=target, seed=seed
    )
    print(found)
    written = tc.reports.new_record(
        "identification",
        seeds={"train": run.record.seed, "episodes": seed},
        config={"run": run.record, "env": env, "episodes": episodes, "targets": target},
        dataset_hash=run.record.dataset_hash,
        identification=tc.reports.plain(found),
    )
    sections = tc.reports.identification_sections(found)
    print(tc.reports.write_report(to, written, sections, title=f"Identifiability of {path.resolve().name}"))


def _episodes(run: Run, env: str, episodes: int, seed: int) -> tuple[Episodes, Episodes]:
    """Return the episodes to fit on and the held-out ones: recorded in a simulator, or the run's own."""
    import sys

    import tacit as tc
    from tacit.cli._run import other_world

    if not env:
        return run.record.split(None, print)
    if warning := other_world(run.path, env):
        print(warning, file=sys.stderr)
    return tc.collect(env, episodes=episodes, seed=seed).split(HALVES, seed=0)

"""Run the whole pipeline in a few minutes: collect, train, probe, plan, report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tacit.evaluation import ClosedLoop
    from tacit.reports import Fact

__all__ = ["demo"]

EPISODES, TASKS, TASK_SEED, RECORDED = 400, 200, 1, 6
SHOWN_SEED = 7_000
TITLE = "Two Rooms, learned from recordings"
LEAD = (
    "A world model was trained on recordings of a disc that wanders at random, with no reward, no labels and no "
    "decoder. It plans its way to places that are given as images."
)
WORLD = (0.0, 64.0, 64.0, 0.0)


def demo(*, out: Path = Path("tacit-demo"), pretrained: bool = False, seed: int | None = None) -> None:
    """Train an agent for Two Rooms from random actions, and evaluate it on 200 unseen goals.

    For example: tacit demo --pretrained --out tour

    Args:
        out: The folder of the data, the run, report.json and index.html.
        pretrained: Use the model that comes with Tacit in place of training one.
        seed: Seed of the data and the training, 0 by default; the tasks are the same for every seed.
    """
    import tacit as tc
    from tacit.cli._run import show_success
    from tacit.errors import ConfigError

    if out.exists() and not out.is_dir():
        raise ConfigError(f"--out is a folder to write into; {out} is a file. Name another place.")
    if pretrained and seed is not None:
        raise ConfigError("--seed is of a training, and --pretrained has none: leave out one of the two.")
    seed = seed or 0
    seconds: dict[str, float] = {}
    recipe = tc.recipes.load("two_rooms")()
    with stage("collect", "recording random wandering", seconds):
        # The model that comes with Tacit was trained on other recordings.
        count, of = (EPISODES // 5, SHOWN_SEED) if pretrained else (EPISODES, seed)
        place = out / ("shown" if pretrained else "data")
        episodes = tc.collect("two_rooms", episodes=count, to=place, seed=of)
        fit_on, held_out = episodes.split(0.9, seed=0)
    if pretrained:
        agent, sections = tc.recipes.pretrained("two_rooms"), []
        agent.save(out / "agent")
    else:
        with stage("train", "a world model, from pixels and actions alone", seconds):
            agent = recipe.learn(fit_on, seed=seed, to=out / "run")
            agent.save(out / "agent")
        sections = [tc.reports.training_section(tc.training.read_log(out / "run"))]
    with stage("probe", "quantities in its latents", seconds):
        model = tc.checkpoint.load_model(out / "agent")
        report = tc.probing.probe(model, fit_on=fit_on, test_on=held_out, target="position")
        print(report)
        ahead = tc.evaluation.open_loop(model, held_out)
        imagined = tc.evaluation.imagine(model, fit_on, held_out)
    with stage("plan", f"towards {TASKS} held-out goals in the other room, given as images", seconds):
        runs = tc.evaluation.compare_with_baselines(
            agent,
            tc.envs.TwoRooms(),
            episodes=TASKS,
            seed=TASK_SEED,
            record_frames=RECORDED,
            on_result=show_success,
        )
        ranking = tc.evaluation.energy_rank_correlation(
            model, agent.config.cost, tc.envs.TwoRooms(), horizon=agent.config.horizon, seed=TASK_SEED
        )
    with stage("report", "figures and tables", seconds):
        sections = [
            tc.reports.planning_section(runs, extent=WORLD),
            tc.reports.probe_section([report], unit="world units"),
            tc.reports.imagination_section(imagined),
            tc.reports.open_loop_section(ahead, ranking),
            *sections,
        ]
    record = tc.reports.new_record(
        "demo",
        seeds={"data": of, **({} if pretrained else {"train": seed}), "tasks": TASK_SEED, "split": 0},
        config={"recipe": recipe, "episodes": len(episodes), "pretrained": pretrained},
        dataset_hash=episodes.hash(),
        planning=tc.reports.planning_record(runs),
        probe={"position": tc.reports.probe_record(report)},
        effective_rank=report.health.effective_rank,
        open_loop=tc.reports.open_loop_record(ahead),
        energy_rank_correlation=ranking,
        seconds={**seconds, "total": sum(seconds.values())},
    )
    page = tc.reports.write_report(out, record, sections, title=TITLE, lead=LEAD, facts=facts(runs, report.r2, seconds))
    print(f"\n{sum(seconds.values()):.0f} s in all. Open {page}")


@contextmanager
def stage(name: str, doing: str, seconds: dict[str, float]) -> Iterator[None]:
    """Print the current stage, and record its duration."""
    print(f"{name}: {doing}", flush=True)
    began = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - began
    print(f"{name}: {seconds[name]:.0f} s", flush=True)


def facts(runs: dict[str, ClosedLoop], r2: float, seconds: dict[str, float]) -> list[Fact]:
    """Return the headline numbers."""
    from tacit.reports import Fact

    reached, random = runs["success"].success, runs["random"].success
    return [
        Fact(
            f"{100 * reached.rate:.1f} %", "goals reached", f"of {reached.n}; random actions {100 * random.rate:.1f} %"
        ),
        Fact(f"{r2:.4f}", "R² of position", "read linearly from frozen latents"),
        Fact(f"{sum(seconds.values()):.0f} s", "for all of it", "on this machine"),
    ]

"""Run the whole pipeline in a few minutes: collect, train, probe, plan, report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tacit.agent import Agent
    from tacit.data import Episodes
    from tacit.evaluation import ClosedLoop
    from tacit.reports import Fact, Section

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
        raise ConfigError("--seed is for training, and --pretrained trains nothing: leave out one of the two.")
    seed, seconds = seed or 0, dict[str, float]()
    with stage("collect", "recording random actions", seconds):
        # The model that comes with Tacit was trained on other recordings.
        count, of = (EPISODES // 5, SHOWN_SEED) if pretrained else (EPISODES, seed)
        episodes = tc.collect("two_rooms", episodes=count, to=out / ("shown" if pretrained else "data"), seed=of)
        fit_on, held_out = episodes.split(0.9, seed=0)
    agent, sections = _agent(fit_on, None if pretrained else seed, out, seconds)
    with stage("probe", "quantities in its latents", seconds):
        model = tc.checkpoint.load_model(out / "agent")
        report = tc.probing.probe(model, fit_on=fit_on, test_on=held_out, target="position")
        print(report)
        ahead = tc.evaluation.open_loop(model, held_out)
        imagined = tc.evaluation.imagine(model, fit_on, held_out)
    with stage("plan", f"towards {TASKS} held-out goals in the other room, given as images", seconds):
        env, config = tc.envs.TwoRooms(), agent.config
        runs = tc.evaluation.compare_with_baselines(
            agent, env, episodes=TASKS, seed=TASK_SEED, record_frames=RECORDED, on_result=show_success
        )
        ranking = tc.evaluation.energy_rank_correlation(model, config.cost, env, horizon=config.horizon, seed=TASK_SEED)
    with stage("report", "figures and tables", seconds):
        results = [
            tc.reports.planning_section(runs, extent=WORLD),
            tc.reports.probe_section([report], unit="world units"),
            tc.reports.imagination_section(imagined),
            tc.reports.open_loop_section(ahead, ranking),
        ]
    record = tc.reports.new_record(
        "demo",
        seeds={"data": of, **({} if pretrained else {"train": seed}), "tasks": TASK_SEED, "split": 0},
        config={"recipe": tc.recipes.load("two_rooms")(), "episodes": len(episodes), "pretrained": pretrained},
        dataset_hash=episodes.hash(),
        planning=tc.reports.planning_record(runs),
        probe={"position": tc.reports.probe_record(report)},
        effective_rank=report.health.effective_rank,
        open_loop=tc.reports.open_loop_record(ahead),
        energy_rank_correlation=ranking,
        seconds={**seconds, "total": sum(seconds.values())},
    )
    headline = facts(runs, report.r2, seconds)
    page = tc.reports.write_report(out, record, [*results, *sections], title=TITLE, lead=LEAD, facts=headline)
    print(f"\n{sum(seconds.values()):.0f} s in all. Open {page}")


def _agent(fit_on: Episodes, seed: int | None, out: Path, seconds: dict[str, float]) -> tuple[Agent, list[Section]]:
    """Return the agent, trained with a seed or the one that comes with Tacit, and the section on its training."""
    import tacit as tc

    if seed is None:
        agent: Agent = tc.recipes.pretrained("two_rooms")
        agent.save(out / "agent")
        return agent, []
    with stage("train", "a world model, from pixels and actions alone", seconds):
        agent = tc.recipes.load("two_rooms")().learn(fit_on, seed=seed, to=out / "run")
        agent.save(out / "agent")
    return agent, [tc.reports.training_section(tc.training.read_log(out / "run"))]


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
        Fact(f"{r2:.4f}", "R² of position", "linear probe of frozen latents"),
        Fact(f"{sum(seconds.values()):.0f} s", "in all", "on this machine"),
    ]

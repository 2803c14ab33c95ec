"""Reacher from pixels over several training seeds, on held-out tasks.

    MUJOCO_GL=egl uv run benchmarks/reacher.py

Each seed records its own random wandering, trains from nothing and pursues the same 200 tasks, beside random
actions and its own policy without search. The ceiling, the same planner with MuJoCo and the true distance, hangs
on no training and is measured once, on the first of these tasks. Writes benchmarks/results/reacher.json after
every seed and goes on where it stopped.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tacit as tc
from measuring import Laps
from record import Record
from tacit._config import to_json
from tacit.costs import Summable

RESULT = Path(__file__).parent / "results" / "reacher.json"
TASK_SEED = 1
STEPS = 100


@dataclass(frozen=True, eq=False)
class ReadPose(Summable):
    """The distance between poses that a linear probe reads of latents: the agent's cost in another space.

    Args:
        weight: ``[D, 4]``.
        bias: ``[4]``.
        target: ``[B, 4]`` the true pose of each goal; without it what the probe reads of the goal's latent.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    target: torch.Tensor | None = None

    def __call__(self, rollout: tc.types.Rollout, /) -> Any:
        """Energies ``[B, S]``."""
        start, latents, goal = (
            None if part is None else part @ self.weight + self.bias
            for part in (rollout.start, rollout.latents, rollout.goal)
        )
        read = tc.types.Rollout(start, latents, rollout.blocks, goal)
        return tc.costs.Goal(target=self.target, reduce="sum")(read)


def limits(agent: tc.Agent, env: tc.envs.Reacher, fit_on: tc.data.Episodes, tasks: int) -> dict[str, Any]:
    """The same predictor and planner with another cost: how much of what is missed is the latents' way to measure."""
    model: Any = agent.model
    seen = tc.probing.features(model, fit_on, frames=8192, seed=0)
    values = torch.as_tensor(seen.values)
    table = torch.cat([values, torch.ones(len(values), 1)], dim=1)
    solution = torch.linalg.lstsq(table.double(), torch.from_numpy(seen.target("pose")).double()).solution.float()
    env.begin(tc.evaluation.held_out_tasks(env, tasks, TASK_SEED)[0].goal)
    true = torch.from_numpy(np.asarray(env.labels()["pose"], np.float32))
    found = {}
    for name, target in (("pose_read_of_the_goal", None), ("true_pose_of_the_goal", true)):
        cost = ReadPose(solution[:-1], solution[-1], target)
        other = tc.Agent(
            agent.model,
            agent.config.planner,
            cost,
            horizon=agent.config.horizon,
            replan_every=agent.config.replan_every,
            repeat_action=agent.config.repeat_action,
            proposal=agent.proposal,
        )
        found[name] = tc.evaluation.closed_loop(other, env, tasks, TASK_SEED).success
    return found


def run(recipe: tc.recipes.AgentRecipe, options: argparse.Namespace, seed: int) -> tuple[dict[str, Any], tc.Agent]:
    """Record, train and measure with one seed."""
    laps = Laps()
    wandering = tc.collection.Random(hold=options.hold)
    recorded = tc.collect("reacher", wandering, episodes=options.episodes, steps=STEPS, seed=seed)
    fit_on, held_out = recorded.split(0.9, seed=0)
    laps.end("collect")
    resumed = (options.work / f"seed{seed}").exists()  # then the seconds are those of the last process alone
    agent = recipe.learn(fit_on, seed=seed, to=options.work / f"seed{seed}")
    laps.end("train")
    agent.save(options.work / f"agent{seed}")
    model = tc.checkpoint.load_model(options.work / f"agent{seed}")
    probe = tc.probing.probe(model, fit_on=fit_on, test_on=held_out, target="pose")
    ahead = tc.evaluation.open_loop(model, held_out, horizon=agent.config.horizon)
    laps.end("probe")
    env = tc.envs.Reacher()
    planned = tc.evaluation.closed_loop(agent, env, options.tasks, TASK_SEED)
    laps.end("plan")
    assert agent.proposal is not None
    floors: dict[str, tc.types.Actor] = {
        "amortised": tc.agent.PolicyActor(model, agent.proposal),
        "random": tc.agent.RandomActor(env.spec.action, repeat=agent.frameskip),
    }
    runs = {"success": planned} | {
        name: tc.evaluation.closed_loop(actor, env, options.tasks, TASK_SEED) for name, actor in floors.items()
    }
    laps.end("floors")
    apart = limits(agent, env, fit_on, options.tasks)
    laps.end("limits")
    env.close()
    record = {
        "data_hash": recorded.hash(),
        "trained_on": {"episodes": len(fit_on), "pictures": sum(len(episode) for episode in fit_on)},
        "planning": {name: found.success for name, found in runs.items()},
        "resumed": resumed,
        "other_costs": apart,
        "solved": "".join(str(int(one)) for one in planned.solved),
        "success_last": planned.success_last,
        "nearest_radians": dict(zip(("p50", "p90", "p99"), _nearest(planned), strict=True)),
        "decision_ms_for_all_tasks": planned.decision_p50,
        "probe_r2_pose": {"linear": probe.r2, "mlp": probe.mlp_r2},
        "effective_rank": probe.health.effective_rank,
        "open_loop": {"error": ahead.error, "copy_last": ahead.copy_last, "shuffled_actions": ahead.shuffled_actions},
        "seconds": laps.seconds,
    }
    return tc.reports.plain(record), agent


def ceiling(agent: tc.Agent, tasks: int) -> dict[str, Any]:
    """The agent's planner with the true dynamics and the true distance."""
    env = tc.envs.Reacher()
    found = tc.evaluation.closed_loop(tc.evaluation.TrueDynamicsActor.like(agent, env), env, tasks, TASK_SEED)
    env.close()
    rate: dict[str, Any] = tc.reports.plain(found.success)
    return rate


def _nearest(run: tc.evaluation.ClosedLoop) -> list[float]:
    """How near the arms came to their goals in all: percentiles over the tasks."""
    nearest: list[float] = np.percentile(run.distances[:, 1:].min(axis=1), [50, 90, 99]).round(4).tolist()
    return nearest


def main() -> None:
    """Run the seeds that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=400, help="recorded; a tenth is kept for the probes")
    parser.add_argument("--hold", type=float, default=4.0, help="mean steps that the recording policy holds an action")
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--ceiling-tasks", type=int, default=50, help="0: no ceiling")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/reacher_benchmark"))
    parser.add_argument("--results", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = tc.recipes.load("reacher")()
    settings = {
        "recipe": to_json(recipe),
        "data": {"policy": f"random, hold {options.hold:g}", "episodes": options.episodes, "steps": STEPS},
        "tasks": {"count": options.tasks, "seed": TASK_SEED},
    }
    record = Record(options.results, settings)
    for seed in options.seeds:
        if str(seed) in record.section("runs"):
            continue
        found, agent = run(recipe, options, seed)
        solved = [one["solved"] for one in (*record.section("runs").values(), found)]
        over = tc.statistics.crossed_bootstrap([[float(mark) for mark in one] for one in solved])
        record.add("runs", str(seed), found, over_seeds_and_tasks=tc.reports.plain(over))
        if options.ceiling_tasks and "success" not in record.section("ceiling"):
            record.add("ceiling", "success", ceiling(agent, options.ceiling_tasks))
        print(json.dumps(found, indent=2), flush=True)


if __name__ == "__main__":
    main()

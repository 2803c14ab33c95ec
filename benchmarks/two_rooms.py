"""Two Rooms over several training seeds, on held-out tasks: `uv run benchmarks/two_rooms.py`.

    uv run benchmarks/two_rooms.py --recipe two_rooms                  # fixed wall
    uv run benchmarks/two_rooms.py --recipe random_rooms --env two_rooms:layout=random --episodes 3000 --task-seed 2

Each seed collects its own data, trains from nothing and pursues the same 200 tasks, beside random actions, its
own policy without search, and the same planner with the true dynamics. Writes
benchmarks/results/RECIPE.json after every seed and goes on where it stopped.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

import tacit as tc
from measuring import Laps
from record import Record
from tacit._config import to_json

RESULTS = Path(__file__).parent / "results"


def run(recipe: tc.recipes.AgentRecipe, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Collect, train and measure with one seed."""
    laps = Laps()
    env, work = options.env, options.work
    recorded = tc.collect(env, episodes=options.episodes, steps=100, seed=seed)
    fit_on, held_out = recorded.split(0.9, seed=0)
    laps.end("collect")
    agent = recipe.learn(fit_on, seed=seed, to=work / f"seed{seed}")
    laps.end("train")
    agent.save(work / f"agent{seed}")
    model = tc.checkpoint.load_model(work / f"agent{seed}")
    labels = [name for name in recorded.labels if name == "position" or "random" in env]
    probes = [tc.probing.probe(model, fit_on=fit_on, test_on=held_out, target=name) for name in labels]
    laps.end("probe")
    runs = tc.evaluation.compare_with_baselines(
        agent, tc.envs.make_goal(env), episodes=options.tasks, seed=options.task_seed
    )
    laps.end("plan")
    return {
        "data_hash": recorded.hash(),
        "planning": tc.reports.plain({name: found.success for name, found in runs.items()}),
        "success_any": tc.reports.plain(runs["success"].success_any),
        "probe_r2": {report.target: {"linear": report.r2, "mlp": report.mlp_r2} for report in probes},
        "effective_rank": probes[0].health.effective_rank,
        "seconds": laps.seconds,
    }


def main() -> None:
    """Run the seeds that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="two_rooms", choices=tc.recipes.names())
    parser.add_argument("--env", default="two_rooms")
    parser.add_argument("--episodes", type=int, default=400)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--task-seed", type=int, default=1, help="never one that anything was tuned on")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/two_rooms_benchmark"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="a folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe = tc.recipes.load(options.recipe)()
    settings = {
        "recipe": to_json(recipe),
        "env": options.env,
        "episodes": options.episodes,
        "tasks": {"count": options.tasks, "seed": options.task_seed},
    }
    record = Record(options.results / f"{options.recipe}.json", settings)
    for seed in options.seeds:
        if str(seed) not in record.section("runs"):
            found = run(recipe, options, seed)
            record.add("runs", str(seed), found)
            print(json.dumps(found, indent=2), flush=True)


if __name__ == "__main__":
    main()

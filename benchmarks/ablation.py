"""What each term of eb_jepa's loss is worth on the random wall: `OMP_NUM_THREADS=1 uv run benchmarks/ablation.py`.

eb_jepa (arXiv 2602.03604) trains on Two Rooms with a new wall and door in every episode and publishes, in 60 episodes,
97 % of goals reached with its whole loss and 47, 46, 61 and 1 % without variance, covariance, time similarity and
inverse dynamics. Here: its loss with its weights (prediction of 8 steps from the first observation, 16 variance,
8 covariance, 12 time similarity, 1 inverse dynamics), a GRU predictor and a LayerNorm on encoder and predictor, AdamW
with its decay. As in its data, disc and wall have a channel each. Smaller than there: latents of 128 numbers from a
small convolutional encoder, 1350 recorded episodes, batches of 64, minutes on one core; and a step of the model is four
steps of the world. Every run is judged on the same 200 held-out tasks with the same planner.

Writes benchmarks/results/ablation.json after every run and goes on where it stopped.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

import tacit as tc
from record import Record
from tacit._config import to_json
from tacit.recipes import Acting, AgentRecipe, Part
from tacit.training import TrainingConfig

RESULTS = Path(__file__).parent / "results" / "ablation.json"
COLOURS = {
    "agent_color": (255.0, 0.0, 0.0),
    "wall_color": (0.0, 255.0, 0.0),
    "background_color": (0.0, 0.0, 0.0),
}
WEIGHTS = {"variance": 16.0, "covariance": 8.0, "time_similarity": 12.0, "inverse_dynamics": 1.0}
EPISODES, TASKS, TASK_SEED = 1500, 200, 3


def recipe(without: str, reduce: str = "last") -> AgentRecipe:
    """eb_jepa's loss without one of its terms."""
    weights = {**WEIGHTS, without: 0.0} if without else WEIGHTS
    moments = {name: weights[name] for name in ("variance", "covariance")}
    others = [Part(name, weight=weights[name]) for name in ("time_similarity", "inverse_dynamics") if weights[name]]
    return AgentRecipe(
        model={
            "latent": 128,
            "frameskip": 4,
            "encoders": {"pixels": {"width": 32, "features": 512}},
            "predictor": {"name": "gru", "final_norm": True},
            "latent_norm": True,
        },
        objective=(
            Part("prediction", {"steps": 8, "starts": "first"}),
            Part("vicreg", {**moments, "over": "pooled"}),
            *others,
        ),
        clip=9,
        steps=1_500,
        training=TrainingConfig(lr=2e-3, weight_decay=1e-5, warmup=0.1, threads=1),
        policy_steps=0,
        acting=Acting(
            planner=Part("icem", {"samples": 96, "iterations": 4, "elites": 8, "std": 0.8, "beta": 2.0}),
            cost=(Part("goal", {"reduce": reduce}),),
            horizon=16,
            arrive_by=100 if reduce == "last" else None,
            repeat_action=True,
        ),
    )


def rooms(num_envs: int) -> tc.envs.TwoRooms:
    """Random rooms whose disc and walls are red and green alone."""
    return tc.envs.TwoRooms(num_envs=num_envs, layout="random", factors=COLOURS)


def run(without: str, seed: int, work: Path) -> dict[str, Any]:
    """Collect, train and measure once."""
    method = recipe(without)
    recorded = tc.collect(rooms(64), episodes=EPISODES, steps=100, seed=seed)
    fit_on, held_out = recorded.split(0.9, seed=0)
    begin = time.process_time()
    agent = method.learn(fit_on, seed=seed, to=work / f"{without or 'whole'}{seed}")
    seconds = time.process_time() - begin
    model: Any = agent.model
    probes = {
        name: tc.probing.probe(model, fit_on=fit_on, test_on=held_out, target=name)
        for name in ("position", "wall_x", "door_y")
    }
    agents = {"last": agent, "sum": recipe(without, "sum").build_agent(model)}
    planning = {
        name: tc.evaluation.closed_loop(one, rooms(1), episodes=TASKS, seed=TASK_SEED).success
        for name, one in agents.items()
    }
    return {
        "planning": tc.reports.plain(planning),
        "probe_r2": {name: {"linear": report.r2, "mlp": report.mlp_r2} for name, report in probes.items()},
        "effective_rank": probes["position"].health.effective_rank,
        "train_cpu_seconds": round(seconds, 1),
    }


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1])
    parser.add_argument("--work", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = {
        "recipe": to_json(recipe("")),
        "episodes": EPISODES,
        "tasks": {"count": TASKS, "seed": TASK_SEED},
    }
    record = Record(options.results, settings)
    for seed in options.seeds:
        for without in ("", *WEIGHTS):
            name = f"{without or 'whole'}/{seed}"
            if name not in record.section("runs"):
                found = run(without, seed, options.work)
                record.add("runs", name, found)
                print(name, json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

"""Each term of eb_jepa's loss (arXiv 2602.03604), on Two Rooms with a random wall and door."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import tacit as tc
from tacit import studies
from tacit.recipes import AgentRecipe, Part
from tacit.studies import Report, Run, RunResult, Study, Target, met, rate, table
from tacit.training import TrainingConfig

COLOURS = {"agent_color": (255.0, 0.0, 0.0), "wall_color": (0.0, 255.0, 0.0), "background_color": (0.0, 0.0, 0.0)}
WEIGHTS = {"variance": 16.0, "covariance": 8.0, "time_similarity": 12.0, "inverse_dynamics": 1.0}
PUBLISHED = {"whole": 97, "variance": 47, "covariance": 46, "time_similarity": 61, "inverse_dynamics": 1}


@dataclass(frozen=True)
class Settings:
    """Term that is left out, recorded episodes, updates and held-out tasks."""

    without: str
    episodes: int = 1500
    steps: int = 1500
    tasks: int = 200
    task_seed: int = 3


def recipe(chosen: Settings, reduce: str = "last") -> AgentRecipe:
    """Return the recipe with the loss without one of its terms."""
    weights = {name: 0.0 if name == chosen.without else weight for name, weight in WEIGHTS.items()}
    moments = {name: weights[name] for name in ("variance", "covariance")}
    others = [Part(name, weight=weights[name]) for name in ("time_similarity", "inverse_dynamics") if weights[name]]
    encoder, predictor = {"width": 32, "features": 512}, {"name": "gru", "final_norm": True}
    cost, end = (Part("goal", {"reduce": reduce}),), 100 if reduce == "last" else None
    return AgentRecipe(
        model={
            "latent": 128,
            "frameskip": 4,
            "encoders": {"pixels": encoder},
            "predictor": predictor,
            "latent_norm": True,
        },
        objective=(
            Part("prediction", {"steps": 8, "starts": "first"}),
            Part("vicreg", {**moments, "over": "pooled"}),
            *others,
        ),
        clip=9,
        steps=chosen.steps,
        training=TrainingConfig(lr=2e-3, weight_decay=1e-5, warmup=0.1, threads=1),
        policy_steps=0,
        acting=replace(tc.recipes.RandomRooms().acting, cost=cost, arrive_by=end),
    )


def rooms(num_envs: int) -> tc.envs.TwoRooms:
    """Return random rooms with a colour channel each for the disc and the walls, as in eb_jepa's data."""
    return tc.envs.TwoRooms(num_envs=num_envs, layout="random", factors=COLOURS)


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    recorded = tc.collect(rooms(64), episodes=chosen.episodes, steps=100, seed=run.seed)
    fit_on, held_out = recorded.split(0.9, seed=0)
    begin = time.process_time()
    agent = recipe(chosen).learn(fit_on, seed=run.seed, to=run.work / "run")
    seconds = time.process_time() - begin
    model: Any = agent.model
    probes = {
        name: tc.probing.probe(model, fit_on=fit_on, test_on=held_out, target=name)
        for name in ("position", "wall_x", "door_y")
    }
    agents = {"last": agent, "sum": recipe(chosen, "sum").build_agent(model)}
    planning = {
        name: tc.evaluation.closed_loop(one, rooms(1), episodes=chosen.tasks, seed=chosen.task_seed).success
        for name, one in agents.items()
    }
    return {
        "planning": planning,
        "probe_r2": {name: {"linear": report.r2, "mlp": report.mlp_r2} for name, report in probes.items()},
        "train_cpu_seconds": round(seconds, 1),
    }


def report(results: Mapping[str, RunResult]) -> Report:
    rows, solved, by_case = [], {}, studies.by_case(results)
    for case in (one for one in PUBLISHED if one in by_case):
        runs = [result.values for result in by_case[case].values()]
        solved[case] = sum(run["planning"]["last"]["rate"] for run in runs) / len(runs)
        name = f"without {case}" if case != "whole" else case
        scores = [", ".join(rate(run["planning"][cost]) for run in runs) for cost in ("last", "sum")]
        scores.append(", ".join(f"{run['probe_r2']['position']['linear']:.3f}" for run in runs))
        seconds = f"{sum(run['train_cpu_seconds'] for run in runs) / len(runs):.0f}"
        rows.append((name, f"**{100 * solved[case]:.1f} %**", *scores, seconds, f"{PUBLISHED[case]} %"))
    lower = [case for case in solved if solved[case] < solved["whole"] - 0.05]
    quantity, wanted = "each term of eb_jepa's loss", "without it fewer tasks are solved, as published"
    target = Target(quantity, wanted, f"of {', '.join(lower) or 'none'} alone", met(len(lower) == len(PUBLISHED) - 1))
    costs = ("last-step cost, each seed", "summed cost")
    header = ("loss", "mean of seeds", *costs, "position probe R²", "training, CPU s", "eb_jepa publishes")
    return Report([table(header, rows)], [target])


STUDY = Study(
    name="ablation",
    title="Terms of eb_jepa's loss",
    summary=(
        "Random wall and door, published weights (16 variance, 8 covariance, 12 time similarity, 1 inverse "
        "dynamics), GRU predictor, 1500 episodes, 200 held-out tasks. Smaller than published: latents of 128 from a"
        " small encoder, 1500 updates of 64 clips, four steps of the environment in one of the model, plans of 64 "
        "steps."
    ),
    command="uv run benchmarks/ablation.py",
    cases={name: Settings(name) for name in PUBLISHED},
    seeds=(0, 1),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

"""Far goals in a 4x4 grid of rooms: a hierarchy with macro-actions against flat searches at equal rollouts.

The speed is 1 unit a step, 1/64 of the width. All searches score latents by their distance to the goal; nothing was
tuned on the held-out tasks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import tacit as tc
from tacit import studies
from tacit.agent import MacroSearch
from tacit.evaluation.hierarchy import diagnose
from tacit.models import Dynamics
from tacit.models.macro_model import MacroModel, MacroModelConfig
from tacit.studies import Report, Run, RunResult, Study, Target, columns, rate
from tacit.studies.speed import Stopwatch
from tacit.training.macros import train_macros

ENV, HELD_OUT = "rooms:rows=4,columns=4", 1_000_007


@dataclass(frozen=True)
class Settings:
    """Recorded episodes and their steps, the models, both searches, and held-out tasks.

    Attributes:
        goal_steps: Steps between start and goal.
        macros: Macro-actions of a plan; each has ``stride`` blocks of 4 steps.
        samples: Candidates of a round of the high level and of the low level.
        iterations: Their rounds.
    """

    episodes: int = 300
    steps: int = 200
    updates: int = 3000
    macro_updates: int = 3000
    stride: int = 4
    size: int = 8
    ahead: int = 5
    macros: int = 5
    samples: tuple[int, int] = (256, 64)
    iterations: tuple[int, int] = (3, 4)
    horizon: int = 5
    long_horizon: int = 16
    goal_steps: tuple[float, float] = (50.0, 100.0)
    tasks: int = 200
    diagnosed: int = 40


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, laps = run.settings, Stopwatch()
    recorded = tc.collect(ENV, episodes=chosen.episodes, steps=chosen.steps, seed=run.seed)
    fit_on, _ = recorded.split(0.9, seed=0)
    laps.end("collect")
    options = {"model.latent": 32, "model.frameskip": 4, "steps": chosen.updates, "policy_steps": 0}
    learned = tc.recipes.TwoRooms().with_options(options).learn(fit_on, seed=run.seed, to=run.work / "run")
    model = learned.model
    assert isinstance(model, Dynamics)
    laps.end("train_world_model")
    torch.manual_seed(run.seed)
    macros = MacroModel(MacroModelConfig(model.config.latent, model.config.action_size, chosen.stride, chosen.size))
    clips = fit_on.clips(2, model.frameskip)
    fit = train_macros(model, macros, clips, steps=chosen.macro_updates, seed=run.seed, ahead=chosen.ahead)
    laps.end("train_macros")
    (high, low), (rounds, own) = chosen.samples, chosen.iterations
    total = high * rounds + low * own
    many = tc.planners.ICEM(samples=total // own, iterations=own, elites=8, std=0.7, beta=2.0)
    few = tc.planners.ICEM(samples=low, iterations=own, elites=8, std=0.7, beta=2.0)
    cost = tc.costs.Goal(reduce="min", metric="l1")
    search = MacroSearch(macros, cost, horizon=chosen.macros, samples=high, iterations=rounds)
    actors = {
        "hierarchy": learned.replace(planner=few, horizon=chosen.horizon, sub_goals=search),
        "flat": learned.replace(planner=many, horizon=chosen.horizon),
        "flat, long": learned.replace(planner=many, horizon=chosen.long_horizon),
    }
    env = tc.envs.Rooms(rows=4, columns=4, goal_steps=chosen.goal_steps)
    found = {}
    for name, actor in actors.items():
        found[name] = tc.evaluation.closed_loop(actor, env, chosen.tasks, HELD_OUT).success
        laps.end(name)
    diagnosis = diagnose(actors["hierarchy"], env, chosen.diagnosed, HELD_OUT + 1)
    return {
        "data_hash": recorded.hash(),
        "success": found,
        "rollouts": {"high": high * rounds, "low": low * own, "flat": total // own * own},
        "macro_error": float(np.mean(fit.losses[-100:])),
        "diagnosis": {**tc.reports.plain(diagnosis), "fails_at": diagnosis.plan.fails_at},
        "seconds": laps.seconds,
    }


def report(results: Mapping[str, RunResult]) -> Report:
    rows = dict(results)
    cells: dict[str, Any] = {
        "run": "{case}, seed {seed}",
        "hierarchy": "{success[hierarchy]:rate}",
        "flat, 5 blocks": "{success[flat]:rate}",
        "flat, 16 blocks": "{success[flat, long]:rate}",
        "macro-actions, CPU s": "{seconds[train_macros_cpu]:.0f}",
    }
    diagnosed: dict[str, Any] = {
        "run": "{case}, seed {seed}",
        "low level, oracle sub-goals": "{diagnosis[oracle]:rate}",
        "oracle sub-goals reached": "{diagnosis[reached_oracle]:rate}",
        "chosen sub-goals reached": "{diagnosis[reached]:rate}",
        "chosen / recorded macro-actions, median distance": lambda row: " / ".join(
            f"{row['diagnosis']['manifold'][name]:.2f}" for name in ("chosen", "recorded")
        ),
        "a plan fails at block": "{diagnosis[fails_at]}",
    }
    one = next(iter(results.values())).values
    best = max(one["success"]["flat"]["rate"], one["success"]["flat, long"]["rate"])
    ahead = one["success"]["hierarchy"]["rate"] > best
    target = Target(
        "Rooms 4x4, goals 50 to 100 steps away, hierarchy next to flat latent distance at equal rollouts",
        "reported, whichever is ahead",
        f"{rate(one['success']['hierarchy'])}, flat {rate(one['success']['flat'])} with 5 blocks and "
        f"{rate(one['success']['flat, long'])} with 16",
        "hierarchy ahead" if ahead else "hierarchy not ahead",
    )
    return Report([columns(cells, rows), columns(diagnosed, rows)], [target])


STUDY = Study(
    name="hierarchy",
    title="Far goals with macro-actions",
    summary=(
        "A 4x4 grid of rooms with a fixed layout, from pixels and random actions: goals 50 to 100 steps away, given as "
        "images, 200 held-out tasks. All searches score the distance of latents. A decision of the hierarchy rates "
        "768 sequences of macro-actions and 256 of blocks, a flat one 1,024 of blocks. Then the diagnosis, on 40 other "
        "tasks."
    ),
    command="OMP_NUM_THREADS=1 uv run benchmarks/hierarchy.py",
    cases={"rooms": Settings()},
    seeds=(0,),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

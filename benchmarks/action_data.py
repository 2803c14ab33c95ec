"""Planning by minutes of labelled actions: eyes pretrained on films against training from end to end.

    OMP_NUM_THREADS=1 uv run benchmarks/action_data.py two_rooms
    MUJOCO_GL=egl OMP_NUM_THREADS=1 uv run benchmarks/action_data.py reacher

V-JEPA 2 with the dense loss of V-JEPA 2.1 (96 wide, 6 deep, patches of 16) learns to see from 400 films of the
environment under a random policy, without their actions; the films are the same for all. Then 1, 3, 10 and 30 minutes
of other random wandering, with actions, are what everything else is learnt from, the shorter ones part of the longer,
a set for each seed:

- `end_to_end`: the environment's own recipe, which learns to see from the labelled minutes alone;
- `frozen`: that recipe on all tokens of the frozen encoder, which differs in the eyes alone;
- `frozen_untrained`: the same on an encoder as it was drawn, the floor of the eyes;
- `tokens`: V-JEPA 2-AC on the frozen patch tokens, 16 a frame, and a goal-conditioned policy that proposes plans.

Every agent pursues the same 200 tasks that the environment draws, of a seed that nothing was tuned on, beside its
policy without search and random actions. In Two Rooms those goals lie in the other room, so there are 200 tasks more
whose goals a wandering reached 25 steps later; those of Reacher are drawn like this in any case. Patch tokens cost far
more than a latent of 16 numbers does, so their search is smaller than that of the recipes, and looks one block ahead as
its authors' does: see `acting`. `slope` says whether the energy that an agent minimises grows with the distance of a
goal.
`encoders` says how well held-out frames of films show the state: a linear probe on the mean token, one on all tokens
end to end, which is what the agents are given, and an attentive probe.

Writes benchmarks/results/action_data_ENV.json after every run, goes on where it stopped, and resumes a training.
"""

import argparse
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tacit as tc
from record import Record
from tacit._config import to_json
from tacit.probing.probes import Attentive, Linear
from tacit.recipes import Acting, AgentRecipe, Part
from tacit.training import read_log

RESULTS = Path(__file__).parent / "results"
STEPS, FILM_SEED, PROBED = 100, 1_000_000, 2000
METHODS = ("end_to_end", "frozen", "frozen_untrained", "tokens")
MINUTES = (1.0, 3.0, 10.0, 30.0)


@dataclass(frozen=True)
class World:
    """What fits an environment.

    Attributes:
        hold: Mean steps that the recording policy holds an action.
        label: What probes read.
        history: Frames that the world model looks back on.
        within: Steps after which a wandering reached the goals within reach; None where all are drawn so.
    """

    hold: float
    label: str
    history: int
    within: int | None


WORLDS = {
    "two_rooms": World(hold=8.0, label="position", history=1, within=25),
    "reacher": World(hold=4.0, label="pose", history=2, within=None),
}


def seeing(steps: int, patch: int) -> tc.recipes.VJEPA2:
    """V-JEPA 2 with the dense loss of V-JEPA 2.1, on films of a camera that stands still, which are not cropped."""
    return tc.recipes.VJEPA2().with_options(
        {
            "size": "nano",
            "clip": 8,
            "crop": [],
            "flip": 0.0,
            "steps": steps,
            "model": {"frameskip": 2, "mask_tokens": 2, "positions": "rope", "patch": patch},
            "objective": [
                {"name": "masked_prediction", "options": {"distance": "l1"}},
                {"name": "visible_prediction", "weight": 0.5},
            ],
            "training.batch_size": 16,
            "training.lr": 1e-3,
            "training.ema": [0.998, 0.998],
            "training.threads": 1,
        }
    )


def acting(env: str, method: str, steps: int) -> AgentRecipe:
    """How a method learns to act, but for its encoder; ``steps`` above 0 replaces those of all trainings."""
    own: AgentRecipe = tc.recipes.load(env)()
    world = WORLDS[env]
    if method.startswith("tokens"):
        own = tc.recipes.VJEPA2AC(
            model={
                "frameskip": 5,
                "history": world.history,
                "predictor_width": 64,
                "predictor_depth": 3,
                "predictor_heads": 2,
            },
            clip=6,
            steps=4000,
            training=replace(tc.recipes.VJEPA2AC().training, batch_size=16, lr=1e-3, log_every=400),
            policy_steps=800,
            policy=replace(own.policy, batch_size=128),
            acting=Acting(
                planner=Part("icem", {"samples": 32, "iterations": 3, "elites": 6, "std": 0.7, "beta": 2.0}),
                cost=(Part("goal", {"metric": "l1"}),),
                horizon=1,
                replan_every=1,
                repeat_action=True,
            ),
        )
    own = replace(own, training=replace(own.training, threads=1))
    return replace(own, steps=steps, policy_steps=steps) if steps else own


def filmed(env: str, count: int) -> tc.data.Episodes:
    """Films: episodes whose actions were not recorded; labels are for probes alone."""
    recorded = tc.collect(env, tc.collection.Random(WORLDS[env].hold), episodes=count, steps=STEPS, seed=FILM_SEED)
    spec = tc.Spec(recorded.spec.modalities, fps=recorded.spec.fps)
    bare = [replace(one, action=np.zeros((len(one) - 1, 0), np.float32), seed=None) for one in recorded]
    return tc.data.from_episodes(bare, spec)


def eyes(env: str, films: tc.data.Episodes, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Pretrain the encoder of a seed, keep it beside the untrained one, and say what both show."""
    recipe, place = seeing(options.film_steps, options.patch), options.work / f"films{seed}"
    fit_on, held_out = films.split(0.9, seed=0)
    model = recipe.build_model(films.spec, seed)
    recipe.train(model, fit_on, seed=seed, to=place)
    drawn = recipe.build_model(films.spec, seed)
    drawn.fit(fit_on.statistics())
    tc.checkpoint.save(options.work / f"drawn{seed}", drawn)
    seen = {name: shown(one, env, fit_on, held_out) for name, one in {"films": model, "untrained": drawn}.items()}
    raw = tc.probing.RawInput(tc.models.ActionConditionedConfig(films.spec, model.config), model.statistics, (16, 16))
    fit, test = (tc.probing.features(raw, part, frames=PROBED // n, seed=0) for n, part in ((1, fit_on), (2, held_out)))
    seen["raw"] = {"flat": tc.reports.plain(Linear()(fit, test, WORLDS[env].label).estimate)}
    return {"seconds": read_log(place)[-1]["seconds"], "r2": seen}


def shown(perception: Any, env: str, fit_on: tc.data.Episodes, held_out: tc.data.Episodes) -> dict[str, Any]:
    """How well the state is read from the tokens of single frames of films that nothing was fitted on."""
    world = tc.envs.make_goal(env)
    model = tc.models.ActionConditioned.for_spec(world.spec, perception=perception.config)
    world.close()
    model.load_from(perception)
    width = perception.config.width

    def tokens(part: tc.data.Episodes, count: int) -> tc.probing.Features:
        found = tc.probing.features(model, part, frames=count, seed=0)
        return replace(found, values=torch.as_tensor(found.values).reshape(len(found), -1, width))

    fit, test = tokens(fit_on, PROBED), tokens(held_out, PROBED // 2)
    probes = {
        "linear": Linear(),
        "flat": Linear(pool="flat"),
        "attentive": Attentive(lrs=(3e-3, 1e-3), weight_decays=(0.01,)),
    }
    label = WORLDS[env].label
    return {name: tc.reports.plain(probe(fit, test, label).estimate) for name, probe in probes.items()}


def labelled(episodes: tc.data.Episodes, minutes: float) -> tc.data.Episodes:
    """The first so many minutes."""
    return episodes[: max(round(minutes * 60 * episodes.spec.fps / STEPS), 2)]


def embedded(place: Path, episodes: tc.data.Episodes) -> Path:
    """All tokens of every frame by a frozen encoder, made once."""
    to = place.with_name(f"{place.name}_latents")
    if not to.exists():
        perception = tc.checkpoint.load_model(place, kind=tc.models.MaskedModel)
        frames = tc.models.FrameEncoder.of(perception, episodes.spec)
        tc.embeddings.embed(frames, episodes, to, tokens=True)
    return to


def slope(model: Any, metric: str, part: tc.data.Episodes, label: str) -> dict[str, float]:
    """Whether the energy of a goal says how far it is: its rank correlation with the distance of pairs of frames.

    Of pairs that are ``near``, the nearest quarter, and of all others, which are ``far``.
    """
    found = tc.probing.features(model, part, frames=PROBED // 2, seed=0)
    latents, place = torch.as_tensor(found.values), found.target(label)
    one, other = np.random.default_rng(0).integers(0, len(place), (2, 4 * len(place)))
    gap = latents[one] - latents[other]
    energy = (gap.abs() if metric == "l1" else gap.square()).mean(dim=-1).numpy()
    distance = np.linalg.norm(place[one] - place[other], axis=-1)
    near = distance <= np.quantile(distance, 0.25)
    pairs = {"near": near, "far": ~near}
    return {
        name: round(tc.statistics.rank_correlation(energy[some], distance[some]), 3) for name, some in pairs.items()
    }


def goals(env: str, options: argparse.Namespace) -> dict[str, tc.types.Tasks]:
    """Held-out tasks: those that the environment draws and, where they lie further, some with goals within reach."""
    world, within = tc.envs.make_goal(env), WORLDS[env].within
    found = {"drawn": tc.evaluation.held_out_tasks(world, options.tasks, options.task_seed)[0]}
    if within is not None:
        wandering = tc.collection.Random(WORLDS[env].hold)
        found["reached"] = tc.evaluation.reached_tasks(world, wandering, options.tasks, within, options.task_seed)
    world.close()
    return found


def pursue(actor: tc.types.Actor, env: str, tasks: tc.types.Tasks, seed: int) -> tc.evaluation.ClosedLoop:
    """Fifty worlds at a time, for plans in patch tokens are large."""
    world = tc.envs.make_goal(env)
    found = tc.evaluation.closed_loop(actor, world, seed=seed, tasks=tasks, batch=50)
    world.close()
    return found


def run(
    env: str,
    method: str,
    data: Mapping[str, tc.data.Episodes],
    tasks: Mapping[str, tc.types.Tasks],
    minutes: float,
    seed: int,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """Learn from the labelled minutes and pursue the tasks; ``data``: the episodes of the seed and held-out films."""
    recipe = acting(env, method, options.steps)
    if method != "end_to_end":
        place = options.work / f"{'drawn' if method.endswith('untrained') else 'films'}{seed}"
        recipe = replace(recipe, encoder=str(place), latents=str(embedded(place, data["labelled"])))
    some, to = labelled(data["labelled"], minutes), options.work / f"{method}{minutes:g}min{seed}"
    agent = recipe.learn(some, seed=seed, to=to)
    assert agent.proposal is not None
    alone = tc.agent.PolicyActor(agent.model, agent.proposal)
    reached, begin = {}, time.process_time()
    for name, part in tasks.items():
        found = pursue(agent, env, part, options.task_seed)
        reached[name] = {
            "success": tc.reports.plain(found.success),
            "amortised": tc.reports.plain(pursue(alone, env, part, options.task_seed).success),
            "solved": "".join(str(int(solved)) for solved in found.solved),
            "nearest": np.percentile(found.distances[:, 1:].min(axis=1), [10, 50, 90]).round(3).tolist(),
            "last": np.percentile(found.distances[:, -1], [10, 50, 90]).round(3).tolist(),
            "not_ok": found.not_ok,
        }
    planned = time.process_time() - begin
    world = tc.envs.make_goal(env)
    one = tc.evaluation.closed_loop(agent, world, 1, options.task_seed)
    world.close()
    return {
        "episodes": len(some),
        "tasks": reached,
        "slope": slope(agent.model, "l1" if method == "tokens" else "l2", data["films"], WORLDS[env].label),
        "decision_ms": round(one.decision_p50 or 0.0, 1),
        "seconds": {"training": read_log(to)[-1]["seconds"], "planning": round(planned, 1)},
    }


def summary(runs: dict[str, Any]) -> dict[str, Any]:
    """Per method, minutes and kind of task the median over seeds, the worst, and the mean over seeds and tasks."""
    points: dict[str, list[Any]] = {}
    for name, found in runs.items():
        for kind, tasks in found["tasks"].items():
            points.setdefault(f"{name.rsplit('/', 1)[0]}/{kind}", []).append(tasks)
    rows = {}
    for name, some in points.items():
        rates = [one["success"]["rate"] for one in some]
        solved = [[float(mark) for mark in one["solved"]] for one in some]
        over = tc.reports.plain(tc.statistics.crossed_bootstrap(solved))
        rows[name] = {"seeds": len(some), "median": statistics.median(rates), "worst": min(rates), "mean": over}
    return rows


def floor(env: str, tasks: tc.types.Tasks, seed: int) -> dict[str, Any]:
    """Random actions, each held for a block."""
    world = tc.envs.make_goal(env)
    actor = tc.agent.RandomActor(world.spec.action, repeat=5)
    world.close()
    rate: dict[str, Any] = tc.reports.plain(pursue(actor, env, tasks, seed).success)
    return rate


def measure(record: Record, options: argparse.Namespace) -> None:
    """Run what is missing in the record."""
    env = options.env
    films, tasks = filmed(env, options.films), goals(env, options)
    for kind, part in tasks.items():
        if kind not in record.section("floors"):
            minutes = len(films) * STEPS / films.spec.fps / 60
            record.add("floors", kind, floor(env, part, options.task_seed), films_minutes=minutes)
    most = max(round(max(options.minutes) * 60 * films.spec.fps / STEPS), 2)
    for seed in options.seeds:
        if str(seed) not in record.section("encoders"):
            record.add("encoders", str(seed), eyes(env, films, seed, options))
        elif not (options.work / f"films{seed}").exists():
            eyes(env, films, seed, options)  # the results are kept, the weights are gone
        wandering = tc.collection.Random(WORLDS[env].hold)
        data = {
            "labelled": tc.collect(env, wandering, episodes=most, steps=STEPS, seed=seed),
            "films": films.split(0.9, seed=0)[1],
        }
        for minutes in options.minutes:
            for method in options.methods:
                name = f"{method}/{minutes:g}/{seed}"
                if name in record.section("runs"):
                    continue
                found = run(env, method, data, tasks, minutes, seed, options)
                record.add("runs", name, found, summary=summary({**record.section("runs"), name: found}))
                shown = {kind: part["success"]["rate"] for kind, part in found["tasks"].items()}
                print(name, shown, found["decision_ms"], found["seconds"], flush=True)


def main() -> None:
    """Read the options and go on where the results end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("env", choices=WORLDS)
    parser.add_argument("--minutes", type=float, nargs="*", default=MINUTES)
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--films", type=int, default=400)
    parser.add_argument("--film-steps", type=int, default=3000)
    parser.add_argument("--patch", type=int, default=16, help="side of a patch; 8 costs four times as much")
    parser.add_argument("--steps", type=int, default=0, help="of every other training, to try it; 0: the recipe's")
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--task-seed", type=int, default=4, help="never one that anything was tuned on")
    parser.add_argument("--work", type=Path, default=Path("runs/action_data"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="a folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work = options.work / options.env
    place = options.results / f"action_data_{options.env}.json"
    settings = {
        "recipes": {name: to_json(acting(options.env, name, options.steps)) for name in METHODS},
        "seeing": to_json(seeing(options.film_steps, options.patch)),
        "films": options.films,
        "episode": STEPS,
        "probed": PROBED,
        "tasks": {"count": options.tasks, "seed": options.task_seed, "within": WORLDS[options.env].within},
    }
    measure(Record(place, settings), options)


if __name__ == "__main__":
    main()

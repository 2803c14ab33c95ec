"""Planning by minutes of labelled actions, with encoders pretrained on videos and from pixels alone.

An encoder learns from videos of a random policy; other random episodes, with actions, train the rest:

- `end_to_end`: the environment's own recipe, from pixels;
- `frozen`, `frozen_untrained`: that recipe on all tokens of the frozen encoder, trained or not;
- `tokens`: V-JEPA 2-AC on the frozen tokens, with a small search because tokens are slow.

Two Rooms has a second kind of tasks, with goals that random actions reached 25 steps later.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import tacit as tc
from encoders import DENSE, JEPA
from tacit import studies
from tacit.probing.probes import Attentive, Linear
from tacit.recipes import Acting, AgentRecipe, Part
from tacit.statistics import crossed_bootstrap
from tacit.studies import Report, Run, RunResult, Study, mean, points, rate, table
from tacit.studies.budgets import recipe_of
from tacit.studies.charts import Panel
from tacit.studies.charts import chart as chart_of
from tacit.training import read_log

STEPS, VIDEO_SEED, PROBED = 100, 1_000_000, 2000
MINUTES = (1.0, 3.0, 10.0, 30.0)
METHODS = {
    "frozen": "encoders from videos, frozen",
    "frozen_untrained": "the same encoders, untrained",
    "end_to_end": "from pixels alone",
    "tokens": "V-JEPA 2-AC in the tokens",
}


PROBES = {
    "linear": Linear(),
    "flat": Linear(pool="flat"),
    "attentive": Attentive(lrs=(3e-3, 1e-3), weight_decays=(0.01,)),
}


@dataclass(frozen=True)
class World:
    """Protocol of an environment.

    Attributes:
        title: Its name.
        hold: Mean steps that the recording policy keeps an action.
        label: Target of probes.
        history: Frames that the world model gets.
        within: Steps after which random actions reached the near goals; None if all goals are drawn like this.
    """

    title: str
    hold: float
    label: str
    history: int
    within: int | None


WORLDS = {
    "two_rooms": World("Two Rooms", hold=8.0, label="position", history=1, within=25),
    "reacher": World("Reacher", hold=4.0, label="pose", history=2, within=None),
}


@dataclass(frozen=True)
class Settings:
    """Environment, method (an encoder and random actions are runs too), minutes with actions and held-out tasks.

    Attributes:
        videos: Videos without actions.
        video_steps: Updates of the encoder.
        patch: Side of a patch; 8 is four times as slow.
        steps: Updates of every other training; 0 for those of the recipe.
    """

    env: str
    method: str
    minutes: float = 0.0
    videos: int = 400
    video_steps: int = 3000
    patch: int = 16
    steps: int = 0
    tasks: int = 200
    task_seed: int = 4


def video_recipe(chosen: Settings) -> tc.recipes.Recipe:
    """Return the recipe of the encoder."""
    own = {"steps": chosen.video_steps, "model.frameskip": 2, "model.patch": chosen.patch}
    return recipe_of("vjepa2", {**JEPA, **DENSE, **own})


def agent_recipe(chosen: Settings) -> AgentRecipe:
    """Return the recipe of the agent without its encoder."""
    own: AgentRecipe = tc.recipes.load(chosen.env)()
    if chosen.method == "tokens":
        predictor = {"predictor_width": 64, "predictor_depth": 3, "predictor_heads": 2}
        search = Part("icem", {"samples": 32, "iterations": 3, "elites": 6, "std": 0.7, "beta": 2.0})
        cost = (Part("goal", {"metric": "l1"}),)
        own = tc.recipes.VJEPA2AC(
            model={"frameskip": 5, "history": WORLDS[chosen.env].history, **predictor},
            clip=6,
            steps=4000,
            training=replace(tc.recipes.VJEPA2AC().training, batch_size=16, lr=1e-3, log_every=400),
            policy_steps=800,
            policy=replace(own.policy, batch_size=128),
            acting=Acting(planner=search, cost=cost, horizon=1, replan_every=1, repeat_action=True),
        )
    own = replace(own, training=replace(own.training, threads=1))
    return replace(own, steps=chosen.steps, policy_steps=chosen.steps) if chosen.steps else own


def videos(chosen: Settings) -> tc.data.Episodes:
    """Record episodes without actions; their labels are for probes alone."""
    wandering = tc.collection.Random(WORLDS[chosen.env].hold)
    recorded = tc.collect(chosen.env, wandering, episodes=chosen.videos, steps=STEPS, seed=VIDEO_SEED)
    spec = tc.Spec(recorded.spec.modalities, fps=recorded.spec.fps)
    bare = [replace(one, action=np.zeros((len(one) - 1, 0), np.float32), seed=None) for one in recorded]
    return tc.data.from_episodes(bare, spec)


def labelled(chosen: Settings, seed: int) -> tc.data.Episodes:
    """Record the minutes with actions; shorter ones are part of longer ones."""
    fps = tc.envs.make_goal(chosen.env).spec.fps
    count, most = (max(round(minutes * 60 * fps / STEPS), 2) for minutes in (chosen.minutes, max(MINUTES)))
    wandering = tc.collection.Random(WORLDS[chosen.env].hold)
    return tc.collect(chosen.env, wandering, episodes=most, steps=STEPS, seed=seed)[:count]


def encoder(run: Run[Settings]) -> Path:
    """Return the folder of the seed's encoders, trained where they are missing; ``videos`` and ``untrained``."""
    chosen, place = run.settings, run.shared / run.settings.env / str(run.seed)
    if not (place / "done").exists():
        found, recipe = videos(chosen), video_recipe(chosen)
        fit_on, _ = found.split(0.9, seed=0)
        recipe.train(recipe.build_model(found.spec, run.seed), fit_on, seed=run.seed, to=place / "videos")
        untrained = recipe.build_model(found.spec, run.seed)
        untrained.set_statistics(fit_on.statistics())
        tc.checkpoint.save(place / "untrained", untrained)
        (place / "done").touch()
    return place


def encoder_scores(run: Run[Settings]) -> dict[str, Any]:
    """Read the state from the tokens of single frames of held-out videos."""
    chosen, place, found = run.settings, encoder(run), videos(run.settings)
    label, spec, parts = WORLDS[chosen.env].label, found.spec, found.split(0.9, seed=0)

    def features(model: Any, tokens: bool) -> list[tc.probing.Features]:
        counts = zip(parts, (PROBED, PROBED // 2), strict=True)
        return [tc.probing.features(model, part, tokens=tokens, frames=count, seed=0) for part, count in counts]

    r2: dict[str, Any] = {}
    for name in ("videos", "untrained"):
        perception: Any = tc.checkpoint.load_model(place / name, kind=tc.models.MaskedModel)
        fit, test = features(tc.models.FrameEncoder.of(perception, spec), tokens=True)
        r2[name] = {probe: one(fit, test, label).estimate for probe, one in PROBES.items()}
    config = tc.models.FrameEncoder.of(perception, spec).config
    fit, test = features(tc.probing.RawInput(config, perception.statistics, (16, 16)), tokens=False)
    r2["raw"] = {"flat": Linear()(fit, test, label).estimate}
    minutes = chosen.videos * STEPS / spec.fps / 60
    return {"seconds": read_log(place / "videos")[-1]["seconds"], "r2": r2, "video_minutes": minutes}


def goals(chosen: Settings) -> dict[str, tc.types.Tasks]:
    """Return held-out tasks: those that the environment draws, and those with near goals."""
    env, world = tc.envs.make_goal(chosen.env), WORLDS[chosen.env]
    found = {"drawn": tc.evaluation.held_out_tasks(env, chosen.tasks, chosen.task_seed)[0]}
    if world.within is not None:
        wandering = tc.collection.Random(world.hold)
        found["reached"] = tc.evaluation.reached_tasks(env, wandering, chosen.tasks, world.within, chosen.task_seed)
    env.close()
    return found


def pursue(actor: tc.types.Actor, chosen: Settings, tasks: tc.types.Tasks) -> tc.evaluation.ClosedLoop:
    """Run fifty environments at a time, for plans in tokens are large."""
    env = tc.envs.make_goal(chosen.env)
    found = tc.evaluation.closed_loop(actor, env, seed=chosen.task_seed, tasks=tasks, batch=50)
    env.close()
    return found


def energy_slope(model: Any, metric: str, part: tc.data.Episodes, label: str) -> dict[str, float]:
    """Correlate the energy of a goal with the distance of two frames, for near pairs (a quarter) and the others."""
    found = tc.probing.features(model, part, frames=PROBED // 2, seed=0)
    latents, place = torch.as_tensor(found.values), found.target(label)
    one, other = np.random.default_rng(0).integers(0, len(place), (2, 4 * len(place)))
    gap = latents[one] - latents[other]
    energy = (gap.abs() if metric == "l1" else gap.square()).mean(dim=-1).numpy()
    distance = np.linalg.norm(place[one] - place[other], axis=-1)
    near = distance <= np.quantile(distance, 0.25)
    correlation = tc.statistics.rank_correlation
    return {name: correlation(energy[some], distance[some]) for name, some in (("near", near), ("far", ~near))}


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen = run.settings
    if chosen.method == "encoder":
        return encoder_scores(run)
    tasks = goals(chosen)
    if chosen.method == "random":
        actor = tc.agent.RandomActor(tc.envs.make_goal(chosen.env).spec.action, repeat=5)
        return {kind: pursue(actor, chosen, part).success for kind, part in tasks.items()}
    recipe, episodes = agent_recipe(chosen), labelled(chosen, run.seed)
    if chosen.method != "end_to_end":
        place = encoder(run) / ("untrained" if chosen.method == "frozen_untrained" else "videos")
        latents = run.work / "latents"
        if not latents.exists():  # all tokens of every frame, computed once
            perception = tc.checkpoint.load_model(place, kind=tc.models.MaskedModel)
            frames = tc.models.FrameEncoder.of(perception, episodes.spec)
            tc.embeddings.embed(frames, episodes, latents, tokens=True)
        recipe = replace(recipe, encoder=str(place), latents=str(latents))
    agent = recipe.learn(episodes, seed=run.seed, to=run.work / "run")
    assert agent.proposal is not None
    alone = tc.agent.PolicyActor(agent.model, agent.proposal)
    reached, begin = {}, time.process_time()
    for name, part in tasks.items():
        found = pursue(agent, chosen, part)
        reached[name] = {
            "success": found.success,
            "policy": pursue(alone, chosen, part).success,
            "solved": "".join(str(int(solved)) for solved in found.solved),
        }
    planned = time.process_time() - begin
    metric = "l1" if chosen.method == "tokens" else "l2"
    return {
        "episodes": len(episodes),
        "tasks": reached,
        "slope": energy_slope(agent.model, metric, videos(chosen).split(0.9, seed=0)[1], WORLDS[chosen.env].label),
        "seconds": {"training": read_log(run.work / "run")[-1]["seconds"], "planning": round(planned, 1)},
    }


KINDS = {"drawn": "goals drawn by the environment", "reached": "goals reached by random actions 25 steps later"}
GAINS = (("frozen", "end_to_end"), ("frozen", "frozen_untrained"), ("tokens", "end_to_end"))


@dataclass(frozen=True)
class Cell:
    """Runs of one method with the same minutes, by seed."""

    method: str
    minutes: float
    runs: Mapping[str, RunResult]

    def solved(self, kind: str) -> dict[str, np.ndarray]:
        """Return ``[tasks]`` of 0 and 1 by seed."""
        marks = {seed: run.values["tasks"][kind]["solved"] for seed, run in self.runs.items()}
        return {seed: np.array([*some], float) for seed, some in marks.items()}

    def over(self, kind: str) -> dict[str, float]:
        """Return the mean over seeds and tasks with its interval."""
        return vars(crossed_bootstrap(np.stack([*self.solved(kind).values()])))

    def mean(self, part: str, name: str) -> float:
        return float(np.mean([run.values[part][name] for run in self.runs.values()]))

    def row(self, kinds: Sequence[str]) -> tuple[str, ...]:
        cells = []
        for kind in kinds:
            tasks = [run.values["tasks"][kind] for run in self.runs.values()]
            cells.append(f"**{rate(self.over(kind))}**")
            cells += [", ".join(f"{100 * one[actor]['rate']:.1f}" for one in tasks) for actor in ("success", "policy")]
        cells += [f"{self.mean('slope', where):.2f}" for where in ("near", "far")]
        seconds = (f"{self.mean('seconds', part):.0f}" for part in ("training", "planning"))
        return self.method, f"{self.minutes:g}", *cells, *seconds


def cells_of(results: Mapping[str, RunResult], env: str) -> dict[tuple[str, float], Cell]:
    """Return the runs of an environment by method and minutes."""
    found = {}
    for case, runs in studies.by_case(results).items():
        world, method, *minutes = case.split("/")
        if world == env and minutes:
            found[method, float(minutes[0])] = Cell(method, float(minutes[0]), runs)
    return dict(sorted(found.items()))


def gain(first: Cell, second: Cell, kind: str) -> str:
    """Return the difference of two methods on the same tasks."""
    one, other = first.solved(kind), second.solved(kind)
    return points(vars(crossed_bootstrap(np.stack([one[seed] - other[seed] for seed in one if seed in other]))))


def world_tables(env: str, results: Mapping[str, RunResult]) -> list[str]:
    cells, random = cells_of(results, env), results[f"{env}/random/0"].values
    kinds, minutes = [*random], sorted({some for _, some in cells})
    encoders = {seed: run.values for seed, run in studies.by_case(results)[f"{env}/encoder"].items()}
    seconds = np.mean([run["seconds"] for run in encoders.values()])
    spent = f"{encoders['0']['video_minutes']:.0f} minutes of video, {seconds:.0f} s of encoder training"
    by_chance = "; ".join(f"{rate(random[kind])} ({KINDS[kind]})" for kind in kinds)
    headers = [name for kind in kinds for name in (f"{KINDS[kind]}: solved", "each seed, %", "policy alone, %")]
    gains = [
        (KINDS[kind], f"`{a}` over `{b}`", *(gain(cells[a, some], cells[b, some], kind) for some in minutes))
        for kind in kinds
        for a, b in GAINS
    ]
    r2 = [
        (f"{name}, seed {seed}", *(mean(one[probe], 3) if probe in one else "" for probe in PROBES))
        for seed, run in encoders.items()
        for name, one in run["r2"].items()
    ]
    return [
        f"**{WORLDS[env].title}** ({spent}); random actions solve {by_chance}. Slope: rank correlation of the energy "
        "with the distance of two frames, in the nearest quarter of the pairs and the others:",
        table(
            ("method", "minutes", *headers, "slope, near", "far", "training, s", "planning, s"),
            [cell.row(kinds) for cell in cells.values()],
        ),
        "Differences on the same tasks, points:",
        table(("", "", *(f"{some:g} min" for some in minutes)), gains),
        "State in single frames of held-out videos, R²:",
        table(("encoder", "linear, mean token", "linear, all tokens", "attentive"), r2),
    ]


def report(results: Mapping[str, RunResult]) -> Report:
    tables = [part for env in WORLDS for part in world_tables(env, results)]
    return Report([*tables, "![Tasks solved over labelled minutes](../docs/action_minutes.svg)"])


def chart(results: Mapping[str, RunResult]) -> bytes:
    """Return tasks solved over labelled minutes as SVG, a panel for each kind of task."""
    panels = []
    for env, world in WORLDS.items():
        cells = cells_of(results, env).values()
        for kind in results[f"{env}/random/0"].values:
            away = "in the other room" if env == "two_rooms" and kind == "drawn" else "25 steps away"
            lines = {
                label: ([one.minutes for one in some], [one.over(kind) for one in some])
                for method, label in METHODS.items()
                if (some := [one for one in cells if one.method == method])
            }
            panels.append(Panel(f"{world.title}, goals {away}", lines))
    return chart_of(panels, "minutes with actions", "held-out tasks solved, %", "{:g}".format, (0, 102))


CASES = {f"{env}/{name}": Settings(env, name) for env in WORLDS for name in ("encoder", "random")}
CASES |= {
    f"{env}/{method}/{minutes:g}": Settings(env, method, minutes)
    for env in WORLDS
    for minutes in MINUTES
    for method in METHODS
}
STUDY = Study(
    name="action_data",
    title="Minutes of actions, with and without encoders from videos",
    summary=(
        "Encoders from videos without actions (V-JEPA 2 with the dense loss of V-JEPA 2.1, 96 wide, 6 deep), then 1"
        " to 30 minutes with actions; 200 held-out tasks of each kind, the same for every run; intervals resample "
        "seeds and tasks."
    ),
    command="MUJOCO_GL=egl uv run benchmarks/action_data.py",
    cases=CASES,
    seeds=(0, 1, 2),
    seeds_of={f"{env}/random": (0,) for env in WORLDS},
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

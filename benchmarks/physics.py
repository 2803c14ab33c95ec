"""Physics of a table and an object on it: violation of expectation, and effects of interventions on unseen objects.

A small world model learns from random actions, a third of the episodes in branches of common snapshots. It is tested on
combinations of shape and size that no episode has, and on a shape that it never saw.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

import tacit as tc
from tacit import studies
from tacit.collection import Branches
from tacit.data import Episodes
from tacit.evaluation.counterfactual import Interventions, cause_and_effect
from tacit.evaluation.expectation import violation_of_expectation
from tacit.evaluation.physics_scenes import physics_triples
from tacit.studies import Report, Run, RunResult, Study, Target, at_least, columns, mean, met, rate, table
from tacit.studies.speed import Stopwatch
from tacit.types import Clip, Observation, State

SEEN = (("book", 0.85), ("book", 1.0), ("box", 1.0), ("box", 1.2), ("ball", 0.85), ("ball", 1.2))
UNSEEN = (("book", 1.2), ("box", 0.85), ("ball", 1.0))
NEW_SHAPE = (("prism", 1.0),)
HELD_OUT, SMALLEST = 1_000_007, 6.0
"""Seed of tests, and the smallest effect in world units to tell from none."""
TURN = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)


@dataclass(frozen=True)
class Settings:
    """Recorded episodes, the model and its training, interventions and triples.

    Attributes:
        episodes: Episodes of each combination of a shape and a size.
        screens: Share of them with a screen.
        branches: Share of them that start in one of 40 snapshots of the combination.
        ahead: Blocks of the longest prediction, in training and of the surprise.
        readout_episodes: Episodes of each combination, without screens, that the readout is fitted and tested on.
        horizon: Steps of an intervention.
        pairs: Interventions on unseen combinations, and as many on a new shape.
        triples: Triples of each scene.
    """

    size: int = 32
    episodes: int = 400
    steps: int = 16
    screens: float = 0.35
    branches: float = 0.35
    latent: int = 64
    frameskip: int = 2
    updates: int = 3000
    batch: int = 64
    ahead: int = 4
    readout_episodes: int = 150
    readout_updates: int = 2000
    horizon: int = 8
    pairs: int = 200
    triples: int = 50


@dataclass(frozen=True)
class RandomHues:
    """Transform that turns the hues of each image by a random angle, so that colours predict nothing."""

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        pixels = clip.observation["pixels"]
        images = pixels.reshape(-1, 3, pixels.shape[-2] * pixels.shape[-1])
        angle = torch.rand(len(images), generator=torch.Generator().manual_seed((seed + rank) % 2**63)) * 2 * math.pi
        cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
        turned = (cosine * torch.eye(3) + sine * TURN + (1 - cosine) / 3) @ images.float()
        hues = turned.round().clamp(0, 255).to(torch.uint8).reshape(pixels.shape)
        return replace(clip, observation={**clip.observation, "pixels": hues})


def world(chosen: Settings, shapes: Sequence[str], size: float, screens: float = 0.0) -> tc.envs.TableAndBook:
    return tc.envs.TableAndBook(
        16,
        size=chosen.size,
        stacked=True,
        shapes=shapes,
        screens=screens,
        factors={"size": size},
        variation=("table_width", "table_height"),
    )


def record(chosen: Settings, episodes: int, screens: float, seed: int) -> Episodes:
    """Record episodes of every seen combination."""
    found = []
    for number, (shape, size) in enumerate(SEEN):
        env = world(chosen, (shape,), size, screens)
        policy = Branches(snapshots=40, share=chosen.branches, policy=tc.collection.Random(6.0), seed=seed + number)
        found += list(tc.collect(env, policy, episodes=episodes, steps=chosen.steps, seed=seed + number))
    return tc.data.from_episodes([replace(one, index=index) for index, one in enumerate(found)], env.spec)


def interventions(env: tc.envs.TableAndBook, chosen: Settings, count: int, seed: int) -> Interventions:
    """Draw pairs of doing nothing and, in turn, pushing the table, removing it, and pushing it next to the object."""
    rng = np.random.default_rng(seed)
    start = {name: np.array(values, np.float64) for name, values in env.tasks(count, seed).start.items()}
    still = np.zeros((count, chosen.horizon, 3), np.float32)
    other, kind = still.copy(), np.arange(count) % 5
    sign = np.where(start["table"][:, 0] < 32, 1.0, -1.0)
    removed = np.isin(kind, (1, 3))
    other[removed, : chosen.frameskip, 2] = 1.0
    other[~removed, :, 0] = (rng.uniform(0.6, 1.0, count) * sign)[~removed, None]
    fallen = on_ground(env, start, sign)
    beside = kind == 4
    start = {
        name: np.where(beside.reshape(-1, *[1] * (values.ndim - 1)), fallen[name], values)
        for name, values in start.items()
    }
    return Interventions(start, still, other)


def on_ground(env: tc.envs.TableAndBook, start: State, sign: np.ndarray[Any, Any]) -> State:
    """Return the states with the object at rest on the ground, behind a table that is pushed away from it."""
    remove = np.zeros((len(sign), 16, 3), np.float32)
    remove[:, 0, 2] = 1.0
    fallen = {name: np.array(values[:, -1]) for name, values in env.simulate(start, remove).items()}
    fallen["book"][:, 2:] = [0.0, 0.0, 0.0, 0.0]
    half = np.asarray(start["table_width"], np.float64)[:, 0] / 2
    fallen["table"][:, 0] = 32.0 + 2.0 * sign
    fallen["book"][:, 0] = np.asarray(fallen["table"][:, 0], np.float64) - sign * (half + 10)
    fallen["removed"][:] = 0.0
    fallen["last"] = np.concatenate([fallen["book"][:, :3], fallen["table"][:, :1], fallen["removed"]], axis=1)
    return fallen


def some(pairs: Interventions, rows: np.ndarray[Any, Any]) -> Interventions:
    start = {name: values[rows] for name, values in pairs.start.items()}
    return Interventions(start, pairs.executed[rows], pairs.other[rows])


class Perceptron:
    """Readout of the position of the object: a perceptron on standardised, frozen latents."""

    target, size = "book", 2

    def __init__(self, model: tc.models.WorldModel, fit_on: Episodes, held_out: Episodes, updates: int) -> None:
        latents, values = encoded(model, fit_on)
        self.mean, self.std = latents.mean(dim=0), latents.std(dim=0) + 1e-6
        self.middle, self.scale = values.mean(dim=0), values.std(dim=0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            layers = [torch.nn.Linear(latents.shape[1], 256), torch.nn.GELU(), torch.nn.Linear(256, 256)]
            self.net = torch.nn.Sequential(*layers, torch.nn.GELU(), torch.nn.Linear(256, 2))
            optimizer = torch.optim.AdamW(self.net.parameters(), lr=2e-3, weight_decay=1e-2)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
            for _ in range(updates):
                rows = torch.randint(0, len(latents), (256,))
                wanted = (values[rows] - self.middle) / self.scale
                loss = torch.nn.functional.smooth_l1_loss(self.net((latents[rows] - self.mean) / self.std), wanted)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
        latents, values = encoded(model, held_out)
        squares = (self(latents) - values).square().mean(dim=0)
        self.error = tuple(squares.sqrt().tolist())
        self.r2 = tuple((1 - squares / values.var(dim=0)).tolist())

    def __call__(self, latents: Any, /) -> Any:
        with torch.no_grad():
            return self.net((latents - self.mean) / self.std) * self.scale + self.middle


def encoded(model: tc.models.WorldModel, episodes: Episodes) -> tuple[torch.Tensor, torch.Tensor]:
    """Return latents and positions of the object of every observation."""
    latents, values = [], []
    with torch.no_grad():
        for episode in episodes:
            latents.append(model.encode({"pixels": episode.observation["pixels"]}))
            values.append(torch.from_numpy(np.array(episode.labels["book"], np.float32)))
    return torch.cat(latents), torch.cat(values)


def effects(model: tc.models.WorldModel, chosen: Settings, combinations: Any, place: Any) -> dict[str, Any]:
    """Score interventions on combinations of shape and size, together and by kind."""
    env, parts = world(chosen, ("book",), 1.0), []
    for number, (shape, size) in enumerate(combinations):
        count = len(range(number, chosen.pairs, len(combinations)))
        parts.append(interventions(world(chosen, (shape,), size), chosen, count, HELD_OUT + number))
    start = {name: np.concatenate([one.start[name] for one in parts]) for name in parts[0].start}
    pairs = Interventions(
        start, np.concatenate([one.executed for one in parts]), np.concatenate([one.other for one in parts])
    )
    removed, on_table = pairs.other[:, 0, 2] > 0, np.asarray(start["book"])[:, 1] < 49
    kinds = {
        "all": np.ones(len(removed), np.bool_),
        "table pushed": ~removed & on_table,
        "table removed": removed,
        "table pushed, object beside it": ~removed & ~on_table,
    }
    found = {}
    for name, rows in kinds.items():
        one = cause_and_effect(model, env, some(pairs, rows), place, smallest=SMALLEST)
        found[name] = {**tc.reports.plain(one), "gain": one.gain}
    return found


def expectations(model: tc.models.WorldModel, chosen: Settings, shapes: Sequence[str]) -> dict[str, Any]:
    """Score violation of expectation with shapes of size 1."""
    triples = physics_triples(world(chosen, shapes, 1.0), chosen.triples, HELD_OUT)
    step = chosen.frameskip
    blocks = triples.action.reshape(len(triples), -1, step * triples.action.shape[-1])

    def kept(videos: Observation) -> Observation:
        return {"pixels": videos["pixels"][:, ::step]}

    coarse = replace(
        triples,
        normal=kept(triples.normal),
        appearance=kept(triples.appearance),
        impossible=kept(triples.impossible),
        action=blocks,
        event=-(-triples.event // step),
    )
    found = violation_of_expectation(model, coarse, steps=chosen.ahead)
    jumps = np.array(triples.scene) == "continuity"
    surprise = {kind: np.nanmean(values[jumps], axis=1) for kind, values in found.surprise.items()}
    higher = surprise["impossible"] > surprise["appearance"]
    return {
        "scenes": dict(found.scenes),
        "impossible": found.impossible.paired,
        "auroc": found.impossible.auroc,
        "over_appearance": found.over_appearance,
        "p_over_appearance": found.p_over_appearance,
        "teleport_over_appearance": tc.statistics.wilson(int(higher.sum()), len(higher)),
        "p_teleport": tc.statistics.mcnemar(higher, ~higher),
    }


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, laps = run.settings, Stopwatch()
    recorded = record(chosen, chosen.episodes, chosen.screens, 100 * run.seed)
    laps.end("collect")
    objectives = tc.objectives
    model = tc.models.WorldModel.for_spec(
        recorded.spec,
        size="tiny",
        seed=run.seed,
        latent=chosen.latent,
        frameskip=chosen.frameskip,
        encoders={"pixels": {"width": 32}},
        predictor={"name": "mlp", "width": 256},
    )
    half: dict[str, Any] = {"slices": 128, "scale_by_n": False}
    objective = (
        objectives.Prediction(steps=chosen.ahead)
        + 10 * objectives.SIGReg(name="moving", over="pooled", time_centred=True, channels=(0.0, 0.5), **half)
        + 10 * objectives.SIGReg(name="still", channels=(0.5, 1.0), **half)
        + objectives.InverseDynamics()
    )
    untrained = model.untrained()
    tc.train(
        model,
        objective,
        recorded.clips(chosen.ahead + 2, chosen.frameskip),
        steps=chosen.updates,
        seed=run.seed,
        to=run.work / "run",
        transforms=(RandomHues(),),
        config=tc.training.TrainingConfig(lr=2e-3, weight_decay=1e-4, threads=1, batch_size=chosen.batch),
    )
    untrained.set_statistics(model.statistics)
    laps.end("train")
    fit_on, held_out = record(chosen, chosen.readout_episodes, 0.0, HELD_OUT).split(0.8, seed=0)
    found: dict[str, Any] = {"data_hash": recorded.hash()}
    for name, one in (("trained", model), ("untrained", untrained)):
        one.eval()
        linear = tc.probing.fit(one, fit_on, "book", held_out=held_out)
        place = Perceptron(one, fit_on, held_out, chosen.readout_updates)
        found[name] = {
            "readout": {"r2": list(place.r2), "error": list(place.error), "linear_r2": list(linear.r2)},
            "unseen": effects(one, chosen, UNSEEN, place),
            "new_shape": effects(one, chosen, NEW_SHAPE, place),
            "expectation": expectations(one, chosen, ("book", "box", "ball")),
        }
        laps.end(f"evaluate_{name}")
    return {**found, "seconds": laps.seconds}


def report(results: Mapping[str, RunResult]) -> Report:
    one = next(iter(results.values())).values
    trained, rows = one["trained"], []
    for model in ("trained", "untrained"):
        for place, title in (("unseen", "unseen combinations"), ("new_shape", "new shape")):
            for kind, found in one[model][place].items():
                rows.append(
                    (
                        model,
                        title,
                        kind,
                        mean(found["error"]),
                        mean(found["copy_last"]),
                        mean(found["shuffled_actions"]),
                        f"{found['gain']:.2f}",
                        rate(found["right"]),
                    )
                )
    head = ("model", "objects", "intervention", "imagined", "copy", "shuffled actions", "gain", "right")
    cells = {"model": "{model}"}
    cells |= {scene: f"{{scenes[{scene}]:rate}}" for scene in trained["expectation"]["scenes"]}
    cells |= {
        "all": "{impossible:rate}",
        "over another colour": "{over_appearance:rate}",
        "teleport over another colour": "{teleport_over_appearance:rate}",
        "single videos, AUROC": "{auroc:mean}",
    }
    scenes = [{"model": model, **one[model]["expectation"]} for model in ("trained", "untrained")]
    errors = [
        (model, *(f"{value:.2f}" for name in ("r2", "error", "linear_r2") for value in one[model]["readout"][name]))
        for model in ("trained", "untrained")
    ]
    voe, everything = trained["expectation"], trained["unseen"]["all"]
    p = voe["p_teleport"]
    ahead = voe["teleport_over_appearance"]["rate"] > 0.5
    targets = [
        at_least("Impossible over normal videos, %", 100 * voe["impossible"]["rate"], 95, "{:.1f}"),
        Target("Teleport over another colour, sign test", "p < 0.001", f"p = {p:.2g}", met(p < 0.001 and ahead)),
        at_least("Error of the better baseline over that of imagination, unseen combinations", everything["gain"], 5),
        at_least("Right effects, 200 pairs of unseen combinations, %", 100 * everything["right"]["rate"], 95, "{:.1f}"),
    ]
    return Report(
        [
            table(head, rows),
            columns(cells, scenes),
            table(
                ("model", "R2 of x", "R2 of y", "error of x", "error of y", "R2 of x, linear", "R2 of y, linear"),
                errors,
            ),
        ],
        targets,
    )


STUDY = Study(
    name="physics",
    title="Table and book: expectation, cause and effect",
    summary=(
        "A table that can be pushed or removed and an object on it, from pixels of 32 x 32 and random actions; six "
        "combinations of shape and size in training, three others and a new shape in tests. Errors are mean distances "
        "of the object's position after 0.8 s, in units of a world 64 wide, read from frozen latents by a perceptron "
        "with two hidden layers. A pair is right if both imagined outcomes and their difference are less than half of "
        "the true effect away from the true ones; effects below 6 units count as 6. The button that removes a table is "
        "held for one block: in a first run, on the same pairs, it was held for half a block, as in 1 % of the "
        "training blocks, and the trained model imagined hardly any fall. Triples are 50 of each scene, with shapes of "
        "size 1."
    ),
    command="OMP_NUM_THREADS=1 uv run benchmarks/physics.py",
    cases={"table_and_book": Settings()},
    seeds=(0,),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

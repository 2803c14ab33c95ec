"""Unpredictable detail: what a JEPA and a model that predicts pixels keep of it, and how they plan next to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import tacit as tc
from tacit import studies
from tacit.recipes import AgentRecipe
from tacit.studies import Report, Run, RunResult, Study, Target, at_least, at_most, columns
from tacit.studies.speed import Stopwatch
from tacit.training.optimizer import adamw, optimizer_step
from tacit.types import ForecastRequest


@dataclass(frozen=True)
class Settings:
    """A world and a model of it. Options of the recipe were chosen on other training data and other tasks.

    Attributes:
        env: The world.
        pixels: Whether the model predicts pixels, through a decoder, instead of latents.
        episodes: Episodes of random actions, 100 steps each, nine tenths to train on.
        tasks: Held-out tasks.
    """

    env: str
    pixels: bool = False
    episodes: int = 400
    tasks: int = 200


class Decoder(nn.Module):
    """Transposed convolutions from a latent to an image, the encoder backwards."""

    def __init__(self, latent: int, shape: tuple[int, ...], width: int = 64) -> None:
        super().__init__()
        channels, *size = shape
        self.cells = tuple(extent // 16 for extent in size)
        self.width = width
        self.first = nn.Linear(latent, width * self.cells[0] * self.cells[1])
        self.stages = nn.Sequential(
            nn.ConvTranspose2d(width, width, 4, 2, 1),
            nn.GELU(),
            nn.ConvTranspose2d(width, width // 2, 4, 2, 1),
            nn.GELU(),
            nn.ConvTranspose2d(width // 2, channels, 4, 4),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Return images ``[N, C, H, W]`` of latents ``[N, D]``, as shares of full brightness."""
        cells = F.gelu(self.first(latents)).reshape(-1, self.width, *self.cells)
        images: Tensor = self.stages(cells)
        return images


def train_on_pixels(recipe: AgentRecipe, episodes: tc.data.Episodes, seed: int) -> Any:
    """Train the encoder and the predictor of a recipe to predict images, with the optimizer of the recipe.

    The loss is the squared error of the images of the latents of a clip, and of those predicted from its first one.
    """
    model = recipe.build_model(episodes.spec, seed)
    model.set_statistics(episodes.statistics())
    config, clips = recipe.training, recipe.clips(episodes, model)
    torch.manual_seed(seed)
    decoder = Decoder(model.latent_size, episodes.spec.modalities["pixels"].shape)
    parameters = [*model.parameters(), *decoder.parameters()]
    optimizer, request = adamw(parameters, config.lr, config.weight_decay), ForecastRequest(recipe.clip - 1, "first")
    for step in range(recipe.steps):
        clip = clips.batch(seed=seed, step=step, size=config.batch_size)
        images = clip.observation["pixels"].float() / 255
        forecast = model.forecast(clip, request)
        loss = F.mse_loss(decoder(forecast.latents.flatten(0, 1)), images.flatten(0, 1))
        for ahead, predicted in enumerate(forecast.predictions, 1):
            loss = loss + F.mse_loss(decoder(predicted[:, 0]), images[:, ahead]) / len(forecast.predictions)
        lr = config.lr_at(step, recipe.steps)
        optimizer_step(optimizer, parameters, loss, lr, config.weight_decay, config.clip_norm)
    return model.eval()


def measure(run: Run[Settings]) -> dict[str, Any]:
    chosen, laps = run.settings, Stopwatch()
    recorded = tc.collect(chosen.env, episodes=chosen.episodes, steps=100, seed=run.seed, progress=False)
    fit_on, held_out = recorded.split(0.9, seed=0)
    laps.end("collect")
    recipe = tc.recipes.load("two_rooms")()
    if chosen.pixels:
        agent = recipe.train_agent(train_on_pixels(recipe, fit_on, run.seed), fit_on, seed=run.seed)
    else:
        agent = recipe.learn(fit_on, seed=run.seed, to=run.work / "run", progress=False)
    laps.end("train")
    options: dict[str, Any] = {"fit_on": fit_on, "test_on": held_out, "progress": False}
    probes = {
        name: tc.probing.probe(agent.model, target=name, **options)
        for name in ("position", "detail")
        if name in recorded.labels
    }
    laps.end("probe")
    env = tc.envs.make_goal(chosen.env)
    actors = {"success": agent, "random": tc.agent.RandomActor(env.spec.action)}
    found = {
        name: tc.evaluation.closed_loop(actor, env, episodes=chosen.tasks, seed=1, progress=False)
        for name, actor in actors.items()
    }
    laps.end("plan")
    r2 = {name: {"linear": one.r2, "mlp": one.mlp_r2, **one.baselines} for name, one in probes.items()}
    return {"success": {name: one.success for name, one in found.items()}, "r2": r2, "seconds": laps.seconds}


def report(results: Mapping[str, RunResult]) -> Report:
    rows = dict(sorted(results.items()))
    cells: dict[str, Any] = {
        "world and model": "{case}",
        "seed": "{seed}",
        "solved": "{success[success]:rate}",
        "random": "{success[random]:rate}",
        "position R², linear / MLP": "{r2[position][linear]:.3f} / {r2[position][mlp]:.3f}",
        "detail R², linear / MLP": lambda row: both(row["r2"], "linear", "mlp"),
        "of the untrained encoder / of the image": lambda row: both(row["r2"], "untrained", "raw"),
        "training, CPU s": "{seconds[train_cpu]:.0f}",
    }
    return Report([columns(cells, rows)], targets({name: one.values for name, one in rows.items()}))


def both(r2: Mapping[str, Mapping[str, float]], first: str, second: str) -> str:
    """Return two shares of variance of the detail."""
    return f"{r2['detail'][first]:.3f} / {r2['detail'][second]:.3f}" if "detail" in r2 else ""


def targets(found: Mapping[str, Mapping[str, Any]]) -> list[Target]:
    """Return the targets of unpredictable detail, each on its worst run of the JEPA."""
    jepa = {name: one for name, one in found.items() if name.rpartition("/")[0] in ("noise", "rain", "texture")}
    clean = found.get("clean/0")
    if not jepa or clean is None:
        return []
    lost = max(100 * (clean["success"]["success"]["rate"] - one["success"]["success"]["rate"]) for one in jepa.values())
    count = f"worst of {len(jepa)} runs"
    kept = max(max(one["r2"]["detail"]["linear"], one["r2"]["detail"]["mlp"]) for one in jepa.values())
    least = min(max(one["r2"]["position"]["linear"], one["r2"]["position"]["mlp"]) for one in jepa.values())
    return [
        at_most(f"unpredictable detail, success less than without it, {count}, points", lost, 3, "{:.1f}"),
        at_most(f"unpredictable detail, R² of the detail in latents, linear or MLP, {count}", kept, 0.1, "{:.3f}"),
        at_least(f"unpredictable detail, R² of the position in latents, linear or MLP, {count}", least, 0.95, "{:.3f}"),
    ]


WORLDS = ("noise", "rain", "texture", "drift")
STUDY = Study(
    name="detail",
    title="Unpredictable detail",
    summary=(
        "Two Rooms with detail that has nothing to do with it: half of the image is noise, rain whose drops reappear "
        "anywhere, a texture whose phases walk at random, and for comparison one that drifts at a constant pace, which "
        "can be predicted and has no target. 200 held-out tasks; goals show detail of their own. The recipe two_rooms, "
        "unchanged, and the same encoder and predictor trained to predict images through a decoder of the same size, "
        "with the same optimizer and as many updates. R² of held-out episodes: of the position, and of what the "
        "current image shows of the detail (greys of blocks, drops in cells, cosines and sines of phases)."
    ),
    command="uv run benchmarks/detail.py",
    cases={
        "clean": Settings("two_rooms"),
        **{name: Settings(f"distracted:two_rooms,detail={name}") for name in WORLDS},
        "clean_pixels": Settings("two_rooms", pixels=True),
        **{f"{name}_pixels": Settings(f"distracted:two_rooms,detail={name}", pixels=True) for name in WORLDS[:3]},
    },
    seeds=(0,),
    seeds_of=dict.fromkeys(("noise", "rain", "texture"), (0, 1, 2)),
    measure=measure,
    report=report,
)

if __name__ == "__main__":
    studies.main(STUDY)

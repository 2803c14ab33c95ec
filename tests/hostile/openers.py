"""What a user does with a file of each kind; each opener takes the folder of a specimen."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import tacit as tc
from hostile import specimens
from tacit import checkpoint
from tacit.agent import Agent
from tacit.errors import TacitError
from tacit.models import Model
from tacit.training import read_log

__all__ = ["OPENERS"]

Opener = Callable[[Path], None]


def tried(*steps: Callable[[], object]) -> None:
    """Take every step, and raise the first error of Tacit at the end; any other error ends it at once."""
    failed: TacitError | None = None
    for step in steps:
        try:
            step()
        except TacitError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def dataset(path: Path, **options: object) -> None:
    def read() -> None:
        episodes = tc.data.open(path, **options)
        for index in range(min(len(episodes), 20)):
            if episodes.lengths[index] <= 10**6:
                episodes[index]

    def learn() -> None:
        episodes = tc.data.open(path, **options)
        if episodes.lengths.max() >= 2:
            episodes.clips(2).batch(0, 0, 4)
        episodes.statistics()

    tried(
        lambda: tc.data.info(path, **options), read, learn, lambda: [str(one) for one in tc.data.check(path, **options)]
    )


def the_dataset(folder: Path) -> None:
    dataset(folder / "data")


def every_file(folder: Path) -> None:
    files = [file for file in sorted(folder.iterdir()) if file.is_file() or not file.is_dir()]
    tried(*(lambda file=file: dataset(file) for file in files if not file.name.startswith(".")))


def signals(folder: Path) -> None:
    tried(lambda: dataset(folder), lambda: dataset(folder, gaps="split"))


def images(folder: Path) -> None:
    tried(lambda: dataset(folder / "data", size=8), lambda: dataset(folder / "data", size=8, on_error="skip"))


def hdf5(folder: Path) -> None:
    dataset(folder / "data.h5")


def clockless(folder: Path) -> None:
    (path,) = [path for path in folder.iterdir() if path.stem == "data"]
    dataset(path, fps=10)


def models(folder: Path) -> None:
    places = [folder / name for name in ("world", "masked")]
    tried(
        *(lambda place=place: checkpoint.load(place) for place in places),
        *(lambda place=place: checkpoint.load_model(place, kind=Model) for place in places),
        lambda: checkpoint.load_model(folder / "world"),
        lambda: checkpoint.start_from(specimens.world_model(), folder / "world"),
    )


def agent(folder: Path) -> None:
    actor = Agent.load(folder / "agent")
    modalities = actor.model.config.spec.modalities
    seen = {name: np.zeros((1, *one.shape), one.dtype) for name, one in modalities.items() if np.prod(one.shape) < 1e7}
    state = actor.start(seed=0, batch=1, goal=seen)
    for _ in range(3):
        _, _, state = actor.act(state, seen)


def run(folder: Path) -> None:
    from tacit.cli._run import agent_of, other_world
    from tacit.runs import RunRecord

    place = folder / "run"

    def resume() -> None:
        model, data = specimens.world_model(), tc.data.open(folder / "data")
        objective = tc.objectives.Prediction() + 0.1 * tc.objectives.SIGReg()
        tc.train(model, objective, data.clips(4, frameskip=2), steps=3, seed=0, to=place, batch_size=4, log_every=1)

    def begin() -> None:
        with RunRecord.load(place).begun(place):
            pass

    def split() -> None:
        RunRecord.load(place).split(folder / "data")

    tried(
        begin,
        split,
        lambda: other_world(place, "two_rooms"),
        lambda: checkpoint.load_model(place),
        lambda: read_log(place),
        resume,
        lambda: agent_of(place, "cpu"),
    )


def embedding(folder: Path) -> None:
    def read() -> None:
        found = tc.embeddings.open_embedding(folder / "latents")
        fit, held = found.split(0.5)
        fit.values[torch.arange(len(fit.values))]
        held.values[torch.arange(len(held.values))]

    tried(read, lambda: tc.embeddings.open_embedding(folder / "latents").verify())


def collection(folder: Path) -> None:
    tried(
        lambda: tc.collect("point_mass", episodes=3, steps=5, to=folder / "data"),
        lambda: dataset(folder / "data"),
    )


def staged(folder: Path) -> None:
    def finish() -> None:
        with tc.data.Writer(folder / "data", specimens.VECTOR) as writer:
            writer.add(specimens.episode(7, specimens.VECTOR))

    def look() -> None:
        tc.data.open(folder / "data")

    tried(look, finish, look)


def published(folder: Path) -> None:
    files = [file for file in sorted(folder.iterdir()) if not file.is_dir()]
    tried(*(lambda file=file: _converted(file) for file in files))


def published_hub(folder: Path) -> None:
    tried(lambda: _converted(folder), lambda: tc.published.convert(folder, part="encoder"))


def _converted(path: Path) -> None:
    model = tc.published.convert(path, heads=2, predictor_heads=2)
    for value in model.state_dict().values():
        value.float().sum()


OPENERS: dict[str, Opener] = {
    "lerobot": the_dataset,
    "lerobot_foreign": the_dataset,
    "lerobot_cached": the_dataset,
    "hdf5": hdf5,
    "csv": signals,
    "tsv": signals,
    "parquet": signals,
    "wfdb": signals,
    "edf": signals,
    "lerobot_v2": the_dataset,
    "robomimic": clockless,
    "minari": clockless,
    "replay_buffer": clockless,
    "images": images,
    "videos": every_file,
    "checkpoints": models,
    "agent": agent,
    "run": run,
    "embedding": embedding,
    "collection": collection,
    "staged": staged,
    "published": published,
    "published_hub": published_hub,
}

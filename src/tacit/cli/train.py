"""Train a model on recorded episodes, with the agent of its recipe, if any."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from tacit._registry import listed

__all__ = ["train"]

RECIPES = (
    f"A method of tacit.recipes: {', '.join(listed('tacit.recipes'))}. Or a run, whose recipe it takes with all "
    "options. Chosen from the data where none is named."
)


def train(
    data: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DATASET")],
    /,
    *,
    to: Path,
    recipe: Annotated[str, tyro.conf.arg(help=RECIPES)] = "",
    steps: int | None = None,
    seed: int = 0,
    device: str = "auto",
    start: Path | None = None,
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    read: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
) -> None:
    """Train on nine tenths of the episodes and keep the rest for probes; run it again to continue after a kill.

    For example: tacit train data/two_rooms --recipe two_rooms --set training.lr=5e-4 --to runs/two_rooms

    For example: tacit train data/more --recipe runs/two_rooms --to runs/more

    For example: tacit train data/aloha --read size=64 --read skip=observation.images.depth --to runs/aloha

    Args:
        data: A dataset.
        to: The directory of the run.
        recipe: A method of tacit.recipes, or a run; chosen from the data by default.
        steps: The number of updates; by default the one of the recipe.
        seed: Seed of the weights, the batches and everything else.
        device: cpu, cuda, cuda:1, mps or auto.
        start: A run that gives the initial weights, such as the one before a cool-down on longer clips.
        set: An option of the recipe to replace, NAME=VALUE with a dotted name; repeat it for several options.
        read: A reading option, NAME=VALUE; repeat it for several options: those of tacit.data.open, which the run
            stores.
    """
    import tacit as tc
    from tacit.cli._run import device as chosen
    from tacit.cli._run import options, reading

    changed = {**options(set), **({} if steps is None else {"steps": steps})}
    how, cache = reading(read)
    training = tc.recipes.prepare_run(
        data, recipe, changed, seed=seed, device=chosen(device), start=start, reading=how, cache=cache
    )
    if not recipe:
        print(f"recipe {training.record.recipe}, chosen from the data; --recipe names another, --set changes an option")
        for option, reason in training.record.reasons.items():
            print(f"  {option}: {reason}")
    print(f"{len(training.fit_on)} episodes to train on, {len(training.held_out)} held out")
    training.train(to)
    print(f"{to}: done. Next: tacit probe {to}")

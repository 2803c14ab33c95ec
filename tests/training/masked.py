"""A training on masked images that notes which masks and which crops each step has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import tacit as tc
from tacit.data import Clips
from tacit.training import Hook
from tacit.types import Clip, Transform

SPEC = tc.Spec({"pixels": tc.Modality("pixels", (3, 32, 32))})


@dataclass(frozen=True)
class Recorded:
    """A transform, and what it made of the same image at each step.

    Attributes:
        inner: The transform.
        masks: The context tokens ``[B, N]`` of every call, if it draws masks.
        crops: A ramp of grey after it, of every call.
    """

    inner: Transform
    masks: list[Tensor] = field(default_factory=list, repr=False)
    crops: list[Tensor] = field(default_factory=list, repr=False)

    def __call__(self, clip: Clip, *, seed: int, rank: int) -> Clip:
        made = self.inner(clip, seed=seed, rank=rank)
        if made.masks:
            self.masks.append(made.masks[0].context)
        else:
            ramp = torch.arange(32 * 32).reshape(32, 32).div(4).byte().expand_as(clip.observation["pixels"])
            shown = self.inner(replace(clip, observation={"pixels": ramp}), seed=seed, rank=rank)
            self.crops.append(shown.observation["pixels"])
        return made


def record(
    to: Path, steps: int, hooks: Callable[[Clips], Sequence[Hook]] = lambda _: ()
) -> tuple[list[Tensor], list[Tensor]]:
    """The masks and the crops of each step that this process takes part in."""
    rng = np.random.default_rng(0)
    images = [
        tc.Episode({"pixels": rng.integers(0, 256, (1, 3, 32, 32), dtype=np.uint8)}, np.empty((0, 0), np.float32))
        for _ in range(8)
    ]
    recipe = tc.recipes.IJEPA(size="nano", model={"width": 24, "depth": 1, "predictor_depth": 1})
    model = recipe.build_model(SPEC, seed=0)
    crop, masks = (Recorded(transform) for transform in recipe.transforms(model))
    options = {"seed": 3, "to": to, "batch_size": 8, "threads": 1, "transforms": (crop, masks)}
    episodes = tc.data.from_episodes(images, SPEC)
    recipe.train(model, episodes, steps=steps, hooks=hooks(recipe.clips(episodes, model)), **options)
    return masks.masks, crop.crops

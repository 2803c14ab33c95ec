"""Specification of a training run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

from torch import nn

from tacit._config import to_json
from tacit.data.clips import Clips
from tacit.errors import ConfigError
from tacit.models import Model
from tacit.nn.collectives import world_size
from tacit.objectives import Objective
from tacit.training.config import TrainingConfig
from tacit.training.transforms import ChecksClips
from tacit.types import Forecast, Transform

__all__ = ["RunSpec"]


@dataclass(frozen=True, eq=False)
class RunSpec:
    """Model, data, number of steps and options of a training run; see :func:`tacit.train`."""

    model: Model
    objective: Objective
    clips: Clips
    transforms: tuple[Transform, ...]
    steps: int
    seed: int
    config: TrainingConfig
    start: str = ""

    def check(self) -> None:
        """Refuse parts that do not fit together.

        Raises:
            ConfigError: with the required change.
        """
        model, clips = self.model, self.clips
        _check_model(model)
        if self.seed < 0:
            raise ConfigError(f"a training needs seed >= 0; got {self.seed}.")
        self.config.check(self.steps)
        if not isinstance(clips, Clips):
            raise ConfigError(f"train takes clips, episodes.clips(length); got {type(clips).__name__}.")
        self.objective.check(model.forecast_type)
        ahead = self.objective.request().steps if self.model.forecast_type is Forecast else 0
        if clips.length <= ahead:
            raise ConfigError(
                f"the objective predicts {ahead} steps ahead, so clips need at least {ahead + 1} "
                f"observations; they have {clips.length}. Use episodes.clips({ahead + 1}) or a lower steps=."
            )
        if clips.frameskip != model.frameskip:
            raise ConfigError(
                f"the model takes frameskip={model.frameskip}, the clips have frameskip={clips.frameskip}. "
                "Make them alike: episodes.clips(length, frameskip=model.frameskip)."
            )
        if self.config.batch_size % world_size():
            raise ConfigError(f"batch_size={self.config.batch_size} does not divide over {world_size()} processes.")
        for transform in self.transforms:
            if isinstance(transform, ChecksClips):
                transform.check(clips)

    def identity(self) -> dict[str, Any]:
        """Return the values that must be equal for a run to resume. Prepare the objective first."""
        return {
            "model": to_json(self.model.config),
            "objective": to_json(self.objective.describe()),
            "length": self.clips.length,
            "episodes": self.clips.episodes.hash(),
            "steps": self.steps,
            "seed": self.seed,
            "processes": world_size(),
            **self.config.result_options(),
            **({"start": self.start} if self.start else {}),
            **({"transforms": [repr(one) for one in self.transforms]} if self.transforms else {}),
        }


def _check_model(model: object) -> None:
    """Refuse a model that cannot be trained and saved.

    Raises:
        ConfigError: if it is no model of Tacit, or it or a part of it was compiled.
    """
    dynamo = sys.modules.get("torch._dynamo.eval_frame")  # takes seconds to import, and torch.compile has done so
    parts = model.named_modules() if dynamo is not None and isinstance(model, nn.Module) else ()
    compiled = [name or "the model" for name, part in parts if isinstance(part, vars(dynamo)["OptimizedModule"])]
    if compiled:
        raise ConfigError(
            f"train takes modules that are not compiled, so that checkpoints can name their weights; {compiled[0]} is "
            "the result of torch.compile. Train the module that it was made of."
        )
    if not isinstance(model, Model):
        raise ConfigError(f"train takes a model of tacit.models, or a subclass of one; got {type(model).__name__}.")

"""Disagreement of several predictors of the current latent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tacit._arrays import Numbers, as_numbers
from tacit.errors import ConfigError
from tacit.guard._measure import part_slices
from tacit.guard._score import CalibratedScore
from tacit.types import Sensed

__all__ = ["Ensemble"]


@dataclass(frozen=True, eq=False)
class Ensemble(CalibratedScore):
    """The variance between predictors of the current latent from the one before, per latent part.

    Each of the ``M`` members is a network with one hidden layer that predicts the change of a latent from the latent
    and the raw block; see :func:`tacit.training.train_ensemble`. The members agree where they had training data.

    Args:
        mean: ``[D + A']`` subtracted from latent and block.
        std: ``[D + A']`` the divisor.
        hidden: ``[M, D + A', W]`` weights of the hidden layer, with a ReLU.
        hidden_bias: ``[M, W]``.
        output: ``[M, W, D]`` weights of the output.
        output_bias: ``[M, D]``.

    Raises:
        ConfigError: if the shapes do not fit or there are fewer than two members.
    """

    mean: Numbers
    std: Numbers
    hidden: Numbers
    hidden_bias: Numbers
    output: Numbers
    output_bias: Numbers

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            object.__setattr__(self, name, np.asarray(value, np.float32))
        members, inputs, width = self.hidden.shape if self.hidden.ndim == 3 else (0, 0, 0)
        size = self.output.shape[-1]
        shapes = [part.shape for part in (self.mean, self.std, self.hidden_bias, self.output, self.output_bias)]
        wanted = [(inputs,), (inputs,), (members, width), (members, width, size), (members, size)]
        if members < 2 or shapes != wanted:
            raise ConfigError(f"Ensemble needs two members or more of shapes {wanted}; got {shapes}.")

    @property
    def name(self) -> str:
        """Return the name of the score."""
        return "ensemble disagreement"

    def __call__(self, sensed: Sensed, /) -> npt.NDArray[np.float64]:
        """Return scores; see :class:`tacit.types.GuardScore`."""
        variances = np.full((sensed.batch, max(len(sensed.parts), 1)), np.nan)
        if sensed.before is not None and sensed.block is not None:
            given = np.concatenate([as_numbers(sensed.before.latents[:, -1], None), sensed.block], axis=1)
            if given.shape[1] != len(self.mean):
                raise ConfigError(f"{self.name} reads {len(self.mean)} numbers; got {given.shape[1]}.")
            inputs = (given - self.mean) / self.std
            active = np.maximum(np.einsum("bi,miw->mbw", inputs, self.hidden) + self.hidden_bias[:, None], 0)
            changes = np.einsum("mbw,mwd->mbd", active, self.output) + self.output_bias[:, None]
            variance = changes.astype(np.float64).var(axis=0)
            for index, part in enumerate(part_slices(sensed.parts)):
                variances[:, index] = variance[:, part].mean(axis=1)
        return variances if sensed.parts else variances[:, 0]

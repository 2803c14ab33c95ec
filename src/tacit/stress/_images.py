"""Base class of perturbations that change images."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError
from tacit.stress._graded import Graded
from tacit.stress._perturbation import Perturbed
from tacit.types import GoalEnvironment, Observation

__all__ = ["Images", "PixelChange"]

Images = npt.NDArray[np.float32]
"""Images ``[B, C, H, W]`` with values from 0 to 255."""
Drawn = TypeVar("Drawn")


class PixelChange(Graded, Generic[Drawn]):
    """Base class of changes of all images of an environment, from the start on.

    A subclass is a frozen dataclass and implements :meth:`apply`, and :meth:`draw` where an episode has random numbers
    of its own. A change of an image is a function of these numbers, of the step, and of a generator that belongs to the
    world.
    """

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`.

        Raises:
            ConfigError: if the environment shows no images.
        """
        if not env.spec.cameras:
            raise ConfigError(
                f"{type(self).__name__} changes images; the observations are {', '.join(env.spec.modalities)}."
            )
        return _Changed(env, seed, self)

    def draw(self, generator: np.random.Generator) -> Drawn | None:  # noqa: ARG002 - a subclass may draw
        """Return the random numbers of an episode."""
        return None

    def apply(
        self, image: Images, drawn: Drawn, step: int, generator: np.random.Generator
    ) -> npt.NDArray[np.floating[Any]]:
        """Return the changed image.

        Args:
            image: ``[C, H, W]`` with values from 0 to 255.
            drawn: The numbers of the episode.
            step: Steps since its start.
            generator: A source of further numbers.
        """
        raise NotImplementedError


class _Changed(Perturbed):
    """Environment of a :class:`PixelChange`."""

    def __init__(self, env: GoalEnvironment, seed: int, change: PixelChange[Any]) -> None:
        self._change = change
        super().__init__(env, seed)

    def changed(self, observation: Observation) -> Observation:
        """Return the observation with changed images."""
        shown = dict(observation)
        for name in self.env.spec.cameras:
            if name in shown:
                rows = zip(np.asarray(shown[name], np.float32), self._drawn, self.generators, strict=True)
                images = [self._change.apply(image, drawn, self.elapsed, one) for image, drawn, one in rows]
                shown[name] = np.clip(np.rint(np.stack(images)), 0, 255).astype(np.uint8)
        return shown

    def _rest(self, count: int) -> None:
        super()._rest(count)
        self._drawn = [self._change.draw(one) for one in self.generators]

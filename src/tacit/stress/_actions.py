"""Base class of perturbations that change actions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tacit.errors import ConfigError
from tacit.stress._graded import Graded
from tacit.stress._perturbation import Perturbed
from tacit.types import Box, GoalEnvironment, Transition

__all__ = ["ActionChange", "Changed"]

Actions = npt.NDArray[np.float32]


class Changed(Perturbed):
    """An environment that executes other actions than the given ones.

    A subclass implements :meth:`executed`.
    """

    def step(self, action: Actions) -> Transition:
        """Apply the changed action; see :class:`tacit.types.Environment`."""
        space = self.env.spec.action
        assert isinstance(space, Box)
        done = self.executed(np.asarray(action, np.float32))
        return super().step(np.clip(done, space.low, space.high).astype(np.float32))

    def executed(self, action: Actions) -> Actions:
        """Return the executed actions ``[B, A]``."""
        raise NotImplementedError


class ActionChange(Graded):
    """Base class of changes of continuous actions; a subclass returns its environment in :meth:`changed`."""

    def __call__(self, env: GoalEnvironment, seed: int) -> GoalEnvironment:
        """See :class:`tacit.stress.Perturbation`.

        Raises:
            ConfigError: if the actions are not continuous.
        """
        if not isinstance(env.spec.action, Box):
            raise ConfigError(f"{type(self).__name__} changes continuous actions; got {env.spec.action}.")
        return self.changed(env, seed)

    def changed(self, env: GoalEnvironment, seed: int) -> Changed:
        """Return the changed environment."""
        raise NotImplementedError

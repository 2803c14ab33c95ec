"""The base class of wrappers of environments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tacit.types import Array, Environment, Observation, Spec, Transition

__all__ = ["Wrapper"]


class Wrapper:
    """An environment that changes another one; members that a subclass does not override are forwarded.

    ::

        class Noisy(tc.envs.Wrapper):
            def step(self, action):
                return super().step(action + 0.1)

    Methods that only some environments have, such as ``tasks`` and ``simulate``, are forwarded too, so that a wrapped
    goal environment is a goal environment.

    Args:
        env: The wrapped environment.
    """

    def __init__(self, env: Environment) -> None:
        self.env = env

    def __getattr__(self, name: str) -> Any:
        if name == "env":  # not set yet, as during a copy
            raise AttributeError(name)
        return getattr(self.env, name)

    @property
    def spec(self) -> Spec:
        """See :class:`tacit.types.Environment`."""
        return self.env.spec

    @property
    def num_envs(self) -> int:
        """See :class:`tacit.types.Environment`."""
        return self.env.num_envs

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """See :class:`tacit.types.Environment`."""
        return self.env.reset(seed)

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """See :class:`tacit.types.Environment`."""
        return self.env.step(action)

    def labels(self) -> Mapping[str, Array]:
        """See :class:`tacit.types.Environment`."""
        return self.env.labels()

    def close(self) -> None:
        """See :class:`tacit.types.Environment`."""
        self.env.close()

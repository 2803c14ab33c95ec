"""An environment whose images hold detail that has nothing to do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tacit._check import require_goals
from tacit._registry import suggest
from tacit._seeds import derive_seed
from tacit.envs._details import DETAILS
from tacit.envs._wrapper import Wrapper
from tacit.errors import ConfigError
from tacit.types import Array, GoalEnvironment, Modality, Observation, Spec, State, Tasks, Transition

__all__ = ["Distracted"]

VALUES, SEED, STEP = OWN = ("detail_values", "detail_seed", "detail_step")
"""Members of a state that belong to the detail."""


class Distracted(Wrapper):
    """A goal environment with detail in its images that actions do not change.

    A model that predicts pixels has to model the detail. One that predicts representations can leave it out where it
    cannot be predicted: ``noise`` (half of the image), ``rain`` and ``texture``. ``drift`` is the texture at a constant
    pace, which can be predicted. Goals show detail of their own. On the command line:
    ``distracted:two_rooms,detail=rain``.

    Args:
        env: An environment with goals and a camera, or its name as in :func:`tacit.envs.make`.
        detail: ``noise``, ``rain``, ``texture`` or ``drift``.
        num_envs: Worlds in the batch, where ``env`` is a name.

    Raises:
        ConfigError: if there is no such detail, or the environment has no goals or no camera.
    """

    def __init__(self, env: str | GoalEnvironment, detail: str = "noise", num_envs: int = 1) -> None:
        if detail not in DETAILS:
            raise ConfigError(f"there is no detail {detail!r}.{suggest(detail, DETAILS)} It is {', '.join(DETAILS)}.")
        if isinstance(env, str):
            from tacit.envs import make

            env = require_goals(make(env, num_envs), env)
        super().__init__(require_goals(env, type(self).__name__))
        self.env: GoalEnvironment
        spec = env.spec
        if not spec.cameras:
            raise ConfigError(f"Distracted changes images; the observations are {', '.join(spec.modalities)}.")
        self._detail = DETAILS[detail]
        self._spec = replace(spec, modalities={name: self._modality(one) for name, one in spec.modalities.items()})
        self._own = self._drawn(np.random.default_rng(0), env.num_envs)

    @property
    def spec(self) -> Spec:
        """See :class:`tacit.types.Environment`."""
        return self._spec

    def reset(self, seed: int | Sequence[int]) -> Observation:
        """See :class:`tacit.types.Environment`."""
        observation = self.env.reset(seed)
        if isinstance(seed, (Sequence, np.ndarray)):
            drawn = [self._drawn(np.random.default_rng(derive_seed(int(one), 1)), 1) for one in seed]
            self._own = {name: np.concatenate([one[name] for one in drawn]) for name in OWN}
        else:
            self._own = self._drawn(np.random.default_rng(derive_seed(seed, 1)), self.num_envs)
        return self._shown(observation, self._own)

    def begin(self, state: State) -> Observation:
        """See :class:`tacit.types.GoalEnvironment`."""
        observation = self.env.begin(_inner(state))
        self._own = {name: np.array(state[name], np.float64) for name in OWN}
        return self._shown(observation, self._own)

    def step(self, action: npt.NDArray[np.float32]) -> Transition:
        """See :class:`tacit.types.Environment`."""
        transition = self.env.step(action)
        self._own = self._following(self._own)
        return replace(transition, observation=self._shown(transition.observation, self._own))

    def labels(self) -> Mapping[str, Array]:
        """Return the labels of the environment, and ``detail [B, L]``: what the images show of it."""
        return {**self.env.labels(), "detail": self._detail.label(self._own[VALUES]).astype(np.float32)}

    def state(self) -> State:
        """See :class:`tacit.types.GoalEnvironment`."""
        return {**self.env.state(), **{name: values.copy() for name, values in self._own.items()}}

    def observe(self, state: State) -> Observation:
        """See :class:`tacit.types.GoalEnvironment`."""
        return self._shown(self.env.observe(_inner(state)), state)

    def tasks(self, count: int, seed: int) -> Tasks:
        """Draw the tasks of the environment; start and goal show detail of their own."""
        drawn, generator = self.env.tasks(count, seed), np.random.default_rng(derive_seed(seed, 2))
        start, goal = ({**state, **self._drawn(generator, count)} for state in (drawn.start, drawn.goal))
        return Tasks(start, goal, drawn.budget)

    def distance(self, state: State, goal: State) -> npt.NDArray[np.float64]:
        """Compute the distance ``[B]`` of the environment, which no detail changes."""
        return self.env.distance(_inner(state), _inner(goal))

    def simulate(self, state: State, actions: npt.NDArray[np.float32]) -> State:
        """Compute the true states ``[B, H, ...]`` after each of the actions ``[B, H, A]``."""
        found = self.env.simulate(_inner(state), actions)  # type: ignore[attr-defined]
        own, steps = {name: np.asarray(state[name], np.float64) for name in OWN}, []
        for _ in range(actions.shape[1]):
            own = self._following(own)
            steps.append(own)
        return {**found, **{name: np.stack([one[name] for one in steps], axis=1) for name in OWN}}

    def expert(self, state: State, goal: State) -> npt.NDArray[np.float32]:
        """Return the actions of the expert of the environment."""
        action: npt.NDArray[np.float32] = self.env.expert(_inner(state), _inner(goal))  # type: ignore[attr-defined]
        return action

    def _modality(self, one: Modality) -> Modality:
        if one.kind != "pixels" or not self._detail.beside:
            return one
        channels, height, width = one.shape
        return replace(one, shape=(channels, height, 2 * width))

    def _drawn(self, generator: np.random.Generator, count: int) -> dict[str, npt.NDArray[np.float64]]:
        """Draw the detail of new episodes."""
        return {
            VALUES: np.stack([self._detail.first(generator) for _ in range(count)]),
            SEED: generator.integers(0, 2**31, (count, 1)).astype(np.float64),
            STEP: np.zeros((count, 1)),
        }

    def _following(self, own: State) -> dict[str, npt.NDArray[np.float64]]:
        """Return the detail one step later: a function of its state alone."""
        rows = zip(own[VALUES], own[SEED][:, 0], own[STEP][:, 0], strict=True)
        values = [
            self._detail.following(one, np.random.default_rng((int(seed), int(step)))) for one, seed, step in rows
        ]
        return {
            VALUES: np.stack(values),
            SEED: np.asarray(own[SEED], np.float64),
            STEP: np.asarray(own[STEP], np.float64) + 1,
        }

    def _shown(self, observation: Observation, own: State) -> Observation:
        """Return the observation with the detail in the images of all cameras."""
        shown, values = dict(observation), np.asarray(own[VALUES], np.float64)
        for name in self.spec.cameras:
            image = np.asarray(shown[name], np.float64)
            painted = self._detail.paint(image, values)
            whole = np.concatenate([image, painted], axis=3) if self._detail.beside else painted
            shown[name] = np.rint(np.clip(whole, 0, 255)).astype(np.uint8)
        return shown


def _inner(state: State) -> State:
    """Return the members of a state that belong to the wrapped environment."""
    return {name: values for name, values in state.items() if name not in OWN}

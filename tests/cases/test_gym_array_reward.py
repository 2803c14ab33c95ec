"""An environment whose rewards are arrays of shape (1,) is collected: rewards are not used."""

import gymnasium
import numpy as np
from gymnasium import spaces

import tacit as tc


class Arm(gymnasium.Env):  # type: ignore[type-arg]
    metadata = {"render_modes": [], "render_fps": 10}  # noqa: RUF012
    observation_space = spaces.Box(-10, 10, (2,), np.float32)
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed=None, options=None):  # type: ignore[no-untyped-def]
        super().reset(seed=seed)
        self.place = np.zeros(2, np.float32)
        return self.place.copy(), {}

    def step(self, action):  # type: ignore[no-untyped-def]
        self.place = self.place + action.astype(np.float32)
        return self.place.copy(), -np.abs(self.place[:1]), False, False, {}


def test_rewards_may_be_arrays() -> None:
    episodes = tc.collect(tc.envs.GymnasiumEnvironment(Arm, num_envs=2), episodes=2, steps=4)
    for episode in episodes:
        np.testing.assert_allclose(episode.observation["state"][1:], np.cumsum(episode.action, axis=0), rtol=1e-5)

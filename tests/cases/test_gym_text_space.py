"""An environment with a text in its observation, as MiniGrid's are, is collected without the text."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

import tacit as tc


class Words(gymnasium.Env):  # type: ignore[type-arg]
    """Shows an image, a direction and a sentence, as MiniGrid does."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.render_mode = render_mode
        self.observation_space = spaces.Dict(
            {
                "image": spaces.Box(0, 255, (7, 7, 3), np.uint8),
                "direction": spaces.Discrete(4),
                "mission": spaces.Text(64),
            }
        )
        self.action_space = spaces.Discrete(7)

    def _show(self) -> dict[str, object]:
        image = self.np_random.integers(0, 10, (7, 7, 3), dtype=np.uint8)
        return {"image": image, "direction": int(image[0, 0, 0] % 4), "mission": "reach the goal"}

    def reset(self, *, seed=None, options=None):  # type: ignore[no-untyped-def]
        super().reset(seed=seed)
        return self._show(), {}

    def step(self, action):  # type: ignore[no-untyped-def]
        return self._show(), 0.0, False, False, {}

    def render(self):  # type: ignore[no-untyped-def]
        return np.zeros((64, 64, 3), np.uint8)


def test_the_image_alone_is_collected() -> None:
    env = tc.envs.GymnasiumEnvironment(Words, modalities=["image"])
    episodes = tc.collect(env, episodes=2, steps=5)
    for episode in episodes:
        assert episode.observation["image"].shape == (6, 3, 7, 7) and set(episode.observation) == {"image"}
        assert set(episode.labels) == {"direction", "next.reward"}
        assert np.array_equal(episode.labels["direction"].argmax(axis=1), episode.observation["image"][:, 0, 0, 0] % 4)


def test_the_text_is_refused_with_the_way_to_leave_it_out() -> None:
    with pytest.raises(
        tc.errors.SpecError, match=r"environment 'Words' .*'mission': a Text .*modalities=\[.direction.,.image.\]"
    ):
        tc.envs.GymnasiumEnvironment(Words)

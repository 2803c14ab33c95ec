"""The Gymnasium adapter against Gymnasium itself."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from envs._gl import require_gl
from tacit.envs import GymnasiumEnvironment
from tacit.envs._gymnasium_batches import LocalBatch
from tacit.envs._spaces import resize
from tacit.errors import ConfigError, TacitError
from tacit.types import Discrete as OurDiscrete


class Counter(gymnasium.Env[Any, Any]):
    """Counts its steps and terminates after ``length`` of them; draws the count as a grey level."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 7}  # noqa: RUF012
    action_space = Discrete(3, start=5)
    observation_space = Dict({"count": Box(-np.inf, np.inf, (1, 1)), "last": Discrete(3, start=5)})

    def __init__(self, length: int = 4, render_mode: str | None = "rgb_array") -> None:
        self.length, self.render_mode, self.count, self.resets = length, render_mode, 0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.count = 0
        self.resets += 1
        return self.show(5), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1
        return self.show(int(action)), 0.0, self.count >= self.length, False, {}

    def show(self, action: int) -> dict[str, Any]:
        return {"count": np.full((1, 1), self.count, np.float32), "last": action}

    def render(self) -> Any:
        return np.full((20, 30, 3), 10 * self.count, np.uint8)


@pytest.mark.parametrize("name", ["CartPole-v1", "Pendulum-v1", "MountainCarContinuous-v0"])
def test_episodes_are_gymnasiums_own(name: str) -> None:
    env, reference = GymnasiumEnvironment(name, 2), gymnasium.make(name)
    shown = env.reset([3, 4])["state"][1]
    expected, _ = reference.reset(seed=4)
    rng = np.random.default_rng(0)
    for _ in range(30):
        np.testing.assert_allclose(shown, np.asarray(expected, np.float32))
        raw: Any
        if isinstance(env.spec.action, OurDiscrete):
            raw = int(rng.integers(2))
            row = np.eye(2, dtype=np.float32)[raw]
        else:
            raw = row = rng.uniform(env.spec.action.low, env.spec.action.high).astype(np.float32)
        now = env.step(np.stack([row, row]))
        expected, _, terminated, truncated, _ = reference.step(raw)
        shown = now.observation["state"][1]
        assert (now.terminated[1], now.truncated[1]) == (terminated, truncated)
        if terminated or truncated:
            break


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_no_episode_crosses_a_reset(mode: AutoresetMode) -> None:
    vector = SyncVectorEnv([lambda: Counter(3), lambda: Counter(5)], autoreset_mode=mode)
    env = GymnasiumEnvironment(vector)
    env.reset(0)
    seen = [env.step(np.eye(3, dtype=np.float32)[[1, 2]]) for _ in range(12)]
    assert [now.observation["count"].ravel().tolist() for now in seen] == [
        [min(step, 3), min(step, 5)] for step in range(1, 13)
    ]
    assert [now.terminated.tolist() for now in seen] == [[step >= 3, step >= 5] for step in range(1, 13)]
    assert not any(now.truncated.any() for now in seen)
    assert (seen[-1].observation["last"] == np.eye(3)[[1, 2]]).all(), "actions count from the space's start"
    assert env.reset(1)["count"].tolist() == [[0], [0]]
    assert env.step(np.eye(3, dtype=np.float32)[[0, 0]]).terminated.tolist() == [False, False]


def test_a_time_limit_truncates() -> None:
    env = GymnasiumEnvironment("Pendulum-v1", 1, options={"max_episode_steps": 3})
    env.reset(0)
    seen = [env.step(np.zeros((1, 1), np.float32)) for _ in range(5)]
    assert [now.truncated[0] for now in seen] == [False, False, True, True, True]
    assert not any(now.terminated[0] for now in seen)


def test_render_becomes_pixels_and_the_rest_labels() -> None:
    env = GymnasiumEnvironment(Counter, 2, pixels=16, modalities=["pixels"])
    assert env.spec.modalities["pixels"].shape == (3, 16, 16) and env.spec.fps == 7
    env.reset(0)
    now = [env.step(np.eye(3, dtype=np.float32)[[0, 0]]) for _ in range(6)][-1]
    assert set(now.observation) == {"pixels"} and set(env.labels()) == {"count", "last"}
    assert (now.observation["pixels"] == 40).all(), "the last frame of the episode, not the first of the next"
    assert (env.labels()["count"] == 4).all()


def test_processes_make_the_same_episodes() -> None:
    plan = np.random.default_rng(0).uniform(-2, 2, (5, 2, 1)).astype(np.float32)
    runs = []
    for processes in (False, True):
        env = GymnasiumEnvironment("Pendulum-v1", 2, processes=processes)
        runs.append([env.reset(1)["state"], *(env.step(action).observation["state"] for action in plan)])
        env.close()
    assert np.array_equal(runs[0], runs[1])


def test_mujoco_is_drawn_at_the_size_asked_for() -> None:
    require_gl()
    env = GymnasiumEnvironment("InvertedPendulum-v5", 1, pixels=48)
    assert isinstance(env._batch, LocalBatch)
    made: Any = env._batch._worlds[0].env
    model = made.unwrapped.model
    assert (model.vis.quality.shadowsize, model.vis.quality.offsamples, model.light_castshadow.any()) == (0, 0, False)
    pixels = env.reset(0)["pixels"]
    assert made.render().shape == (48, 48, 3)
    assert pixels.shape == (1, 3, 48, 48) and pixels.std() > 5
    env.close()


class Unpainted(Counter):
    """Lacks what it draws with."""

    def render(self) -> Any:
        raise gymnasium.error.DependencyNotInstalled('easel is not installed, run `pip install "easel"`')


def unbuilt() -> Counter:
    raise gymnasium.error.DependencyNotInstalled("easel is not installed")


def test_a_package_that_is_not_installed_is_named() -> None:
    env = GymnasiumEnvironment(Unpainted, 2, pixels=16)
    with pytest.raises(TacitError, match=r"environment 'Unpainted': render raised .*easel is not installed"):
        env.reset(0)
    with pytest.raises(TacitError, match=r"environment that unbuilt makes raised .*easel is not installed"):
        GymnasiumEnvironment(unbuilt)


def test_images_are_averaged_by_area() -> None:
    rng = np.random.default_rng(0)
    large = rng.integers(0, 256, (2, 3, 12, 20), np.uint8)
    blocks = large.reshape(2, 3, 4, 3, 4, 5).mean(axis=(3, 5))
    assert np.abs(resize(large, 4) - blocks).max() <= 0.51
    assert (resize(np.full((1, 3, 50, 70), 77, np.uint8), 33) == 77).all()
    assert resize(large[..., :12], 12) is not None and np.array_equal(resize(large[..., :12], 12), large[..., :12])


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'state'"):
        GymnasiumEnvironment("Pendulum-v1", modalities=["stat"])
    for odd in (
        {"num_envs": 0},
        {"pixels": "64"},
        {"modalities": "state"},
        {"modalities": []},
        {"fps": 0},
        {"options": 3},
    ):
        with pytest.raises(ConfigError, match=r"got (0|'64'|'state'|\[\]|3)"):
            GymnasiumEnvironment("Pendulum-v1", **odd)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="comes after reset"):
        GymnasiumEnvironment("Pendulum-v1").step(np.zeros((1, 1), np.float32))
    with pytest.raises(ConfigError, match="brings its own"):
        GymnasiumEnvironment(SyncVectorEnv([Counter]), num_envs=2)
    with pytest.raises(ConfigError, match="rgb_array"):
        GymnasiumEnvironment(lambda: Counter(render_mode=None), pixels=16)
    with pytest.raises(ConfigError, match="SAME_STEP"):
        GymnasiumEnvironment(SyncVectorEnv([Counter], autoreset_mode=AutoresetMode.SAME_STEP), pixels=16)

"""The Gymnasium adapter's border: foreign failures are named, and keywords reach only what they are meant for."""

import functools
import os
import signal
import subprocess
import sys
import textwrap
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import tacit as tc
from tacit.envs import DMControlEnvironment, GymnasiumEnvironment
from tacit.errors import ConfigError, SpecError, TacitError


class Odd(gymnasium.Env[Any, Any]):
    """Keeps Gymnasium's promises but for one."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012
    observation_space = Box(-np.inf, np.inf, (2,), np.float32)
    action_space = Box(-1, 1, (1,), np.float32)

    def __init__(self, way: str = "", render_mode: str | None = "rgb_array") -> None:
        self.way, self.render_mode = way, render_mode
        if way == "make":
            raise FileNotFoundError("no model")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        if self.way == "reset":
            raise AssertionError
        super().reset(seed=seed)
        self.count = 0
        start = self.np_random.normal(size=2).astype(np.float32)
        return start if self.way == "old reset" else (start, None if self.way == "info" else {})

    def step(self, action: Any) -> Any:
        self.count += 1
        seen = np.full(2, self.count, np.float32)
        if self.way == "step":
            raise ZeroDivisionError("by nothing")
        if self.way == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.way == "exit":
            sys.exit(2)
        ended = self.count >= 3
        flag: Any = {"flag": np.array([ended]), "flags": np.array([ended, ended])}.get(self.way, np.bool_(ended))
        reward: Any = {"reward": np.ones((1,)), "no reward": None}.get(self.way, 0.0)
        info: Any = None if self.way == "info" else {}
        return (seen, reward, flag, info) if self.way == "old step" else (seen, reward, flag, False, info)

    def render(self) -> Any:
        if self.way == "render":
            raise RuntimeError("no display")
        shapes = {"floats": np.ones((9, 9, 3)), "nothing": None, "list": [np.zeros((9, 9, 3), np.uint8)] * 2}
        return shapes.get(self.way, np.zeros((9, 9, 3), np.uint8))


FAILURES = {
    "make": "making the environment that .*Odd.* makes raised FileNotFoundError: no model",
    "reset": r"environment 'Odd': reset raised AssertionError$",
    "step": "environment 'Odd': step raised ZeroDivisionError: by nothing",
    "render": "environment 'Odd': render raised RuntimeError: no display",
    "old reset": "environment 'Odd': reset returned an array of shape .* a pair of observation and info",
    "old step": "environment 'Odd': step returned tuple of 4 values; .* five values",
    "flags": "environment 'Odd': step's terminated is one truth value; got an array",
    "floats": r"environment 'Odd': pixels need a render\(\) .* got an array of shape \(9, 9, 3\) and dtype float64",
    "nothing": r"environment 'Odd': pixels need a render\(\) .* got None",
    "list": r"environment 'Odd': pixels need a render\(\) .* got list of 2 values",
}


def run(env: GymnasiumEnvironment) -> list[Any]:
    env.reset([3, 4])
    return [env.step(np.zeros((2, 1), np.float32)) for _ in range(5)]


@pytest.mark.parametrize(
    ("way", "processes"), [*((way, False) for way in FAILURES), ("make", True), ("step", True), ("floats", True)]
)
def test_failures_name_the_environment(way: str, processes: bool) -> None:
    with pytest.raises(TacitError, match=FAILURES[way]) as caught:
        run(GymnasiumEnvironment(functools.partial(Odd, way), 2, pixels=8, processes=processes))
    if way == "step":
        assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_world_that_dies_is_named() -> None:
    env = GymnasiumEnvironment(functools.partial(Odd, "killed"), 2, processes=True)
    with pytest.raises(TacitError, match=r"worker process [12] of 2 of environment .*Odd.* was ended by SIGKILL"):
        run(env)
    with pytest.raises(TacitError, match="have ended"):
        env.reset(0)


@pytest.mark.parametrize("way", ["", "reward", "no reward", "flag", "info"])
def test_rewards_and_infos_may_be_anything_and_flags_arrays(way: str) -> None:
    now = run(GymnasiumEnvironment(functools.partial(Odd, way), 2))
    assert [one.terminated.tolist() for one in now] == [[False] * 2] * 2 + [[True] * 2] * 3
    assert now[-1].observation["state"].tolist() == [[3, 3], [3, 3]]


class Unseeded(Odd):
    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


def test_an_environment_without_seeds_is_refused() -> None:
    with pytest.raises(SpecError, match="environment 'Unseeded': reset takes no seed"):
        GymnasiumEnvironment(Unseeded)
    with pytest.raises(SpecError, match=r"is no gymnasium\.Env; got int"):
        GymnasiumEnvironment(lambda: 3)  # type: ignore[arg-type,return-value]


def test_options_that_make_does_not_take_are_named() -> None:
    with pytest.raises(ConfigError, match=r"cannot make 'Pendulum-v1' with the options \{'gravity': 3\}: .*gravity"):
        GymnasiumEnvironment("Pendulum-v1", options={"gravity": 3})
    with pytest.raises(ConfigError, match="If a module registers it, name that too: 'module:Nowhere-v0'"):
        GymnasiumEnvironment("Nowhere-v0")
    with pytest.raises(ConfigError, match="No module named 'nowhere'"):
        GymnasiumEnvironment("nowhere:Nowhere-v0")
    for words in ("gymnasium", "two_rooms:one", "point_mass:num_envs=3", "reacher:size=x", "point_mass:size=x"):
        with pytest.raises(ConfigError):
            tc.envs.make(words)


class Grid(gymnasium.Env[Any, Any]):
    """A grid of cells, drawn at ``zoom`` pixels a cell."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}  # noqa: RUF012
    observation_space = Discrete(2)
    action_space = Discrete(2)

    def __init__(self, width: int = 6, height: int = 6, zoom: int = 8, render_mode: str | None = None) -> None:
        self.cells, self.zoom, self.render_mode = (height, width), zoom, render_mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self.place = self.np_random.integers(0, self.cells)
        return int(self.place.sum() % 2), {}

    def step(self, action: Any) -> Any:
        return int(self.place.sum() % 2), 0.0, False, False, {}

    def render(self) -> Any:
        frame = np.zeros((self.cells[0] * self.zoom, self.cells[1] * self.zoom, 3), np.uint8)
        row, column = self.place * self.zoom
        frame[row : row + self.zoom, column : column + self.zoom] = 255
        return frame


class Dots(Grid):
    """A grid drawn at one pixel a cell."""

    def __init__(self, width: int = 90, height: int = 90, render_mode: str | None = None) -> None:
        super().__init__(width, height, 1, render_mode)


class Canvas(Grid):
    """Three cells in a row, whatever the size of the drawing."""

    def __init__(self, width: int = 90, height: int = 90, render_mode: str | None = None) -> None:
        super().__init__(render_mode=render_mode)
        self.drawn = (height, width)

    def render(self) -> Any:
        frame = np.zeros((*self.drawn, 3), np.uint8)
        frame[:, : self.drawn[1] * (1 + self.place[0]) // 6] = 255
        return frame


@pytest.fixture
def registered() -> Any:
    names = {"Grid": Grid, "Dots": Dots, "Canvas": Canvas}
    for name, kind in names.items():
        gymnasium.register(f"tacit-tests/{name}-v0", kind)
    yield
    for name in names:
        del gymnasium.registry[f"tacit-tests/{name}-v0"]


@pytest.mark.parametrize(("name", "drawn"), [("Grid", (48, 48, 3)), ("Dots", (90, 90, 3)), ("Canvas", (30, 30, 3))])
def test_width_and_height_are_given_only_where_they_are_the_size_of_the_frames(
    registered: None, name: str, drawn: tuple[int, ...]
) -> None:
    env = GymnasiumEnvironment(f"tacit-tests/{name}-v0", 2, pixels=30)
    shown = env.reset([3, 4])["pixels"]
    assert shown.shape == (2, 3, 30, 30)
    made: Any = env._batch._worlds[1].env  # type: ignore[attr-defined]
    assert made.unwrapped.render().shape == drawn
    if name == "Grid":
        assert np.array_equal(shown[1, 0] > 127, _small(made.unwrapped))


def test_a_process_knows_what_was_registered_here(registered: None) -> None:
    env = GymnasiumEnvironment("tacit-tests/Canvas-v0", 1, pixels=30, processes=True)
    assert env.reset(3)["pixels"].shape == (1, 3, 30, 30)
    env.close()


def _small(grid: Grid) -> Any:
    """The grid at five pixels a cell."""
    frame = np.zeros((6, 6), np.bool_)
    frame[tuple(grid.place)] = True
    return frame.repeat(5, axis=0).repeat(5, axis=1)


@pytest.mark.parametrize("name", ["MiniGrid-FourRooms-v0", "MiniGrid-Empty-5x5-v0", "BabyAI-GoToObj-v0"])
def test_minigrid_is_collected_with_images_and_without_words(name: str) -> None:
    full = f"gymnasium:minigrid:{name}"
    with pytest.raises(SpecError, match=r"'mission': .* has no fixed size. Leave it out: modalities="):
        tc.envs.make(full)
    episodes = tc.collect(f'{full},modalities=["image","direction"]', episodes=2, steps=5)
    assert episodes[0].observation["image"].shape == (6, 3, 7, 7)
    drawn = tc.envs.make(f'{full},pixels=64,modalities=["pixels"]', 2)
    again = gymnasium.make(f"minigrid:{name}", render_mode="rgb_array")
    again.reset(seed=8)
    frame: Any = again.render()
    shown = drawn.reset([7, 8])["pixels"][1].astype(float)
    side = frame.shape[0] // 64
    if frame.shape[0] % 64 == 0:
        blocks = frame.reshape(64, side, 64, side, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
        assert np.abs(shown - blocks).max() < 1
    assert shown.std() > 5


class Reusing(Odd):
    """Returns one array, written anew."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = np.zeros(2, np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.seen[:] = super().reset(seed=seed)[0]
        return self.seen, {}

    def step(self, action: Any) -> Any:
        _, *rest = super().step(action)
        self.seen[:] = self.count
        return self.seen, *rest[:-1], {}


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
@pytest.mark.parametrize("kind", [Odd, Reusing])
def test_reused_buffers_are_copied(mode: AutoresetMode, kind: type[Odd]) -> None:
    vector = SyncVectorEnv([functools.partial(kind), functools.partial(kind)], copy=False, autoreset_mode=mode)
    now = run(GymnasiumEnvironment(vector))
    assert [one.observation["state"][0].tolist() for one in now] == [[1, 1], [2, 2], [3, 3], [3, 3], [3, 3]]


def test_same_step_keeps_the_last_observation_or_is_refused() -> None:
    mode = AutoresetMode.SAME_STEP
    now = run(GymnasiumEnvironment(SyncVectorEnv([Odd, Odd], copy=False, autoreset_mode=mode)))
    assert [one.observation["state"][0].tolist() for one in now] == [[1, 1], [2, 2], [3, 3], [3, 3], [3, 3]]
    with pytest.raises(SpecError, match=r"in one array that they write anew.*NEXT_STEP"):
        GymnasiumEnvironment(SyncVectorEnv([Reusing, Reusing], autoreset_mode=mode))


class Forgetful(SyncVectorEnv):
    """Resets in the same step and loses the last observation."""

    def step(self, actions: Any) -> Any:
        *found, _ = super().step(actions)
        return *found, {}


class Misshapen(SyncVectorEnv):
    """Shows more than it declares."""

    def reset(self, **options: Any) -> Any:
        observation, info = super().reset(**options)
        return np.concatenate([observation, observation], axis=1), info


class Batched(SyncVectorEnv):
    """Gives the last observations as one array."""

    def step(self, actions: Any) -> Any:
        observation, reward, terminated, truncated, _ = super().step(actions)
        return observation, reward, terminated, truncated, {"final_obs": np.full((2, 2), 3.0)}


def test_final_observations_come_in_any_form_or_are_missed() -> None:
    mode = AutoresetMode.SAME_STEP
    now = run(GymnasiumEnvironment(Batched([Odd, Odd], autoreset_mode=mode)))
    assert now[2].observation["state"].tolist() == [[3, 3], [3, 3]]
    with pytest.raises(
        SpecError, match=r"environment 'Forgetful' resets in the same step, but its info has no final_obs"
    ):
        run(GymnasiumEnvironment(Forgetful([Odd, Odd], autoreset_mode=mode)))


def test_vector_environments_are_named_too() -> None:
    with pytest.raises(TacitError, match="vector environment 'SyncVectorEnv': step raised ZeroDivisionError"):
        run(GymnasiumEnvironment(SyncVectorEnv([functools.partial(Odd, "step")] * 2)))
    with pytest.raises(SpecError, match=r"'Misshapen': entry 'state' has shape \(2, 4\), .* declares \(2, 2\)"):
        run(GymnasiumEnvironment(Misshapen([Odd, Odd])))
    vector = SyncVectorEnv([Odd, Odd])
    vector.metadata["autoreset_mode"] = "never"
    with pytest.raises(ConfigError, match="SyncVectorEnv': 'never' is not a valid AutoresetMode"):
        GymnasiumEnvironment(vector)
    del vector.metadata["autoreset_mode"]
    with pytest.warns(UserWarning, match="NEXT_STEP is assumed"):
        GymnasiumEnvironment(vector)


TORCH = textwrap.dedent(
    """
    import gymnasium, numpy as np, torch
    import tacit as tc

    torch.set_num_threads(2)
    (torch.ones(400, 400) @ torch.ones(400, 400)).sum()  # the thread pool that a fork would copy

    class Net(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
        action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)

        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return self.look(), {}

        def step(self, action):
            return self.look(), 0.0, False, False, {}

        def look(self):
            return (torch.ones(400, 400) @ torch.full((400, 2), 0.5))[0].numpy()

    env = tc.envs.GymnasiumEnvironment(Net, 2, processes=True)
    print(len(tc.collect(env, episodes=2, steps=3)))
    """
)


def test_processes_with_torch_do_not_hang() -> None:
    done = subprocess.run([sys.executable, "-c", TORCH], capture_output=True, text=True, timeout=240)
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_dm_control_failures_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dm_control")
    env = DMControlEnvironment("cartpole/swingup", 2)
    with pytest.raises(ConfigError, match="comes after reset"):
        env.step(np.zeros((2, 1), np.float32))
    env.reset(0)
    task, seen = env._worlds[1].task, env._worlds[1].task.get_observation
    monkeypatch.setattr(task, "get_observation", lambda physics: {**seen(physics), "velocity": np.array([np.nan, 0])})
    with pytest.raises(SpecError, match="cartpole/swingup: the observation 'velocity' of world 1 holds NaN"):
        env.step(np.zeros((2, 1), np.float32))
    monkeypatch.undo()
    env.reset(0)
    env._worlds[1].physics.data.qpos[:] = np.nan
    with pytest.raises(TacitError, match="dm_control's cartpole/swingup: step raised PhysicsError"):
        env.step(np.zeros((2, 1), np.float32))
    with pytest.raises(ConfigError, match="needs num_envs as a whole number"):
        DMControlEnvironment("cartpole/swingup", 0)

"""Every environment of the registry keeps the promises of the protocol, and the suite notices when one does not."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from envs._gl import require_gl
from tacit import envs
from tacit._check import has_goals
from tacit.envs import Distracted, DMControlEnvironment, GymnasiumEnvironment, PointMass, Rooms, TwoRooms
from tacit.envs.two_rooms import RANGES
from tacit.errors import ConfigError
from tacit.testing.environments import check_environment
from tacit.types import Array, Environment, Observation, State, Tasks, Transition

ADAPTED = {
    "gymnasium": "gymnasium:Pendulum-v1",
    "dm_control": "dm_control:cartpole/swingup",
    "distracted": "distracted:two_rooms",
}
DRAWN_BY_MUJOCO = {"arm", "reacher", "dm_control"}
NEEDS_OBJECTS = {"imagined"}
"""Names that a word alone cannot make; they have tests of their own."""
VARIANTS: dict[str, Callable[[], Environment]] = {
    "two_rooms, everything varied": lambda: TwoRooms(3, "random", size=40, variation=tuple(RANGES)),
    "rooms, everything": lambda: Rooms(
        3, rows=2, columns=5, layout="random", cues=True, distractors=2, variation=("speed", "wall_thickness"), size=40
    ),
    "rooms, a cue of the goal": lambda: Rooms(3, rows=2, columns=2, goal_cue=(2, 3)),
    "rooms, egocentric": lambda: Rooms(3, rows=4, view="egocentric", distractors=1, goal_steps=(20, 60)),
    "two_rooms, rain": lambda: Distracted("two_rooms:size=32", "rain", 3),
    "two_rooms, a texture that walks": lambda: Distracted(TwoRooms(3, size=32), "texture"),
    "point_mass, a texture that drifts": lambda: Distracted(PointMass(2, size=32), "drift"),
    "point_mass, pixels": lambda: PointMass(2, size=32),
    "gymnasium, discrete": lambda: GymnasiumEnvironment("CartPole-v1", 3),
    "gymnasium, sparse": lambda: GymnasiumEnvironment("MountainCarContinuous-v0", 2),
    "gymnasium, pixels": lambda: GymnasiumEnvironment("InvertedPendulum-v5", 2, pixels=32, modalities=("pixels",)),
    "dm_control, pixels": lambda: DMControlEnvironment("reacher/easy", 2, pixels=32),
}


@pytest.mark.parametrize("name", sorted({*envs.names()} - NEEDS_OBJECTS))
def test_registered_environments_conform(name: str) -> None:
    if name in DRAWN_BY_MUJOCO:
        require_gl()
    env = envs.make(ADAPTED.get(name, name), num_envs=3)
    check_environment(env)
    env.close()


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_conform(variant: str) -> None:
    if "pixels" in variant and "point" not in variant:
        require_gl()
    env = VARIANTS[variant]()
    check_environment(env)
    env.close()


def test_names_are_suggested() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'two_rooms'"):
        envs.make("two_room")
    with pytest.raises(ConfigError, match=r"no option 'layuot'.*Did you mean 'layout'"):
        envs.make("two_rooms:layuot=random")


def test_one_word_carries_options() -> None:
    env = envs.make("two_rooms:layout=random,size=32", num_envs=2)
    assert env.reset(0)["pixels"].shape == (2, 3, 32, 32)
    assert len(np.unique(env.labels()["wall_x"])) == 2
    assert envs.make("gymnasium:Pendulum-v1,fps=30").spec.fps == 30
    varied = envs.make('two_rooms:variation=["speed","wall_x"],size=32', num_envs=4)
    varied.reset(0)
    assert varied.spec.modalities["pixels"].shape == (3, 32, 32)
    assert len(np.unique(varied.state()["speed"])) == len(np.unique(varied.state()["wall_x"])) == 4


class _Mood(PointMass):
    """A reset that remembers."""

    calls = 0

    def reset(self, seed: int | Sequence[int]) -> Observation:
        self.calls += 1
        return super().reset(self.calls)


class _Crowd(TwoRooms):
    """An episode that depends on its neighbours."""

    def reset(self, seed: int | Sequence[int]) -> Observation:
        return super().reset(int(np.sum(seed)))


class _Dreamer(PointMass):
    """A simulation that is not the world."""

    def simulate(self, state: State, actions: np.ndarray) -> State:
        return super().simulate(state, actions * 0.99)


class _Loose(PointMass):
    """Actions are not held to the box."""

    def step(self, action: np.ndarray) -> Transition:
        now = super().step(action)
        return Transition({"state": now.observation["state"] + action.max()}, now.terminated, now.truncated)


class _Askew(PointMass):
    """A distance from itself."""

    def distance(self, state: State, goal: State) -> np.ndarray:
        return super().distance(state, goal) + self.rules.radius


class _Solved(PointMass):
    """Goals where one stands."""

    def tasks(self, count: int, seed: int) -> Tasks:
        tasks = super().tasks(count, seed)
        return Tasks(tasks.start, tasks.start)


class _Undead(PointMass):
    """Ends, and goes on."""

    def step(self, action: np.ndarray) -> Transition:
        now = super().step(action)
        return Transition(now.observation, ~now.terminated, now.truncated)


class _Wide(PointMass):
    """Another dtype than the spec says."""

    def observe(self, state: State) -> Mapping[str, Array]:
        return {"state": super().observe(state)["state"].astype(np.float64)}


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (_Mood(2), "reset is a function of the seed"),
        (_Crowd(2), "does not depend on the rest of the batch"),
        (_Dreamer(2), "simulate goes where step goes"),
        (_Loose(2), "clipped"),
        (_Askew(2), "at distance 0 of itself"),
        (_Solved(2), "no task is solved"),
        (_Undead(2), "stays as it ended"),
        (_Wide(2), "state is float32"),
        (PointMass(1), "at least two worlds"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_the_suite_notices(broken: Environment, promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_environment(broken)


def test_goal_environments_are_told_apart() -> None:
    assert has_goals(TwoRooms()) and not has_goals(GymnasiumEnvironment("Pendulum-v1"))

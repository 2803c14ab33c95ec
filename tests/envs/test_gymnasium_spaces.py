"""Gymnasium spaces as modalities and actions: every entry is used exactly, refused with the reason, or named."""

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Graph, MultiBinary, MultiDiscrete, OneOf, Sequence, Text, Tuple
from gymnasium.wrappers import FrameStackObservation

import tacit as tc
from tacit.envs import GymnasiumEnvironment
from tacit.envs._actions import actions
from tacit.envs._spaces import streams
from tacit.errors import ConfigError, SpecError
from tacit.types import Box as OurBox
from tacit.types import Discrete as OurDiscrete

INTEGERS = np.int64


def image(*shape: int, dtype: Any = np.uint8, high: float = 255) -> Box:
    return Box(0, high, shape, dtype)


def test_observation_spaces_become_modalities() -> None:
    space = Dict(
        {
            "camera": image(6, 8, 3),
            "stack": image(4, 6, 8),
            "grey": image(6, 8),
            "arm": Dict({"joints": Box(-1, 1, (2, 3), np.float64), "gripper": MultiBinary(2)}),
            "pair": Tuple([Discrete(3, start=-1), Box(-np.inf, np.inf, (), np.float32)]),
            "card": MultiDiscrete([2, 3]),
        }
    )
    found, refused = streams(space)
    assert not refused
    shapes = {name: (stream.modality.kind, stream.modality.shape) for name, stream in found.items()}
    assert shapes == {
        "camera": ("pixels", (3, 6, 8)),
        "stack": ("pixels", (4, 6, 8)),
        "grey": ("pixels", (1, 6, 8)),
        "arm.joints": ("vector", (6,)),
        "arm.gripper": ("vector", (2,)),
        "pair.0": ("vector", (3,)),
        "pair.1": ("vector", (1,)),
        "card": ("vector", (5,)),
    }
    batch = gymnasium.vector.utils.batch_space(space, 5)
    batch.seed(0)
    sample: Any = batch.sample()
    read = {name: stream.batch(sample, 5, True) for name, stream in found.items()}
    for name, stream in found.items():
        assert read[name].shape == (5, *stream.modality.shape) and read[name].dtype == stream.modality.dtype, name
        assert not np.shares_memory(read[name], stream.of(sample)), name
        rows = list(gymnasium.vector.utils.iterate(batch, sample))
        assert np.array_equal(stream.gather(rows, True), read[name]), name
    assert np.array_equal(read["camera"][2, 1], sample["camera"][2, :, :, 1])
    assert np.array_equal(read["arm.joints"], sample["arm"]["joints"].reshape(5, 6).astype(np.float32))
    assert np.array_equal(read["pair.0"].argmax(axis=1) - 1, sample["pair"][0])
    assert np.array_equal(read["card"][:, :2].argmax(axis=1), sample["card"][:, 0])
    assert np.array_equal(read["card"][:, 2:].argmax(axis=1), sample["card"][:, 1])
    assert set(streams(image(6, 8, 3))[0]) == {"pixels"} and set(streams(Discrete(2))[0]) == {"state"}


@pytest.mark.parametrize(
    ("space", "axes"),
    [
        (image(1, 9, 8), "chw"),
        (image(9, 8, 1), "hwc"),
        (image(9, 8, 2), "hwc"),
        (image(2, 9, 8), "chw"),
        (image(9, 8, 4), "hwc"),
        (image(12, 84, 84), "chw"),
        (image(84, 84, 12), "hwc"),
        (image(3, 3, 3), "hwc"),
        (image(5, 9, 8, 3), "khwc"),
        (image(5, 3, 9, 8), "kchw"),
        (image(2, 9, 8, 1), "khwc"),
        (image(20, 24, 3, dtype=np.int64), "hwc"),
        (image(20, 24, 3, dtype=np.float32), "hwc"),
        (image(20, 24, 3, dtype=np.float64, high=1), "hwc"),
        (image(2, 3, 20, 24, dtype=np.float32, high=1), "kchw"),
    ],
    ids=str,
)
def test_images_have_channels_first_and_stacks_are_channels(space: Box, axes: str) -> None:
    found, _ = streams(space)
    stream = found["pixels"]
    levels = np.random.default_rng(0).integers(0, 256, (2, *space.shape))
    batch = (levels if space.high.max() == 255 else levels / 255).astype(space.dtype)
    wanted = np.moveaxis(levels, [1 + axes.index("h"), 1 + axes.index("w")], [-2, -1])
    assert np.array_equal(stream.batch(batch, len(batch), True), wanted.reshape(2, *stream.modality.shape))
    assert stream.modality.shape[-2:] == (space.shape[axes.index("h")], space.shape[axes.index("w")])
    assert stream.batch(batch, len(batch), True).dtype == np.uint8
    assert ("256 levels" in stream.note) == (space.dtype.kind == "f")


@pytest.mark.parametrize(
    ("space", "reason"),
    [
        (image(84, 84, 84), "not clear which axis"),
        (image(3, 96, 4), "not clear which axis"),
        (image(2, 3, 9, 8, 3), "2 to 4 axes"),
        (Text(5), "Text space has no fixed size"),
        (Graph(Box(-1, 1, (3,)), Discrete(2)), "Graph space has no fixed size"),
        (Sequence(Box(-1, 1, (3,))), "Sequence space has no fixed size"),
        (OneOf([Box(-1, 1, (3,)), Discrete(2)]), "OneOf space has no fixed size"),
        (Discrete(10**9), "a choice among 1000000000"),
    ],
    ids=str,
)
def test_what_cannot_be_a_modality_has_a_reason(space: gymnasium.Space[Any], reason: str) -> None:
    found, refused = streams(Dict({"odd": space, "fine": Discrete(2)}))
    assert set(found) == {"fine"} and reason in refused["odd"]


@pytest.mark.parametrize(
    "space",
    [
        image(128),
        image(4, 128),
        Box(0, 2, (6, 6), np.uint8),
        Box(0, 1, (19, 19, 17), np.uint8),
        Box(-5, 300, (3,), np.int16),
        Box(0, 1, (8, 8, 3), np.float32),
    ],
    ids=str,
)
def test_what_is_no_image_is_an_exact_vector(space: Box) -> None:
    stream = streams(space)[0]["state"]
    space.seed(0)
    batch = np.stack([space.sample() for _ in range(3)])
    assert stream.modality.kind == "vector" and not stream.note
    assert np.array_equal(stream.batch(batch, len(batch), True), batch.reshape(3, -1).astype(np.float32))


def test_names_that_collide_are_refused() -> None:
    with pytest.raises(SpecError, match=r"two entries of the observation are called 'a\.b'"):
        streams(Dict({"a.b": Discrete(2), "a": Dict({"b": Discrete(2)})}))


class Shows(gymnasium.Env[Any, Any]):
    """Shows what it is given, whatever its space declares."""

    metadata = {"render_fps": 5}  # noqa: RUF012

    def __init__(self, space: gymnasium.Space[Any], *values: Any, action: gymnasium.Space[Any] | None = None) -> None:
        self.observation_space, self.values = space, values
        self.action_space = action or Discrete(2)
        self.taken: list[Any] = []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.count = 0
        return self.values[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.taken.append(action)
        self.count += 1
        return self.values[min(self.count, len(self.values) - 1)], 0.0, False, False, {}


def step(env: GymnasiumEnvironment) -> Any:
    return env.step(np.eye(env.num_envs, 2, dtype=np.float32)).observation


@pytest.mark.parametrize("value", [2**24, -(2**24)])
def test_integers_are_exact_or_refused(value: int) -> None:
    space = Box(np.iinfo(np.int64).min, np.iinfo(np.int64).max, (2,), np.int64)
    env = GymnasiumEnvironment(lambda: Shows(space, np.array([0, value]), np.array([0, 2 * value + 1])))
    assert env.reset(0)["state"].tolist() == [[0, value]]
    with pytest.raises(SpecError, match=rf"environment 'Shows': entry 'state': .*2\*\*24.*got {2 * value + 1}"):
        step(env)


def test_integers_that_are_not_shown_are_labels_as_they_are() -> None:
    space = Dict({"time": Box(0, 2**62, (1,), np.int64), "state": Box(-1, 1, (1,), np.float64)})
    value = {"time": np.array([2**60 + 1]), "state": np.zeros(1)}
    env = GymnasiumEnvironment(lambda: Shows(space, value), modalities=["state"])
    env.reset(0)
    assert env.labels()["time"].tolist() == [[2**60 + 1]]


FLOATS = Box(-np.inf, np.inf, (2,), np.float32)


@pytest.mark.parametrize(
    ("space", "value", "message"),
    [
        (FLOATS, np.array([0.0, np.nan], np.float32), "'state' of world 0 holds NaN"),
        (FLOATS, np.array([0.0, 1e300]), "'state' of world 0 holds NaN, infinity or a number beyond float32"),
        (FLOATS, np.zeros((1, 2), np.float32), r"'state' has shape \(1, 2\), and its space declares \(2,\)"),
        (FLOATS, np.array([0, 2**24 + 1]), "'state' holds numbers that do not fit the float32"),
        (FLOATS, ["a", "b"], "'state' has dtype <U1"),
        (FLOATS, [[1.0], [1.0, 2.0]], "its observation is no array: ValueError"),
        (FLOATS, None, r"'state' has shape \(\)"),
        (Box(0, 255, (2,), np.uint8), np.array([0, 256]), "'state' holds numbers that do not fit the uint8"),
        (Box(0, 255, (2,), np.uint8), np.zeros(2), "'state' has dtype float64, and its space declares uint8"),
        (image(20, 20, 3, dtype=np.int32), np.full((20, 20, 3), 256), "an image from 0 to 255; it holds 256"),
        (Discrete(2), 2, r"expected choices from \[0\], \[2\] each; got \[2\]"),
        (Discrete(3, start=5), 4, "expected choices"),
        (Dict({"a": FLOATS, "b": FLOATS}), {"a": np.zeros(2)}, "no entry 'b'"),
        (Tuple([FLOATS, FLOATS]), (np.zeros(2),), "no entry '1'"),
    ],
    ids=str,
)
def test_an_observation_that_does_not_fit_names_environment_and_entry(space: Any, value: Any, message: str) -> None:
    env = GymnasiumEnvironment(lambda: Shows(space, value))
    with pytest.raises(SpecError, match=rf"environment 'Shows'.*{message}"):
        env.reset(0)


def test_a_float_image_outside_its_range_is_refused() -> None:
    space = image(20, 20, 3, dtype=np.float32, high=1)
    with pytest.warns(UserWarning, match="'pixels' is an image of float32 and becomes uint8"):
        env = GymnasiumEnvironment(lambda: Shows(space, np.ones((20, 20, 3)), np.full((20, 20, 3), 200.0)))
    assert (env.reset(0)["pixels"] == 255).all()
    with pytest.raises(SpecError, match="an image from 0 to 1; it holds 200"):
        step(env)


def test_numbers_in_the_shape_of_an_image_are_named() -> None:
    space = Box(-1, 1, (20, 20, 3), np.float32)
    with pytest.warns(UserWarning, match="'state' has the shape .* of an image, .* a vector of 1200 numbers"):
        GymnasiumEnvironment(lambda: Shows(space, np.ones((20, 20, 3))))


def test_values_of_another_dtype_that_fit_are_taken() -> None:
    cases: list[tuple[Any, Any, Any]] = [
        (FLOATS, np.array([1, 2]), [1, 2]),
        (FLOATS, [1.5, 2.5], [1.5, 2.5]),
        (Box(0, 255, (2,), np.uint8), np.array([0, 255]), [0, 255]),
        (MultiBinary(2), np.array([True, False]), [1, 0]),
        (Discrete(3, start=1), np.array(2), [0, 1, 0]),
    ]
    for space, value, expected in cases:
        env = GymnasiumEnvironment(lambda space=space, value=value: Shows(space, value))  # type: ignore[misc]
        assert env.reset(0)["state"].tolist() == [expected]


def test_entries_that_the_space_does_not_declare_are_named() -> None:
    env = GymnasiumEnvironment(lambda: Shows(Dict({"a": FLOATS}), {"a": np.zeros(2), "depth": np.zeros(2)}))
    with pytest.warns(UserWarning, match="environment 'Shows': the entry 'depth' of its observations is left out"):
        env.reset(0)


def test_what_cannot_be_shown_is_refused_with_the_way_to_leave_it_out() -> None:
    space = Dict({"camera": image(6, 8, 3), "words": Text(9), "graph": Graph(Box(-1, 1, (3,)), None)})
    value = {"camera": np.zeros((6, 8, 3), np.uint8), "words": "go", "graph": space["graph"].sample()}

    def make() -> Shows:
        return Shows(space, value)

    with pytest.raises(SpecError, match=r"'graph': a Graph .*'words': a Text .*modalities=\[.camera.\]"):
        GymnasiumEnvironment(make)
    with pytest.raises(SpecError, match="'words': a Text"):
        GymnasiumEnvironment(make, modalities=["words"])
    with pytest.raises(ConfigError, match="Did you mean 'camera'"):
        GymnasiumEnvironment(make, modalities=["kamera"])
    env = GymnasiumEnvironment(make, 2, modalities=["camera"])
    assert set(env.reset(0)) == {"camera"} and not env.labels()


def test_stacked_frames_of_gymnasium_are_channels_oldest_first() -> None:
    frames = [np.full((9, 8, 3), [10 * index, 10 * index + 1, 10 * index + 2], np.uint8) for index in range(4)]
    env = GymnasiumEnvironment(lambda: FrameStackObservation(Shows(image(9, 8, 3), *frames), 3))
    env.reset(0)
    for _ in range(3):
        shown = step(env)
    assert shown["pixels"].shape == (1, 9, 9, 8)
    assert shown["pixels"][0, :, 0, 0].tolist() == [10, 11, 12, 20, 21, 22, 30, 31, 32]


def test_action_spaces() -> None:
    box = actions(Box(np.float32([[-1], [-2]]), np.float32([[1], [2]])))
    assert box.space == OurBox((-1.0, -2.0), (1.0, 2.0)) and box.executed is None
    assert actions(Discrete(4, start=2)).space == OurDiscrete(4)
    for space in (Box(-np.inf, 1, (2,)), Box(-(10**18), 10**18, (2,), np.int64), Box(*np.float32([[-3e38], [3e38]]))):
        with pytest.raises(SpecError, match=r"finite bounds.*RescaleAction"):
            actions(space)
    with pytest.raises(SpecError, match="numbers, choices, or a Dict or Tuple"):
        actions(Text(5))
    with pytest.raises(SpecError, match="at least one action component"):
        actions(Box(-1, 1, (0,)))
    with pytest.raises(SpecError, match="environment 'Shows': Discrete needs at least two"):
        GymnasiumEnvironment(lambda: Shows(FLOATS, np.zeros(2), action=Discrete(1)))


def test_integer_actions_are_rounded_and_recorded_as_executed() -> None:
    made = Shows(FLOATS, np.zeros(2, np.float32), action=Box(-1, 2, (2,), np.int32))
    with pytest.warns(UserWarning, match="whole numbers as actions"):
        env = GymnasiumEnvironment(lambda: made)
    episode = tc.collect(env, episodes=1, steps=60)[0]
    taken = np.stack(made.taken)
    assert taken.dtype == np.int32 and set(np.unique(taken)) == {-1, 0, 1, 2}
    assert np.array_equal(episode.action, taken[-60:]), "the actions that were executed"
    env.reset(0)
    now = env.step(np.array([[-0.7, 9.0]], np.float32))
    assert made.taken[-1].tolist() == [-1, 2] and now.action is not None and now.action.tolist() == [[-1, 2]]

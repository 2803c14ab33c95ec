"""What perturbations change, in worlds whose states are known."""

import numpy as np
import pytest

from tacit.envs import TwoRooms
from tacit.errors import ConfigError
from tacit.evaluation import trace
from tacit.stress import ChangedFactor, DroppedFrames, FrozenSensor, MissingModality, Teleport
from tacit.testing.worlds import LineWorld

STILL = np.zeros((3, 2), np.float32)


def begun(env, count=3):
    env.begin(env.tasks(count, 0).start)
    return env


def test_a_teleport_moves_each_world_once_at_its_step():
    env = begun(Teleport(distance=10.0, first=(2, 6))(TwoRooms(), 1))
    places = [env.state()["position"]]
    for _ in range(8):
        shown = env.step(STILL).observation
        places.append(env.state()["position"])
    moved = np.linalg.norm(np.diff(places, axis=0), axis=2)
    assert (np.argmax(moved, axis=0) + 1 == env.onset).all()
    assert (moved.max(axis=0) >= 10).all()
    assert (np.sort(moved, axis=0)[:-1] == 0).all()
    np.testing.assert_array_equal(shown["pixels"], TwoRooms().observe(env.state())["pixels"])


def test_faults_differ_between_seeds_and_worlds():
    onsets = [tuple(begun(Teleport(first=(0, 1000))(TwoRooms(), seed)).onset) for seed in (1, 1, 2)]
    assert onsets[0] == onsets[1] != onsets[2]
    assert len({*onsets[0]}) == 3


def test_a_frozen_sensor_repeats_while_the_world_moves():
    env, true = begun(FrozenSensor((3, 3))(TwoRooms(), 0)), begun(TwoRooms())
    move = np.full((3, 2), 0.3, np.float32)
    for step in range(1, 7):
        shown, real = env.step(move).observation["pixels"], true.step(move).observation["pixels"]
        assert np.array_equal(shown, real) == (step <= 3)
        if step == 3:
            kept = shown
    np.testing.assert_array_equal(shown, kept)
    np.testing.assert_array_equal(env.state()["position"], true.state()["position"])


def test_a_factor_is_changed_in_starts_and_goals():
    env = ChangedFactor("speed", scale=0.6)(TwoRooms(), 0)
    tasks = env.tasks(50, 3)
    assert (tasks.goal["speed"] == 1.5).all()
    before = begun(env).state()["position"]
    env.step(np.full((3, 2), 0.1, np.float32))
    np.testing.assert_allclose(np.abs(env.state()["position"] - before).max(axis=0), 0.15)
    assert (ChangedFactor("agent_color", hue=120.0)(TwoRooms(), 0).tasks(1, 0).start["agent_color"].argmax() == 1).all()
    bright = ChangedFactor("background_color", shift=60.0)(TwoRooms(), 0).tasks(1, 0).start["background_color"]
    assert bright.max() == 255


def test_tasks_of_a_changed_world_are_possible_in_it():
    env = ChangedFactor("wall_thickness", shift=8.0)(TwoRooms(), 0)
    tasks = env.tasks(200, 3)
    half = 6 + 2.5
    for state in (tasks.start, tasks.goal):
        assert len(state["position"]) == 200
        in_door = np.abs(state["position"][:, 1] - 20) <= 7 - 2.5
        assert (in_door | (np.abs(state["position"][:, 0] - 32) >= half)).all()
    inside = np.abs(TwoRooms().tasks(200, 3).start["position"][:, 0] - 32) < half
    assert inside.any()


def test_a_missing_vector_is_nan_in_each_world_and_pixels_are_left_out():
    env = MissingModality("vector", (1, 5))(LineWorld(), 0)
    env.begin(env.tasks(3, 0).start)
    gone = [np.isnan(env.step(np.zeros((3, 1), np.float32)).observation["vector"]).all(axis=1) for _ in range(7)]
    assert (np.argmax(gone, axis=0) == env.onset).all()
    env = begun(MissingModality("pixels", (2, 2))(TwoRooms(), 0))
    assert ["pixels" in env.step(STILL).observation for _ in range(4)] == [True, True, False, False]


def test_a_dropped_frame_has_an_age():
    env, true = begun(DroppedFrames(share=0.2, length=3)(TwoRooms(), 0)), begun(TwoRooms())
    ages = []
    for _ in range(60):
        move = np.full((3, 2), 0.1, np.float32)
        shown, real = env.step(move).observation["pixels"], true.step(move).observation["pixels"]
        ages.append(env.age.copy())
        if (env.age == 0).all():
            np.testing.assert_array_equal(shown, real)
    assert np.max(ages) >= np.float32(0.3)
    assert np.unique(np.round(np.multiply(ages, 10), 4)).tolist()[:4] == [0, 1, 2, 3]


def test_an_actor_is_given_an_observation_without_the_modality():
    seen = []

    def policy(observation):
        seen.append({*observation})
        return np.zeros(2, np.float32)

    env = MissingModality("pixels", (2, 2))(TwoRooms(), 0)
    trace(policy, env, env.tasks(1, 0), steps=4, progress=False)
    assert seen == [{"pixels"}] * 3 + [set()]


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="needs a scale"):
        ChangedFactor("speed")
    with pytest.raises(ConfigError, match="the state has"):
        ChangedFactor("weight", scale=2.0)(TwoRooms(), 0)
    with pytest.raises(ConfigError, match="hue is changed of a colour"):
        ChangedFactor("speed", hue=60.0)(TwoRooms(), 0)
    with pytest.raises(ConfigError, match="the state has"):
        Teleport("place")(TwoRooms(), 0)
    with pytest.raises(ConfigError, match="modalities are pixels"):
        MissingModality("sound")(TwoRooms(), 0)
    with pytest.raises(ConfigError, match="between two steps"):
        FrozenSensor((5, 2))(TwoRooms(), 0)
    with pytest.raises(ConfigError, match="length >= 1"):
        DroppedFrames(length=0)
    far = begun(Teleport(distance=500.0, first=(1, 1))(TwoRooms(), 0))
    with pytest.raises(ConfigError, match="lower distance"):
        far.step(STILL)

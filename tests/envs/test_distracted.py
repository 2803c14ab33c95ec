"""Detail in images: what it leaves as it is, and what of it can be foreseen."""

import numpy as np
import pytest

import tacit as tc
from tacit.envs import Distracted, PointMass, TwoRooms
from tacit.errors import ConfigError

DETAILS = ("noise", "rain", "texture", "drift")


def labels_along(env, steps: int, seed: int = 0) -> np.ndarray:
    env.reset(seed)
    found = [env.labels()["detail"]]
    for _ in range(steps):
        env.step(np.zeros((env.num_envs, 2), np.float32))
        found.append(env.labels()["detail"])
    return np.stack(found)


@pytest.mark.parametrize("detail", DETAILS)
def test_the_world_is_the_one_without_detail(detail):
    plain, env = TwoRooms(4, size=32), Distracted(TwoRooms(4, size=32), detail)
    one, two = plain.reset([3, 1, 4, 1]), env.reset([3, 1, 4, 1])
    assert (one["pixels"] != two["pixels"][..., :32]).any() == (detail != "noise")
    for step in range(20):
        action = np.random.default_rng(step).uniform(-1, 1, (4, 2)).astype(np.float32)
        one, two = plain.step(action), env.step(action)
    np.testing.assert_array_equal(plain.labels()["position"], env.labels()["position"])
    if detail == "noise":
        np.testing.assert_array_equal(one.observation["pixels"], two.observation["pixels"][..., :32])


@pytest.mark.parametrize("detail", ["noise", "rain", "texture"])
def test_a_block_of_steps_tells_nothing_of_the_detail_after_it(detail):
    found = labels_along(Distracted(TwoRooms(200, size=16), detail), steps=10)
    now, later = (found[at] - found[at].mean(axis=0) for at in (5, 10))
    spread = later.std(axis=0) + 1e-9
    correlation = (now * later).mean(axis=0) / (now.std(axis=0) + 1e-9) / spread
    assert np.abs(correlation).mean() < 0.12
    assert spread.min() > 0.1, "the detail varies"


def test_the_texture_that_drifts_can_be_foreseen():
    found = labels_along(Distracted(TwoRooms(50, size=16), "drift"), steps=6)
    before, now, later = (np.arctan2(one[:, 3:], one[:, :3]) for one in found[[0, 3, 6]])
    np.testing.assert_allclose(np.exp(1j * (2 * now - before)), np.exp(1j * later), atol=1e-5)


def test_labels_are_what_the_images_show():
    env = Distracted(TwoRooms(8), "noise")
    greys = env.reset(0)["pixels"][:, 0, 4::8, 68::8].reshape(8, -1) / 255
    np.testing.assert_allclose(greys, env.labels()["detail"], atol=0.5 / 255 + 1e-6)

    env = Distracted(TwoRooms(8, factors={"wall_thickness": 0.1}), "rain")
    wet = (env.reset(0)["pixels"] == np.array([70, 120, 210])[:, None, None]).all(axis=1)
    shares = wet.reshape(8, 4, 16, 4, 16).mean(axis=(2, 4)).reshape(8, -1)
    assert np.corrcoef(shares.ravel(), env.labels()["detail"].ravel())[0, 1] > 0.8

    env = Distracted(TwoRooms(60, factors={"agent_radius": 0.5}), "texture")
    images = env.reset(0)["pixels"].reshape(60, -1).astype(float)
    inputs = np.c_[images - images.mean(axis=0)]
    left, value, _ = np.linalg.svd(inputs, full_matrices=False)
    basis = left[:, :6] * value[:6]
    wanted = env.labels()["detail"] - env.labels()["detail"].mean(axis=0)
    error = wanted - basis @ np.linalg.lstsq(basis, wanted, rcond=None)[0]
    assert (error**2).sum() < 0.05 * (wanted**2).sum(), "six numbers make the images, and they are these"


def test_a_goal_shows_detail_of_its_own_and_the_distance_does_not_see_it():
    env = Distracted(TwoRooms(size=32), "texture")
    tasks = env.tasks(20, seed=0)
    assert (tasks.start["detail_values"] != tasks.goal["detail_values"]).all()
    moved = {**tasks.goal, "detail_values": tasks.start["detail_values"]}
    assert env.distance(moved, tasks.goal).max() == 0
    assert tc.evaluation.closed_loop(tc.evaluation.ExpertActor(env), env, episodes=20).success.rate == 1


def test_a_state_is_followed_by_the_same_detail():
    env = Distracted(PointMass(3, size=16), "rain")
    env.reset(0)
    action = np.zeros((3, 2), np.float32)
    env.step(action)
    state = {name: np.array(values) for name, values in env.state().items()}
    first = env.step(action).observation["pixels"]
    env.begin(state)
    np.testing.assert_array_equal(env.step(action).observation["pixels"], first)
    simulated = env.simulate(state, np.zeros((3, 2, 2), np.float32))
    np.testing.assert_array_equal(simulated["detail_values"][:, 0], env.state()["detail_values"])


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="Did you mean 'rain'"):
        tc.envs.make("distracted:two_rooms,detail=rian")
    with pytest.raises(ConfigError, match="changes images"):
        Distracted("point_mass")
    with pytest.raises(ConfigError, match="goals"):
        Distracted("gymnasium:CartPole-v1")

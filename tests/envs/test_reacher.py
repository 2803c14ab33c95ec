"""Reacher and the dm_control adapter against dm_control and MuJoCo themselves."""

import subprocess
import sys

import numpy as np
import pytest

from envs._gl import require_gl
from tacit.envs import DMControlEnvironment, Reacher, _mujoco
from tacit.errors import ConfigError, MissingExtra

require_gl_here = pytest.fixture(autouse=True)(lambda: require_gl())


def test_the_dynamics_are_dm_controls() -> None:
    from dm_control import suite

    reference = suite.load("reacher", "easy", task_kwargs={"random": 0})
    reference.reset()
    start = {"angle": np.array([[0.3, 2.5]]), "velocity": np.array([[-1.0, 4.0]])}
    with reference.physics.reset_context():
        reference.physics.data.qpos[:], reference.physics.data.qvel[:] = start["angle"][0], start["velocity"][0]
    actions = np.random.default_rng(1).uniform(-1, 1, (1, 40, 2)).astype(np.float32)
    path = Reacher().simulate(start, actions)
    assert np.abs(path["angle"][..., 1]).max() > np.deg2rad(158), "the wrist's stop is part of the test"
    for step in range(40):
        for _ in range(2):
            reference.step(actions[0, step])
        np.testing.assert_allclose(path["angle"][0, step], reference.physics.data.qpos, atol=1e-6)
        np.testing.assert_allclose(path["velocity"][0, step], reference.physics.data.qvel, atol=1e-5)


def test_one_process_draws_and_then_trains() -> None:
    """Mesa's LLVM and that of triton, which torch loads with an optimiser, agree in one order alone."""
    code = (
        "import tacit as tc\ntc.envs.Reacher().reset(0)\nimport torch\n"
        "torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])\nprint('both')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "both\n", (done.returncode, done.stderr[-2000:])


def test_nothing_on_the_image_but_the_arm_and_the_floor() -> None:
    """The pose alone decides the image: velocity, turns and whatever happened before do not show."""
    env = Reacher(1)
    pose = {"angle": np.array([[0.4, 1.0]]), "velocity": np.zeros((1, 2))}
    first = env.observe(pose)["pixels"]
    env.reset(3)
    env.step(np.ones((1, 2), np.float32))
    spun = {"angle": pose["angle"] + [[2 * np.pi, 0.0]], "velocity": np.full((1, 2), 9.0)}
    assert np.abs(env.observe(spun)["pixels"].astype(int) - first).max() <= 2
    assert np.abs(env.observe({**pose, "angle": np.array([[0.4, 1.1]])})["pixels"].astype(int) - first).max() > 60
    target = env._model.geom("target").matid
    assert env._model.mat_rgba[target, 3] == 0
    env._model.geom("target").pos[:] = [0.1, -0.1, 0.01]
    assert np.array_equal(env.observe(pose)["pixels"], first), "the target marker shows"
    env.close()


@pytest.mark.parametrize("size", [64, 128])
def test_the_finger_is_where_its_label_says(size: int) -> None:
    env = Reacher(12, size=size)
    pixels = env.reset(5)["pixels"].astype(np.float64)
    scale = size / (2 * 0.75 * np.tan(np.deg2rad(22.5)))
    for image, finger in zip(pixels, env.labels()["finger"], strict=True):
        x, y = size / 2 + finger[0] * scale, size / 2 - finger[1] * scale
        warmth = image[0] - image[2]
        near = warmth[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
        assert near.max() > 0.6 * warmth.max(), (finger, near)
    env.close()


def test_labels_agree_with_mujoco() -> None:
    env = Reacher(3)
    env.begin({"angle": np.array([[0.0, 0.0], [1.0, -0.5], [9.0, 2.0]]), "velocity": np.ones((3, 2))})
    labels = env.labels()
    np.testing.assert_allclose(labels["finger"][0], [0.24, 0.0], atol=1e-6)
    for world, angle in enumerate(env.state()["angle"]):
        env._data.qpos[:] = angle
        env._mujoco.mj_kinematics(env._model, env._data)
        np.testing.assert_allclose(labels["finger"][world], env._data.geom("finger").xpos[:2], atol=1e-6)
    np.testing.assert_allclose(labels["pose"][2], [np.cos(9), np.sin(9), np.cos(2), np.sin(2)], atol=1e-6)
    env.close()


def test_distance_is_the_worse_joint_and_goes_round_the_circle() -> None:
    env = Reacher()
    state = {"angle": np.array([[3.1, 0.0], [0.0, 0.0], [0.0, 1.0]])}
    goal = {"angle": np.array([[-3.1, 0.01], [4 * np.pi + 0.2, 0.1], [0.3, -1.0]])}
    np.testing.assert_allclose(env.distance(state, goal), [2 * np.pi - 6.2, 0.2, 2.0], atol=1e-9)


def test_tasks_follow_the_protocol() -> None:
    env = Reacher()
    tasks = env.tasks(400, seed=1)
    distance = env.distance(tasks.start, tasks.goal)
    assert distance.min() > env.rules.radius and 0.4 < np.median(distance) < 0.75
    assert (np.abs(tasks.start["angle"][:, 1]) < np.pi).all()
    assert np.sqrt((tasks.start["velocity"] ** 2).mean()) > 1, "starts are in motion, as in recorded episodes"
    assert (env.rules.radius, env.rules.budget, env.rules.success_at) == (0.05, 50, "any")


def test_the_expert_solves_nearly_every_task_and_random_actions_few() -> None:
    env = Reacher()
    tasks = env.tasks(200, seed=2)
    state, solved = tasks.start, np.zeros(200, np.bool_)
    for _ in range(env.rules.budget):
        action = env.expert(state, tasks.goal)
        state = {name: values[:, 0] for name, values in env.simulate(state, action[:, None]).items()}
        solved |= env.distance(state, tasks.goal) <= env.rules.radius
    assert solved.mean() >= 0.98
    random = np.random.default_rng(0).uniform(-1, 1, (200, env.rules.budget, 2)).astype(np.float32)
    path = env.simulate(tasks.start, random)
    reached = [
        env.distance({"angle": path["angle"][:, step]}, tasks.goal) <= env.rules.radius
        for step in range(env.rules.budget)
    ]
    assert np.any(reached, axis=0).mean() < 0.2


def test_the_adapter_steps_and_draws_as_dm_control_does() -> None:
    from dm_control import suite

    env = DMControlEnvironment("cartpole/swingup", 2, pixels=40)
    shown = env.reset([7, 8])
    reference = suite.load("cartpole", "swingup", task_kwargs={"random": 8})
    expected = reference.reset()
    rng = np.random.default_rng(0)
    for _ in range(20):
        for name in ("position", "velocity"):
            np.testing.assert_allclose(shown[name][1], expected.observation[name], atol=1e-6)
        action = rng.uniform(-1, 1, 1).astype(np.float32)
        shown, expected = env.step(np.stack([action, action])).observation, reference.step(action)
    _mujoco.lower_quality(reference.physics.model.ptr)
    with_their_context = reference.physics.render(40, 40, camera_id=0).transpose(2, 0, 1).astype(int)
    assert np.abs(with_their_context - shown["pixels"][1]).max() <= 2
    env.close()


def test_the_adapter_truncates_and_stays() -> None:
    env = DMControlEnvironment("pendulum/swingup", 1)
    env.reset(0)
    env._worlds[0]._step_limit = 4
    seen = [env.step(np.ones((1, 1), np.float32)) for _ in range(6)]
    assert [bool(now.truncated[0]) for now in seen] == [False, False, False, True, True, True]
    assert np.array_equal(seen[3].observation["velocity"], seen[5].observation["velocity"])


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'cartpole/swingup'"):
        DMControlEnvironment("cartpole/swing")
    with pytest.raises(ConfigError, match="no modality 'pixel'"):
        DMControlEnvironment("cartpole/swingup", modalities=["pixel"])
    with pytest.raises(ConfigError, match="Reacher needs"):
        Reacher(0)


def test_missing_packages_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco", None)
    for make in (Reacher, lambda: DMControlEnvironment("cartpole/swingup")):
        with pytest.raises(MissingExtra, match=r"mujoco.*Install it with: .*mujoco"):
            make()

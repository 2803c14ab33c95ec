"""Arm: kinematics and physics against MuJoCo, the scripted controller, and images."""

import numpy as np
import pytest

from envs._gl import require_gl
from tacit.envs import Arm
from tacit.envs._arm_model import JOINTS, XML
from tacit.errors import ConfigError
from tacit.testing.environments import check_environment


def simulated(state, action, world=0):
    """One step of one world by MuJoCo alone."""
    import mujoco

    model = mujoco.MjModel.from_xml_string(XML)
    data = mujoco.MjData(model)
    data.qpos[:] = np.concatenate([state["joints"][world], state["cube"][world]])
    data.qvel[:] = np.concatenate([state["joint_velocity"][world], state["cube_velocity"][world]])
    data.ctrl[:] = np.clip(state["joints"][world] + 0.15 * action[world], *model.jnt_range[:6].T)
    for _ in range(20):
        mujoco.mj_step(model, data)
        data.qacc_warmstart[:] = 0
    return data.qpos.copy()


def test_a_step_is_that_of_mujoco():
    pytest.importorskip("mujoco")
    env = Arm(1, "push")
    tasks = env.tasks(4, 3)
    state = {name: value.copy() for name, value in tasks.start.items()}
    moved = 0.0
    for _ in range(40):
        action = env.expert(state, tasks.goal)
        after = env.simulate(state, action[:, None])
        expected = simulated(state, action)
        found = np.concatenate([after["joints"][0, 0], after["cube"][0, 0]])
        np.testing.assert_allclose(found, expected, atol=2e-3)
        moved += np.abs(after["cube"][0, 0] - state["cube"][0]).max()
        state = {name: value[:, 0] for name, value in after.items()}
    assert moved > 0.03, "a push is part of the test"


@pytest.mark.parametrize("task", ["reach", "push"])
def test_the_scripted_controller_solves_the_tasks(task):
    pytest.importorskip("mujoco")
    env = Arm(1, task)
    tasks = env.tasks(40, 11)
    state, nearest = tasks.start, np.full(40, np.inf)
    for _ in range(env.rules.budget):
        state = env._push(state, env.expert(state, tasks.goal))
        nearest = np.minimum(nearest, env.distance(state, tasks.goal))
    assert (nearest <= env.rules.radius).mean() >= 0.95


def test_doing_nothing_changes_nothing():
    pytest.importorskip("mujoco")
    env = Arm(3, "push")
    start = env.tasks(3, 0).start
    after = env.simulate(start, np.zeros((3, 10, 6), np.float32))
    np.testing.assert_allclose(after["joints"][:, -1], start["joints"], atol=1e-3)
    np.testing.assert_allclose(after["cube"][:, -1], start["cube"], atol=1e-4)


def test_each_action_moves_its_joint():
    pytest.importorskip("mujoco")
    env = Arm(1)
    start = {name: value.repeat(6, axis=0) for name, value in env.tasks(1, 2).start.items()}
    start["joints"][:, 5] = 0.5
    start["cube"][:, 0] = 0.34  # out of the way
    change = env.simulate(start, np.eye(6, dtype=np.float32)[:, None])["joints"][:, 0] - start["joints"]
    assert (np.diag(change) > 0.05).all() and (np.abs(change - np.diag(np.diag(change))) < 0.02).all(), change
    assert len(JOINTS) == env.spec.action.size == 6


def test_the_distance_is_that_of_the_task():
    pytest.importorskip("mujoco")
    reach, push = Arm(1, "reach"), Arm(1, "push")
    tasks = reach.tasks(2, 4)
    other = {name: value.copy() for name, value in tasks.start.items()}
    other["cube"][:, 0] += 0.1
    np.testing.assert_allclose(reach.distance(tasks.start, other), 0.0)
    np.testing.assert_allclose(push.distance(tasks.start, other), 0.1)
    reach.begin(tasks.start)
    first = reach.labels()["tip"]
    reach.begin(tasks.goal)
    expected = np.linalg.norm(first - reach.labels()["tip"], axis=1)
    np.testing.assert_allclose(reach.distance(tasks.start, tasks.goal), expected, atol=1e-6)


def test_the_image_shows_arm_and_cube():
    require_gl()
    env = Arm(1, "push")
    start = env.tasks(1, 4).start
    plain = env.observe(start)["pixels"][0].astype(int)
    for name, column in (("joints", 0), ("cube", 1)):
        other = {key: value.copy() for key, value in start.items()}
        other[name][0, column] += 0.15
        assert (np.abs(env.observe(other)["pixels"][0] - plain).max(axis=0) > 60).sum() >= 10, name
    red = (plain[0] > 120) & (plain[1] < 70)
    assert 10 < red.sum() < 300
    env.close()


def test_the_push_variant_conforms():
    require_gl()
    env = Arm(3, "push", size=32)
    check_environment(env)
    env.close()


def test_wrong_options_are_refused():
    with pytest.raises(ConfigError, match="task 'reach' or 'push'"):
        Arm(1, "lift")

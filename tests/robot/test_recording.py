"""Recordings of a loop, and dry runs on recorded episodes."""

import json

import numpy as np
import pytest

import tacit as tc
from robot.worlds import GOAL, SPEC, Arm, JointModel, agent
from tacit.errors import SpecError
from tacit.robot import Limits, Loop
from tacit.testing.clocks import VirtualClock


def recorded(tmp_path, arm=None, cycles=8, **options):
    arm = arm or Arm()
    loop = Loop(agent(), arm.read, arm.write, 10, record=tmp_path / "data", clock=arm.clock, **options)
    return loop.run(cycles, goal=GOAL), arm, tc.data.open(tmp_path / "data")


def test_an_episode_holds_what_was_seen_and_written(tmp_path):
    report, arm, episodes = recorded(tmp_path)
    assert report.episodes == len(episodes) == 1 and episodes.spec.fps == 10
    np.testing.assert_array_equal(episodes[0].action, arm.written[:7])
    np.testing.assert_array_equal(episodes[0].final_action, arm.written[7])
    np.testing.assert_array_equal(episodes[0].observation["joints"][1:], arm.written[:7])
    assert episodes[0].observation["joints"][0].tolist() == [0.5, -0.5]


def test_a_lost_observation_and_a_missed_cycle_end_an_episode(tmp_path):
    report, _, episodes = recorded(tmp_path, Arm(broken={4: lambda _: None}), 9)
    assert [len(episode) for episode in episodes] == [3, 5] and report.episodes == 2
    arm = Arm(write_seconds=[0.0, 0.0, 0.15])
    report, _, episodes = recorded(tmp_path, arm, 9)
    assert [len(episode) for episode in episodes] == [3, 5, 3, 5] and report.missed == 1


def test_an_error_keeps_the_recording(tmp_path):
    arm = Arm()
    arm.write_seconds = iter([0.0, 0.0, 0.0])
    first = arm.write

    def write(action):
        if len(arm.written) == 4:
            raise RuntimeError("motor fault")
        first(action)

    arm.write = write
    with pytest.raises(RuntimeError):
        recorded(tmp_path, arm)
    assert [len(episode) for episode in tc.data.open(tmp_path / "data")] == [4]


def test_a_dry_run_repeats_the_commands_of_the_same_agent(tmp_path):
    _, arm, episodes = recorded(tmp_path)
    result = tc.robot.dry_run(agent(), episodes[0], goal=GOAL)
    np.testing.assert_allclose(result.commanded, episodes[0].action, atol=1e-6)
    assert result.error.max() < 1e-6 < result.mean_error.max() and result.decisions == {"act": 7}
    assert len(arm.written) == 9  # nothing new


def episode(actions):
    joints = np.concatenate([[[0.5, -0.5]], actions]).astype(np.float32)
    frames = np.zeros((len(joints), 3, 4, 4), np.uint8)
    return tc.Episode({"camera": frames, "joints": joints}, np.asarray(actions, np.float32))


def test_a_dry_run_tells_the_agent_what_was_executed():
    model, actions = JointModel(), np.linspace(-0.9, 0.9, 10).reshape(5, 2)
    result = tc.robot.dry_run(agent(model), episode(actions), goal=GOAL, limits=Limits(low=-0.1))
    blocks = [c.blocks[0, -1].numpy() for c in model.contexts if c.blocks is not None and c.blocks.shape[1]]
    for action in actions[:4]:
        assert any(np.allclose(block, action, atol=1e-6) for block in blocks)
    np.testing.assert_allclose(result.error, np.abs(result.commanded - actions).mean(axis=0), atol=1e-6)
    assert result.clipped == 5 and np.isclose(result.commanded[:, 0], -0.1).all()


def test_a_dry_run_measures_the_latency_and_is_saved(tmp_path):
    clock = VirtualClock()
    model = JointModel(clock, [0.0, 0.02, 0.04, 0.15, 0.0])
    result = tc.robot.dry_run(agent(model), episode(np.zeros((4, 2))), hz=10, clock=clock)
    assert result.late == 1 and result.latency.max == pytest.approx(150.0) and result.latency.p50 == pytest.approx(30.0)
    result.save(tmp_path / "dry.json")
    found = json.loads((tmp_path / "dry.json").read_text())
    assert found["late"] == 1 and np.shape(found["commanded"]) == (4, 2)
    assert "1 late" in str(result)


def test_an_episode_of_another_robot_is_refused():
    wrong = tc.Episode({"joints": np.zeros((3, 2), np.float32)}, np.zeros((2, 2), np.float32))
    with pytest.raises(SpecError, match="needs 'camera'"):
        tc.robot.dry_run(agent(), wrong)
    with pytest.raises(SpecError, match="actions of size 2"):
        tc.robot.dry_run(agent(), tc.Episode(wrong.observation, np.zeros((2, 3), np.float32)))
    assert SPEC.action.size == 2

"""Limits of commands, whose results are known."""

import numpy as np
import pytest

import tacit as tc
from robot.worlds import GOAL, SPEC, Arm, JointModel, agent
from tacit.robot import Limits, Loop
from tacit.robot.commands import Commands

NAN = np.nan


def commands(hz=10.0, spec=SPEC, **limits):
    found = Commands(spec, None, Limits(**limits), hz)
    found.observed({"joints": np.array([[0.5, -0.5]], np.float32)})
    return found


@pytest.mark.parametrize(
    ("limits", "wanted", "expected"),
    [
        ({}, [0.75, -2.0], [0.75, -1.0]),
        ({"low": (0.0, -0.25), "high": 0.5}, [0.75, -2.0], [0.5, -0.25]),
        ({"rate": 1.0}, [0.75, -0.5], [0.6, -0.5]),  # from the pose, 0.1 in a cycle
        ({"rate": (1.0, 2.0)}, [-1.0, 1.0], [0.4, -0.3]),
        ({"step": 0.2}, [1.0, 1.0], [0.7, -0.3]),
        ({"low": 0.0, "step": 0.2}, [1.0, -1.0], [0.7, 0.0]),  # bounds win
    ],
)
def test_commands_are_within_the_limits(limits, wanted, expected):
    command = commands(**limits).within(np.array(wanted, np.float32))
    np.testing.assert_allclose(command.action, expected, atol=1e-6)
    np.testing.assert_array_equal(command.clipped, np.abs(np.subtract(wanted, expected)) > 1e-6)


def test_the_rate_is_that_from_the_last_command_and_the_step_that_from_the_pose():
    both = commands(rate=1.0, step=0.25)
    both.executed(np.array([0.7, -0.7], np.float32))
    np.testing.assert_allclose(both.within([1.0, -1.0]).action, [0.75, -0.75], atol=1e-6)
    np.testing.assert_allclose(both.within([0.0, 0.0]).action, [0.6, -0.6], atol=1e-6)


def test_an_action_that_is_not_finite_holds_the_pose():
    command = commands().within([NAN, 0.0])
    np.testing.assert_array_equal(command.action, [0.5, -0.5])
    assert command.invalid


def test_the_rate_of_a_force_begins_at_zero():
    spec = tc.Spec({"state": tc.Modality("vector", (1,))}, tc.Box((-1.0,), (1.0,), kind="force"))
    found = Commands(spec, None, Limits(rate=2.0), 10.0)
    found.observed({"state": np.zeros((1, 1), np.float32)})
    np.testing.assert_allclose(found.within([1.0]).action, [0.2], atol=1e-6)
    found.executed(np.array([0.2], np.float32))
    np.testing.assert_allclose(found.within([1.0]).action, [0.4], atol=1e-6)
    np.testing.assert_array_equal(found.safe_stop(), [0.0])  # at once


def test_the_loop_counts_clipped_commands_and_tells_the_agent_what_was_executed():
    arm, model = Arm(), JointModel()
    loop = Loop(agent(model), arm.read, arm.write, 10, limits=Limits(rate=1.0), clock=arm.clock)
    report = loop.run(5, goal=GOAL)
    assert report.clipped == 5 and report.clipped_components == (5, 5)
    np.testing.assert_allclose(arm.written[:5], [[0.5 - 0.1 * k, -0.5 + 0.1 * k] for k in range(1, 6)], atol=1e-5)
    blocks = [
        context.blocks[0, -1].numpy()
        for context in model.contexts
        if context.blocks is not None and context.blocks.shape[1]
    ]
    np.testing.assert_allclose(blocks[-1], arm.written[3], atol=1e-6)  # the block before the last decision

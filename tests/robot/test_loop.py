"""Control loop under a virtual clock, where every duration is known, and once under that of the system."""

import json

import numpy as np
import pytest

import tacit as tc
from robot.worlds import GOAL, SPEC, Arm, JointModel, agent
from tacit.errors import ConfigError, SpecError
from tacit.robot import Faults, Limits, Loop
from tacit.testing.clocks import VirtualClock


def run(arm, cycles=6, plan_seconds=(), goal=GOAL, hz=10, actor=None, **options):
    loop = Loop(
        actor or agent(JointModel(arm.clock, plan_seconds)), arm.read, arm.write, hz, clock=arm.clock, **options
    )
    return loop.run(cycles, goal=goal)


def test_the_agent_reaches_its_goal():
    arm = Arm()
    report = run(arm, 8)
    assert report.ended == "complete" and report.cycles == 8 and report.sources == {"agent": 8}
    assert np.abs(arm.written[7] - GOAL["joints"]).max() < 0.1
    np.testing.assert_array_equal(arm.written[8], arm.written[6])  # the safe stop holds the last observed pose
    assert report.stopped and len(arm.written) == 9


def test_cycles_begin_at_absolute_times_and_the_jitter_is_that_of_the_clock():
    delays = [0.001, 0.0, 0.004, 0.002, 0.0, 0.003]
    arm = Arm(VirtualClock(delays), write_seconds=[0.01] * 6)
    report = run(arm)
    begun = np.array(arm.read_at[1:])  # the first read is before the clock starts
    np.testing.assert_allclose(begun, np.arange(6) / 10 + delays, atol=1e-9)
    expected = 1e3 * np.percentile(delays, [50, 90, 99, 100])
    np.testing.assert_allclose([getattr(report.jitter, n) for n in ("p50", "p90", "p99", "max")], expected, atol=1e-6)
    np.testing.assert_allclose(report.latency["write"].p50, 10.0, atol=1e-6)
    assert report.missed == report.late == 0


def test_a_late_plan_is_replaced_and_executed_when_it_arrives():
    arm = Arm()
    # of the goal, of the act without effect, and of the acts: the first two take more than a cycle
    report = run(arm, 6, plan_seconds=[0.0, 0.0, 0.12, 0.15])
    assert report.late == 2 and report.sources == {"fallback": 2, "agent": 4}
    np.testing.assert_array_equal(arm.written[0], [0.5, -0.5])  # holds the pose
    assert np.abs(arm.written[1] - GOAL["joints"]).max() < 0.2
    np.testing.assert_allclose(arm.written_at[0], 0.09, atol=1e-9)  # at the deadline
    assert report.latency["plan"].max == pytest.approx(150.0)
    assert report.problems == {"the plan was late": 2}


@pytest.mark.parametrize(("late", "expected"), [("noop", "pose"), ("repeat", "command")])
def test_the_reaction_to_a_late_plan_is_chosen(late, expected):
    arm = Arm()
    arm.write = lambda action: arm.written.append(action.copy())  # the joints do not follow
    run(arm, 3, plan_seconds=[0.0, 0.0, 0.0, 0.2], faults=Faults(late=late))
    np.testing.assert_array_equal(arm.written[1], arm.joints if expected == "pose" else arm.written[0])
    assert not np.array_equal(arm.written[0], arm.joints)


def test_a_slow_reader_does_not_stop_the_loop():
    arm = Arm(read_seconds=[0.0, *[0.08] * 10])
    report = run(arm, 6)
    assert report.lost == 3 and report.sources == {"noop": 3, "agent": 3}
    np.testing.assert_allclose(arm.written_at[:6], [0.05, 0.1, 0.25, 0.3, 0.45, 0.5], atol=1e-9)
    assert report.latency["read"].p50 == pytest.approx(80.0)


def failing(_):
    raise OSError("USB device gone")


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (lambda _: None, "read returned None"),
        (failing, "read raised OSError: USB device gone"),
        (lambda found: {**found, "camera": None}, "the observation has no camera"),
        (lambda found: {"joints": found["joints"]}, "the observation has no camera"),
    ],
)
def test_a_lost_observation_holds_the_pose(broken, problem):
    arm = Arm(broken={3: broken, 4: broken})
    report = run(arm, 6)
    assert report.lost == 2 and report.problems == {problem: 2} and report.sources == {"agent": 4, "noop": 2}
    np.testing.assert_array_equal(arm.written[2], arm.written[1])
    np.testing.assert_array_equal(arm.written[3], arm.written[1])


def test_lost_observations_can_stop_the_run():
    arm = Arm(broken={3: lambda _: None})
    report = run(arm, 6, faults=Faults(lost="stop"))
    assert (report.ended, report.reason, report.cycles) == ("fault", "read returned None", 3)
    assert report.stopped and len(arm.written) == 3


def test_a_run_ends_when_the_patience_is_at_its_end():
    arm = Arm(broken={count: lambda _: None for count in (2, 4, 5, 6)})
    report = run(arm, 9, faults=Faults(patience=3))
    assert report.ended == "fault" and report.lost == 4 and report.cycles == 6
    assert "3 consecutive cycles" in report.reason


def frozen(found):
    return {**found, "camera": np.full((3, 4, 4), 7, np.uint8)}


def test_a_frozen_camera_is_found_after_identical_frames():
    arm = Arm(broken=dict.fromkeys(range(2, 8), frozen))
    report = run(arm, 10, faults=Faults(frozen_after=3))
    # six identical frames, the first of which is new
    assert report.frozen == 3 and report.sources == {"agent": 7, "noop": 3}
    assert report.problems == {"camera camera shows one frame": 3}
    assert run(Arm(broken=dict.fromkeys(range(2, 8), frozen)), 10, faults=Faults(frozen_after=None)).frozen == 0


def test_a_driver_that_reuses_its_memory_is_not_frozen():
    memory = np.zeros((3, 4, 4), np.uint8)

    def reuse(found):
        memory[:] = found["camera"]
        return {**found, "camera": memory}

    assert run(Arm(broken=dict.fromkeys(range(12), reuse)), 10, faults=Faults(frozen_after=1)).frozen == 0


def test_an_error_in_write_is_raised_after_the_safe_stop():
    arm, calls = Arm(), []

    def write(action):
        calls.append(action.copy())
        if len(calls) == 3:
            raise RuntimeError("motor fault")

    loop = Loop(agent(), arm.read, write, 10, clock=arm.clock)
    with pytest.raises(RuntimeError, match="motor fault"):
        loop.run(9, goal=GOAL)
    assert len(calls) == 4
    np.testing.assert_array_equal(calls[3], arm.joints)  # where the joints are
    assert loop.report.ended == "error" and loop.report.stopped and "motor fault" in loop.report.reason


def test_an_error_of_the_safe_stop_is_not_hidden():
    arm = Arm()

    def write(action):
        if len(arm.written) == 2:
            raise RuntimeError("bus is off")
        arm.written.append(action)

    loop = Loop(agent(), arm.read, write, 10, clock=arm.clock)
    with pytest.raises(RuntimeError, match="bus is off") as caught:
        loop.run(2, goal=GOAL)
    assert "safe stop could not be written" in caught.value.__notes__[0]
    assert not loop.report.stopped and loop.report.ended == "error"


def test_an_error_of_the_agent_stops_the_robot():
    arm = Arm()
    actor = agent(JointModel())
    actor.act = lambda *_: 1 / 0
    with pytest.raises(ZeroDivisionError):
        Loop(actor, arm.read, arm.write, 10, clock=arm.clock).run(5, goal=GOAL)
    np.testing.assert_array_equal(arm.written, [[0.5, -0.5]])


def test_ctrl_c_ends_the_run_with_the_safe_stop_even_if_it_is_pressed_twice():
    arm, calls = Arm(), []

    def write(action):
        calls.append(action.copy())
        if len(calls) in (3, 4):
            raise KeyboardInterrupt

    report = Loop(agent(), arm.read, write, 10, clock=arm.clock).run(9, goal=GOAL)
    assert report.ended == "interrupted" and report.stopped and report.cycles == 3
    assert len(calls) == 5
    np.testing.assert_array_equal(calls[4], arm.joints)


def test_a_robot_that_shows_nothing_at_first_gets_no_command():
    arm = Arm(broken={0: lambda _: None})
    report = run(arm, 5)
    assert report.ended == "fault" and "no first observation" in report.reason
    assert not report.stopped and not arm.written and report.cycles == 0


def test_missed_cycles_are_counted_and_the_clock_does_not_drift():
    arm = Arm(write_seconds=[0.0, 0.25, 0.0, 0.0])
    report = run(arm, 7)
    assert report.missed == 2 and report.cycles == 5
    np.testing.assert_allclose(arm.read_at[1:], [0.0, 0.1, 0.4, 0.5, 0.6], atol=1e-9)


def test_a_value_of_another_shape_is_an_error():
    arm = Arm(broken={2: lambda found: {**found, "camera": found["camera"][:, :2]}})
    with pytest.raises(SpecError, match=r"'camera' as uint8 of shape \[3, 4, 4\].*got uint8 of shape \[3, 2, 4\]"):
        run(arm)
    assert len(arm.written) == 2  # one command and the safe stop


def test_the_report_is_json_and_text(tmp_path):
    report = run(Arm(), 3)
    report.save(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["cycles"] == 3 and found["jitter"]["max"] == 0.0 and found["sources"] == {"agent": 3}
    for word in ("complete: 3 cycles", "jitter", "3 agent", "plan"):
        assert word in str(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hz": 0}, "hz"),
        ({"faults": lambda: Faults(late="panic")}, "Faults.late is one of"),
        ({"faults": lambda: Faults(frozen_after=0)}, "at least 1"),
        ({"faults": lambda: Faults(deadline=1.5)}, "share of a cycle"),
        ({"limits": lambda: Limits(rate=0.0)}, "rate above 0"),
        ({"limits": lambda: Limits(low=(0.0, 0.0, 0.0))}, "each of the 2 components"),
        ({"limits": lambda: Limits(low=2.0)}, "exceeds high"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        run(Arm(), **{name: value() if callable(value) else value for name, value in options.items()})


def test_a_loop_needs_a_known_safe_stop():
    model = JointModel()
    model.spec = tc.Spec(SPEC.modalities, tc.Box((-1.0, -1.0), (1.0, 1.0)))
    with pytest.raises(ConfigError, match="planning fails is not known"):
        Loop(agent(model), Arm().read, Arm().write)


def test_the_clock_of_the_system_keeps_the_rate():
    arm = Arm(tc.robot.SystemClock())
    report = Loop(agent(), arm.read, arm.write, 50).run(seconds=1.0, goal=GOAL)
    assert report.ended == "complete" and report.cycles + report.missed == 50
    assert 0.95 < report.seconds < 2.0
    assert report.cycles >= 25  # on a busy machine
    assert np.abs(arm.joints - GOAL["joints"]).max() < 0.2

"""What the built-in environments declare about their actions."""

from typing import Any

import gymnasium
import pytest

from tacit.envs import DMControlEnvironment, GymnasiumEnvironment, PointMass, TwoRooms
from tacit.envs._gymnasium_kinds import with_kinds
from tacit.envs._mujoco import actuator_kinds, choose_opengl
from tacit.types import Box, Discrete


@pytest.mark.parametrize(
    ("env", "known"),
    [
        ("Pendulum-v1", "force"),
        ("MountainCarContinuous-v0", "force"),
        ("MountainCar-v0", 1),
        ("CartPole-v1", None),
        (lambda: gymnasium.make("Pendulum-v1"), None),
    ],
)
def test_only_what_is_known_of_a_gymnasium_environment_is_declared(env: Any, known: object) -> None:
    action = GymnasiumEnvironment(env).spec.action
    assert (action.kind if isinstance(action, Box) else action.noop) == known


def test_ids_are_looked_up_without_their_version() -> None:
    assert with_kinds(Box((0.0,), (1.0,)), "Ant-v3", {}) == Box((0.0,), (1.0,), "force")
    assert with_kinds(Box((0.0,), (1.0,)), "Ant-v5", {"xml_file": "mine.xml"}).kind is None
    assert with_kinds(Box((0.0,), (1.0,)), "mine/Ant-v5", {}).kind is None
    assert with_kinds(Discrete(4), "ALE/Pong-v5", {}).noop == 0
    assert with_kinds(Discrete(4), "LunarLander-v3", {}).noop == 0
    assert with_kinds(Discrete(4), "mine:MountainCar-v0", {}).noop is None


@pytest.mark.parametrize("name", ["Ant", "HalfCheetah", "Hopper", "Humanoid", "Pusher", "Reacher", "Swimmer"])
def test_the_actuators_of_gymnasiums_mujoco_environments_are_motors(name: str) -> None:
    choose_opengl()
    pytest.importorskip("mujoco")
    model = gymnasium.make(f"{name}-v5").unwrapped.model  # type: ignore[attr-defined]
    assert set(actuator_kinds(model)) == {"force"}
    assert with_kinds(Box((0.0,), (1.0,)), f"{name}-v5", {}) == Box((0.0,), (1.0,), "force")


def test_actuators_of_a_model_of_ones_own() -> None:
    choose_opengl()
    mujoco = pytest.importorskip("mujoco")
    model = mujoco.MjModel.from_xml_string(
        """<mujoco><worldbody><body><joint name="a" axis="1 0 0"/><geom size="1"/></body></worldbody><actuator>
        <motor joint="a"/> <position joint="a" kp="7"/> <velocity joint="a" kv="3"/> <position joint="a" kp="2" kv="1"/>
        <intvelocity joint="a" kp="2" actrange="-1 1"/> <damper joint="a" kv="1" ctrlrange="0 1"/>
        <general joint="a" gainprm="2" biasprm="1 -2 0" biastype="affine"/></actuator></mujoco>"""
    )
    assert actuator_kinds(model) == ("force", "position", "velocity", "position", None, None, None)


@pytest.mark.parametrize(
    ("task", "kind"), [("cartpole/swingup", "force"), ("fish/swim", "position"), ("cheetah/run", "force")]
)
def test_dm_control_declares_its_actuators(task: str, kind: str) -> None:
    pytest.importorskip("dm_control")
    spec = DMControlEnvironment(task).spec
    assert isinstance(spec.action, Box)
    assert spec.action.kind == kind
    assert spec.position is None


def test_our_own_environments_declare_their_actions() -> None:
    assert TwoRooms().spec.action == Box((-1.0, -1.0), (1.0, 1.0), "delta")
    assert PointMass().spec.action == Box((-1.0, -1.0), (1.0, 1.0), "force")

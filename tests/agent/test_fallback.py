"""What an actor does in the worlds in which it has no plan."""

import numpy as np
import pytest
import torch

from tacit.agent import Agent, PolicyActor
from tacit.costs import Goal
from tacit.errors import ConfigError, PlanningError, SpecError
from tacit.planners import CEM
from tacit.testing.worlds import PointModel
from tacit.types import Box, Context, Discrete, Modality, Plan, Spec

START = np.full((3, 2), 0.25, np.float32)
ARM = Box((-1.0, -1.0), (1.0, 1.0), "position")


class Scripted:
    """Plans rows that count up by 0.1, and fails at the decisions of a set.

    Args:
        fails: Numbers of the decisions, counted from 0, that raise ``error``.
        spoils: Decisions whose energies are NaN in world 1.
    """

    def __init__(self, fails=(), spoils=(), error=PlanningError):
        self.fails, self.spoils, self.error, self.calls = set(fails), set(spoils), error, 0

    def __call__(self, problem):
        call, self.calls = self.calls, self.calls + 1
        if call in self.fails:
            raise self.error("nothing is finite")
        rows = 0.1 * torch.arange(1, problem.horizon + 1, dtype=torch.float32)
        actions = rows[None, :, None].expand(problem.batch, -1, problem.space.size)
        energy = problem.score(actions[:, None])[:, 0].clone()
        if call in self.spoils:
            energy[1] = torch.nan
        return Plan(actions.clone(), energy, (), 1)


class Arm(PointModel):
    """Shows its joints in another order than the action has, next to what the model sees."""

    def __init__(self, frameskip=1, kind="position", index=(2, 0)):
        super().__init__(frameskip)
        spec = self.spec
        self.spec = Spec(
            {**spec.modalities, "joints": Modality("vector", (3,))},
            Box((-1.0, -1.0), (1.0, 1.0), kind),
            position="joints",
            position_index=index,
        )

    def live(self, actor, joints, steps=4, **options):
        state, actions, verdicts = actor.start(seed=0, batch=3, goal={"position": START}, **options), [], []
        for step in range(steps):
            action, verdict, state = actor.act(state, {"position": START, **joints(step)})
            actions.append(action)
            verdicts.append(verdict)
        return np.stack(actions), verdicts, state


def joints(step):
    """Component ``j`` of world ``w`` is ``(1 + w) / 10 + j / 100 + step / 1000``."""
    values = (1 + np.arange(3))[:, None] / 10 + np.arange(3) / 100 + step / 1000
    return {"joints": values.astype(np.float32)}


def agent_of(world, planner, **options):
    return Agent(world, planner, Goal(), **{"horizon": 2, **options})


def test_a_failure_before_the_first_plan_holds_the_current_position():
    world = Arm()
    actions, verdicts, _ = world.live(agent_of(world, Scripted(range(9))), joints)
    for step, action in enumerate(actions):
        np.testing.assert_array_equal(action, joints(step)["joints"][:, [2, 0]])
        assert verdicts[step].fallback == ("noop",) * 3
        assert not verdicts[step].ok
    assert verdicts[0].reason == "world 0, 1, 2: planning failed: nothing is finite. Instead: noop."


def test_the_position_is_read_when_the_fallback_acts_and_not_when_it_was_decided():
    world = Arm(frameskip=4)
    actions, _, state = world.live(agent_of(world, Scripted(range(9))), joints)
    np.testing.assert_array_equal(actions, np.stack([joints(step)["joints"][:, [2, 0]] for step in range(4)]))
    assert state.deviated.all()
    np.testing.assert_array_equal(state.executed.transpose(1, 0, 2), actions)


def test_a_position_that_is_not_finite_or_missing_is_the_last_finite_one():
    def spoilt(step):
        if step == 2:
            return {}
        shown = joints(step)
        if step:
            shown["joints"][1, 2] = np.nan
        return shown

    world = Arm()
    actions, _, _ = world.live(agent_of(world, Scripted(range(9))), spoilt)
    np.testing.assert_array_equal(actions[3][1], [joints(0)["joints"][1, 2], joints(3)["joints"][1, 0]])
    np.testing.assert_array_equal(actions[2][0], joints(1)["joints"][0, [2, 0]])


def test_the_last_finite_position_counts_more_than_the_last_action():
    def lost(step):
        return joints(0) if step == 0 else {"joints": np.full((3, 3), np.nan, np.float32)}

    world = Arm()
    actions, verdicts, _ = world.live(agent_of(world, Scripted([1]), horizon=1), lost, steps=2)
    np.testing.assert_allclose(actions[0], 0.1)
    np.testing.assert_array_equal(actions[1], joints(0)["joints"][:, [2, 0]])
    assert verdicts[1].fallback == ("noop",) * 3


def test_a_position_that_was_never_finite_is_not_zero():
    def never(step):
        return {"joints": np.full((3, 3), np.nan, np.float32)}

    world = Arm()
    with pytest.raises(PlanningError, match="no current position came"):
        world.live(agent_of(world, Scripted([0])), never)
    actions, verdicts, _ = world.live(agent_of(world, Scripted([1]), horizon=1), never, steps=2)
    np.testing.assert_allclose(actions[1], 0.1)
    assert verdicts[1].fallback == ("last_action",) * 3


def test_a_position_outside_the_box_is_brought_into_it():
    world = Arm()
    actions, _, _ = world.live(agent_of(world, Scripted(range(9))), lambda _: {"joints": np.full((3, 3), 7.0)}, 1)
    assert (actions == 1).all()


def test_the_position_must_be_shown_before_anything_moves():
    world = Arm()
    with pytest.raises(SpecError, match=r"'joints' holds the current position.*shape \[3, 3\]"):
        world.live(agent_of(world, Scripted()), lambda _: {})


def test_components_of_different_kinds_do_nothing_each_in_its_way():
    world = Arm(kind=("velocity", "position"), index=(1,))
    actions, _, _ = world.live(agent_of(world, Scripted([1, 2, 3]), horizon=1), joints)
    np.testing.assert_allclose(actions[0], 0.1)
    for step in (1, 2, 3):
        np.testing.assert_array_equal(actions[step][:, 0], 0)
        np.testing.assert_array_equal(actions[step][:, 1], joints(step)["joints"][:, 1])


@pytest.mark.parametrize("kind", ["delta", "velocity", "force"])
def test_zero_does_nothing_where_it_is_a_change_a_speed_or_a_force(kind):
    world = PointModel(space=Box((-1.0, -2.0), (3.0, 1.0), kind))
    _, actions, verdicts, _ = world.live(agent_of(world, Scripted(range(9))), START, START, steps=2)
    assert (actions == 0).all()
    assert verdicts[1].fallback == ("noop",) * 3


def test_the_choice_that_does_nothing():
    world = PointModel(space=Discrete(2, noop=1))
    _, actions, _, _ = world.live(agent_of(world, Scripted(range(9))), START, START, steps=2)
    assert (actions == [0, 1]).all()


def test_a_world_goes_on_with_its_last_valid_plan_and_then_falls_back():
    """Not with the last row of that plan for ever, as a velocity would."""
    world = PointModel(space=Box((-1.0, -1.0), (1.0, 1.0), "velocity"))
    agent = agent_of(world, Scripted(range(1, 9)), horizon=3)
    _, actions, verdicts, _ = world.live(agent, START, START, steps=6)
    np.testing.assert_allclose(actions[:, 0, 0], [0.1, 0.2, 0.3, 0, 0, 0], rtol=1e-6)
    assert [verdict.fallback[2] for verdict in verdicts] == ["", "last_plan", "last_plan", "noop", "noop", "noop"]
    assert "Instead: last_plan." in verdicts[1].reason


def test_a_plan_ends_within_a_decision_of_several_blocks():
    world = PointModel(frameskip=2, space=Box((-1.0, -1.0), (1.0, 1.0), "velocity"))
    agent = agent_of(world, Scripted(range(1, 9)), horizon=3, replan_every=2, repeat_action=True)
    _, actions, verdicts, _ = world.live(agent, START, START, steps=8)
    np.testing.assert_allclose(actions[:, 0, 0], [0.1, 0.1, 0.2, 0.2, 0.3, 0.3, 0, 0], rtol=1e-6)
    assert [verdict.fallback[0] for verdict in verdicts[4:]] == ["last_plan", "last_plan", "noop", "noop"]


def test_a_new_plan_ends_the_fallback():
    world = PointModel()
    agent = agent_of(world, Scripted([1, 2]), horizon=1)
    _, actions, verdicts, _ = world.live(agent, START, START, steps=5)
    np.testing.assert_allclose(actions[:, 0, 0], [0.1, 0, 0, 0.1, 0.1], rtol=1e-6)
    assert [verdict.ok for verdict in verdicts] == [True, False, False, True, True]
    assert verdicts[-1].fallback == ("",) * 3


def test_the_last_action_is_repeated():
    world = PointModel(space=Box((-1.0, -1.0), (1.0, 1.0)))
    agent = agent_of(world, Scripted([1, 2]), horizon=1, fallback="last_action")
    _, actions, verdicts, _ = world.live(agent, START, START, steps=4)
    np.testing.assert_allclose(actions[:, 0, 0], 0.1, rtol=1e-6)
    assert verdicts[1].fallback == ("last_action",) * 3


def test_without_a_last_action_and_a_noop_nothing_is_set_in_motion():
    world = PointModel(space=Box((-1.0, -1.0), (1.0, 1.0)))
    agent = agent_of(world, Scripted(range(9)), fallback="last_action")
    with pytest.raises(PlanningError, match=r"world 0, 1, 2: there is no plan for the first action.*in motion yet"):
        world.live(agent, START, START)
    state = agent.start(seed=0, batch=3, goal={"position": START}, last_action=np.full((3, 2), 0.5, np.float32))
    action, verdict, _ = agent.act(state, {"position": START})
    assert (action == 0.5).all() and not verdict.ok
    known = PointModel(space=Box((-1.0, -1.0), (1.0, 1.0), "delta"))
    _, actions, verdicts, _ = known.live(agent_of(known, Scripted(range(9)), fallback="last_action"), START, START, 1)
    assert (actions == 0).all() and verdicts[0].fallback == ("noop",) * 3


@pytest.mark.parametrize("last", [np.full((3, 2), 1.5), np.zeros((2, 2)), np.full((3, 2), np.nan), "no"])
def test_a_last_action_that_is_none_is_refused(last):
    with pytest.raises(SpecError, match="last_action holds one action"):
        agent_of(PointModel(), Scripted()).start(seed=0, batch=3, last_action=last)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        (Box((-1.0, -1.0), (1.0, 1.0)), "action component 0, 1 has no kind"),
        (Box((-1.0, -1.0), (1.0, 1.0), ("force", None)), "action component 1 has no kind"),
        (Box((-1.0, 0.5), (1.0, 1.0), "velocity"), r"component 1 is a velocity, and its range \[0.5, 1\] does not"),
        (
            Box((-1.0, -1.0), (1.0, 1.0), "position"),
            "component 0, 1 is a position, and Spec.position names no modality",
        ),
        (Discrete(2), r"Discrete\(2\) names no choice that does nothing"),
    ],
)
def test_an_unknown_noop_is_refused_at_the_start_and_never_in_motion(space, message):
    world = PointModel(space=space)
    actors = [agent_of(world, Scripted()), PolicyActor(world, None)]
    for actor in actors:
        with pytest.raises(ConfigError, match=message):
            actor.start(seed=0)
    agent_of(world, Scripted(), fallback="last_action").start(seed=0)
    agent_of(world, Scripted(), fallback=lambda observation: observation).start(seed=0)


def test_a_noop_that_cannot_be_known_is_refused_when_it_is_asked_for():
    for space in (ARM, Discrete(2)):
        with pytest.raises(ConfigError, match="fallback='noop' needs an action that does nothing"):
            agent_of(PointModel(space=space), Scripted(), fallback="noop")
    with pytest.raises(ConfigError, match="fallback is 'noop', 'last_action', a function"):
        agent_of(PointModel(), Scripted(), fallback="nop")


def test_a_policy_acts_in_the_worlds_that_fail():
    seen = []

    def retreat(observation):
        seen.append(observation)
        return -observation["position"]

    world = PointModel(space=Box((-1.0, -1.0), (1.0, 1.0)))
    agent = agent_of(world, Scripted(spoils=[0]), fallback=retreat)
    _, actions, verdicts, _ = world.live(agent, START, START, steps=1)
    np.testing.assert_allclose(actions[0], [[0.1, 0.1], [-0.25, -0.25], [0.1, 0.1]], rtol=1e-6)
    assert verdicts[0].fallback == ("", "policy", "")
    assert "world 1: planning failed: no candidate has a finite score" in verdicts[0].reason
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (np.full((3, 2), np.nan), "left the action space or was not finite in world 0, 1, 2"),
        (np.full((3, 2), 1.5), "left the action space or was not finite in world 0, 1, 2"),
        (np.zeros(2), r"was to return numbers of shape \[3, 2\]"),
        (None, r"was to return numbers of shape \[3, 2\]"),
        (KeyError("position"), "the fallback policy failed: KeyError: 'position'"),
    ],
)
def test_a_policy_that_fails_is_replaced(answer, note):
    def policy(observation):
        if isinstance(answer, Exception):
            raise answer
        return answer

    for kind, expected, name in (("force", 0.0, "noop"), (None, 0.1, "last_action")):
        world = PointModel(space=Box((-1.0, -1.0), (1.0, 1.0), kind))
        agent = agent_of(world, Scripted([1]), horizon=1, fallback=policy)
        _, actions, verdicts, _ = world.live(agent, START, START, steps=2)
        np.testing.assert_allclose(actions[1], expected, rtol=1e-6)
        assert verdicts[1].fallback == (name,) * 3
        with pytest.raises(AssertionError, match=note):
            raise AssertionError(verdicts[1].reason)


class Blind(PointModel):
    """Raises when it encodes, from some observation on."""

    def __init__(self, since, error, part="encode", **options):
        super().__init__(**options)
        self.since, self.error, self.part, self.calls = since, error, part, 0

    def encode(self, observation):
        self.calls += 1
        if self.part == "encode" and self.calls - 1 > self.since:  # one for the goal
            raise self.error
        return super().encode(observation)

    def rollout(self, context, actions):
        latents, past_actions = context.latents, context.blocks
        if self.part == "rollout" and self.calls - 1 > self.since:
            raise self.error
        return super().rollout(Context(latents, past_actions), actions)


@pytest.mark.parametrize("error", [KeyError("position"), SpecError("of another shape"), RuntimeError("out of memory")])
@pytest.mark.parametrize("part", ["encode", "rollout"])
def test_what_raises_in_motion_reaches_the_fallback(error, part):
    world = Blind(2, error, part)
    agent = agent_of(world, CEM(samples=16, elites=4), horizon=1)
    _, actions, verdicts, _ = world.live(agent, START, START, steps=4)
    assert [verdict.ok for verdict in verdicts] == [True, True, False, False]
    assert (actions[2:] == 0).all()
    assert type(error).__name__ in verdicts[2].reason
    assert verdicts[2].fallback == ("noop",) * 3
    world = Blind(0, error, part)
    with pytest.raises(type(error)):
        world.live(agent_of(world, CEM(samples=16, elites=4)), START, START)


def test_an_observation_that_cannot_be_encoded_is_told_while_a_plan_is_carried_out():
    world = Blind(1, KeyError("position"))
    agent = agent_of(world, Scripted(), horizon=3, replan_every=3)
    _, actions, verdicts, _ = world.live(agent, START, START, steps=3)
    np.testing.assert_allclose(actions[:, 0, 0], [0.1, 0.2, 0.3], rtol=1e-6)
    assert verdicts[0].ok
    assert verdicts[1].reason == "world 0, 1, 2: the observation cannot be encoded: KeyError: 'position'"
    assert np.isnan(verdicts[1].surprise).all()


def test_an_actor_that_was_given_the_last_action_does_not_raise_at_its_first():
    world = Blind(0, KeyError("position"))
    agent = agent_of(world, Scripted(), fallback="last_action")
    last = np.full((3, 2), 0.5, np.float32)
    state = agent.start(seed=0, batch=3, goal={"position": START}, last_action=last)
    for _ in range(2):
        action, verdict, state = agent.act(state, {"position": START})
        assert (action == 0.5).all() and not verdict.ok
    world.since = 99
    _, verdict, _ = agent.act(state, {"position": START})
    assert verdict.ok


def test_a_plan_of_numbers_that_are_not_finite_is_a_failure():
    class Broken(Scripted):
        def __call__(self, problem):
            plan = super().__call__(problem)
            plan.actions[2, 0] = torch.nan
            return plan

    world = PointModel()
    _, actions, verdicts, _ = world.live(agent_of(world, Broken()), START, START, steps=1)
    np.testing.assert_allclose(actions[0], [[0.1, 0.1], [0.1, 0.1], [0, 0]], rtol=1e-6)
    assert "world 2: planning failed: the plan is not finite" in verdicts[0].reason


def test_the_model_is_told_what_was_done_and_not_what_was_planned():
    world = Arm(frameskip=2)
    world.history = 3
    agent = agent_of(world, Scripted([1, 2, 3]), horizon=1)
    actions, _, state = world.live(agent, joints, steps=7)
    done = actions[:6].reshape(3, 2, 3, 2).transpose(2, 0, 1, 3).reshape(3, 3, 4)
    np.testing.assert_array_equal(state.context.blocks.numpy(), done[:, -2:])


def test_a_policy_actor_falls_back_too():
    class Refuses:
        def propose(self, context, goal, horizon, count, noise, model):
            raise RuntimeError("no")

    world = PointModel(frameskip=2, space=Box((-1.0, -1.0), (1.0, 1.0)))
    actor = PolicyActor(world, Refuses(), fallback="last_action")
    state = actor.start(seed=0, batch=3, goal={"position": START}, last_action=np.full((3, 2), 0.5, np.float32))
    for _ in range(3):
        action, verdict, state = actor.act(state, {"position": START})
        assert (action == 0.5).all()
        assert verdict.fallback == ("last_action",) * 3
        assert verdict.reasons[1].startswith("planning failed: RuntimeError: no. Instead")

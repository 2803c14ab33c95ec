"""The agent plans, carries out, looks and plans again; its state is a value."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

import tacit as tc
from agent.worlds import TrueTwoRooms
from tacit.agent import Agent, PolicyActor, RandomActor
from tacit.costs import Effort, Goal
from tacit.envs import TwoRooms
from tacit.errors import ConfigError, PlanningError, SpecError
from tacit.models import GoalPolicy, GoalPolicyConfig
from tacit.planners import CEM, ICEM, MPPI, Gradient, RandomShooting
from tacit.testing.worlds import PointModel
from tacit.types import Box, Discrete, Plan

PLANNERS = [CEM(samples=100), ICEM(samples=100), MPPI(samples=100), Gradient(starts=4, iterations=60)]
START = np.zeros((3, 2), np.float32)
GOAL = np.array([[2.0, 1.0], [-3.0, 0.5], [0.0, 0.0]], np.float32)


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: type(planner).__name__)
@pytest.mark.parametrize(("frameskip", "hold"), [(1, False), (2, False), (2, True)])
def test_agent_reaches_its_goals(planner, frameskip, hold):
    world = PointModel(frameskip)
    agent = Agent(world, planner, Goal(reduce="sum") + 0.001 * Effort(), horizon=3, repeat_action=hold)
    positions, _, verdicts, _ = world.live(agent, START, GOAL, steps=8)
    assert np.abs(positions[-1] - GOAL).max() < 0.15
    assert all(verdict.ok for verdict in verdicts)


@pytest.mark.parametrize("planner", [CEM(samples=64, elites=8), RandomShooting(samples=900)])
def test_discrete_actions(planner):
    world = PointModel(frameskip=2, space=Discrete(3, noop=2))
    agent = Agent(world, planner, Goal(), horizon=2, replan_every=2)
    start, goal = np.zeros((2, 3), np.float32), np.array([[4.0, 0, 0], [1, 2, 1]], np.float32)
    positions, actions, _, _ = world.live(agent, start, goal, steps=4)
    assert (actions.sum(axis=-1) == 1).all()
    np.testing.assert_array_equal(positions[-1], goal)


def test_held_actions_repeat_and_free_ones_do_not():
    world = PointModel(frameskip=3)
    for hold in (True, False):
        agent = Agent(world, CEM(samples=50), Goal(), horizon=2, replan_every=2, repeat_action=hold)
        _, actions, verdicts, _ = world.live(agent, START, GOAL, steps=6)
        blocks = actions.reshape(2, 3, 3, 2)
        assert (blocks == blocks[:, :1]).all() == hold
        plan = verdicts[0].plan
        np.testing.assert_array_equal(plan.actions.transpose(0, 1), actions)
        assert plan.trace[0].elite.shape == (3, 2 if hold else 6, 2)


class Recorded:
    """A planner that notes how it was asked and answers with rows that count up."""

    def __init__(self):
        self.asked = []

    def __call__(self, problem):
        self.asked.append((problem.horizon, problem.warm_start, problem.proposals, problem.noise))
        rows = torch.arange(problem.horizon, dtype=torch.float32) / 100
        actions = rows[None, :, None].expand(problem.batch, problem.horizon, problem.space.size)
        return Plan(actions, problem.score(actions[:, None])[:, 0], (), 1)


def test_warm_start_is_the_rest_of_the_plan():
    world, planner = PointModel(frameskip=2), Recorded()
    agent = Agent(world, planner, Goal(), horizon=3, replan_every=2)
    _, actions, _, _ = world.live(agent, START, GOAL, steps=8)
    assert [asked[0] for asked in planner.asked] == [6, 6]
    assert planner.asked[0][1] is None
    np.testing.assert_allclose(planner.asked[1][1][0, :, 0], [0.04, 0.05, 0.05, 0.05, 0.05, 0.05])
    np.testing.assert_allclose(actions[:, 0, 0], [0, 0.01, 0.02, 0.03] * 2)
    assert planner.asked[0][3] != planner.asked[1][3], "each decision has noise of its own"


def test_the_agent_never_looks_beyond_its_deadline():
    world, planner = PointModel(frameskip=2), Recorded()
    agent = Agent(world, planner, Goal(), horizon=3, arrive_by=7)
    world.live(agent, START, GOAL, steps=12)
    assert [asked[0] for asked in planner.asked] == [6, 4, 2, 2, 2, 2], "rows: whole blocks left of 7 steps, times 2"
    assert [asked[1].shape[1] for asked in planner.asked[1:]] == [4, 2, 2, 2, 2]


def test_with_a_deadline_the_last_step_alone_brings_it_there_and_keeps_it():
    world = PointModel()
    start, goal = np.zeros((4, 2), np.float32), np.full((4, 2), 5.0, np.float32)
    agent = Agent(world, CEM(samples=300, iterations=12), Goal(), horizon=10, arrive_by=12)
    positions, _, _, _ = world.live(agent, start, goal, steps=12)
    assert np.abs(positions[-1] - goal).max() < 0.1


def test_observations_enter_at_the_clock_of_the_model():
    world = PointModel(frameskip=4)
    agent = Agent(world, Recorded(), Goal(), horizon=3, replan_every=3)
    world.live(agent, START, GOAL, steps=9)
    assert world.encoded == 1 + 3


def test_model_gets_its_history_and_the_blocks_between():
    world = PointModel(frameskip=2, history=3)
    agent = Agent(world, Recorded(), Goal(), horizon=2, replan_every=2)
    positions, actions, _, _ = world.live(agent, START, GOAL, steps=12)
    latents, past = world.contexts[-1].latents, world.contexts[-1].blocks
    np.testing.assert_allclose(latents.transpose(0, 1), positions[6:12:2])
    np.testing.assert_allclose(
        past.transpose(0, 1), actions[6:10].reshape(2, 2, 3, 2).transpose(0, 2, 1, 3).reshape(2, 3, 4)
    )
    assert world.contexts[0].latents.shape == (3, 1, 2)
    assert world.contexts[0].blocks is None


def test_surprise_is_the_error_of_the_last_prediction():
    world = PointModel(frameskip=2, drift=0.25)
    agent = Agent(world, Recorded(), Goal(), horizon=2)
    _, _, verdicts, _ = world.live(agent, START, GOAL, steps=4)
    assert np.isnan([verdict.surprise for verdict in verdicts[:2]]).all()
    for verdict in verdicts[2:]:
        np.testing.assert_allclose(verdict.surprise, np.full(3, 0.5**2), rtol=1e-5)
        assert verdict.surprise.dtype == np.float32
    right = PointModel(frameskip=2)
    _, _, verdicts, _ = right.live(Agent(right, Recorded(), Goal(), horizon=2), START, GOAL, steps=4)
    assert verdicts[-1].surprise.max() < 1e-10


def test_state_is_a_value():
    world = PointModel(frameskip=2)
    agent = Agent(world, CEM(samples=50), Goal(), horizon=2)
    state = agent.start(seed=3, batch=3, goal={"position": GOAL})
    torch.manual_seed(0)
    first, _, later = agent.act(state, {"position": START})
    agent.act(later, {"position": START})
    torch.manual_seed(1)
    again, _, _ = agent.act(state, {"position": START})
    np.testing.assert_array_equal(first, again)
    other, _, _ = agent.act(agent.start(seed=4, batch=3, goal={"position": GOAL}), {"position": START})
    assert (first != other).any()
    first[:] = 7
    assert (later.queue != 7).all()


def test_two_runs_of_one_seed_are_equal():
    world = PointModel(frameskip=2)
    agent = Agent(world, CEM(samples=50), Goal(), horizon=2)
    runs = [world.live(agent, START, GOAL, steps=6, seed=11)[1] for _ in range(2)]
    np.testing.assert_array_equal(*runs)


class Failing:
    def __init__(self, fail_from):
        self.calls, self.fail_from, self.inner = 0, fail_from, Recorded()

    def __call__(self, problem):
        self.calls += 1
        if self.calls >= self.fail_from:
            raise PlanningError("world 1: nothing is finite")
        return self.inner(problem)


def test_failed_planning_is_said_and_the_old_plan_goes_on():
    world = PointModel(frameskip=2)
    agent = Agent(world, Failing(2), Goal(), horizon=3)
    _, actions, verdicts, _ = world.live(agent, START, GOAL, steps=6)
    assert [verdict.ok for verdict in verdicts] == [True, True, False, False, False, False]
    assert "world 1: nothing is finite" in verdicts[2].reason
    np.testing.assert_allclose(actions[:, 0, 0], [0, 0.01, 0.02, 0.03, 0.04, 0.05])


def test_without_a_plan_the_agent_idles_inside_its_space():
    for space, expected in [(Box((-1.0, 0.5), (1.0, 2.0)), [0, 0.5]), (Discrete(2, noop=1), [0, 1])]:
        world = PointModel(space=space)
        agent = Agent(world, Failing(1), Goal(), horizon=3, fallback="noop")
        _, actions, verdicts, _ = world.live(agent, START, GOAL, steps=2)
        assert (actions == np.array(expected)).all()
        assert not verdicts[0].ok
        assert verdicts[0].fallback == ("noop",) * 3


def test_nan_in_an_observation_is_a_failed_decision():
    world = PointModel()
    agent = Agent(world, CEM(samples=50), Goal(), horizon=2)
    state = agent.start(seed=0, batch=3, goal={"position": GOAL})
    broken = START.copy()
    broken[1] = np.nan
    action, verdict, _ = agent.act(state, {"position": broken})
    assert not verdict.ok
    assert "world 1" in verdict.reason
    assert np.isfinite(action).all()


@pytest.mark.parametrize("planner", [*PLANNERS, RandomShooting(samples=50)], ids=lambda p: type(p).__name__)
@pytest.mark.parametrize("part", ["first", "later", "goal"])
def test_a_world_that_fails_leaves_the_others_alone(planner, part):
    def lived(spoil):
        world = PointModel(frameskip=2, history=2)
        policy = GoalPolicy(GoalPolicyConfig(2, world.spec.action, frameskip=2, width=8))
        agent = Agent(world, planner, Goal(), horizon=2, proposal=policy.eval())
        goal, start = GOAL.copy(), START.copy()
        if spoil and part == "goal":
            goal[1] = np.nan
        state = agent.start(seed=0, batch=3, goal={"position": goal})
        actions, verdicts = [], []
        for step in range(6):
            position = start.copy()
            if spoil and step == {"first": 0, "later": 2}.get(part):
                position[1] = np.inf
            action, verdict, state = agent.act(state, {"position": position})
            actions.append(action)
            verdicts.append(verdict)
        return np.stack(actions), verdicts

    torch.manual_seed(0)
    whole, _ = lived(False)
    torch.manual_seed(0)
    spoilt, verdicts = lived(True)
    np.testing.assert_array_equal(spoilt[:, [0, 2]], whole[:, [0, 2]])
    assert np.isfinite(spoilt).all()
    # This world model uses the last latent alone, so a failure does not outlast its observation.
    failed = {"first": [0, 1], "later": [2, 3], "goal": range(6)}[part]
    assert [step for step, verdict in enumerate(verdicts) if not verdict.ok] == list(failed)
    assert "world 1: planning failed: no candidate" in verdicts[failed[0]].reason
    if part == "goal":
        assert (spoilt[:, 1] == 0).all()
        plan = verdicts[-2].plan
        assert plan.energy.isnan().tolist() == [False, True, False]
        assert (plan.actions[1] == 0).all()


def test_a_world_that_fails_goes_on_with_its_own_plan():
    world = PointModel(frameskip=2)
    agent = Agent(world, Recorded(), Goal(), horizon=3)
    state = agent.start(seed=0, batch=3, goal={"position": GOAL})
    for step in range(4):
        position = START.copy()
        position[2] = np.nan if step == 2 else 0.0
        action, verdict, state = agent.act(state, {"position": position})
    assert verdict.reason.startswith("world 2: planning failed: no candidate")
    np.testing.assert_allclose(action[:, 0], [0.01, 0.01, 0.03])


class Hints:
    """Proposes one constant block, ``count`` times."""

    def __init__(self, block):
        self.block = torch.tensor(block)

    def propose(self, context, goal, horizon, count, noise, model):
        latents = context.latents
        assert latents.shape[2:] == goal.shape[1:] == (2,)
        assert context.blocks.shape[1] == latents.shape[1] - 1
        assert isinstance(model, PointModel)
        return self.block.expand(len(latents), count, horizon, -1)


def test_proposals_reach_the_planner_row_by_row():
    world = PointModel(frameskip=2)
    for hold, expected in [(False, [[0.1, 0.2], [0.3, 0.6]] * 3), (True, [[0.2, 0.4]] * 3)]:
        planner = Recorded()
        agent = Agent(world, planner, Goal(), horizon=3, repeat_action=hold, proposal=Hints([0.1, 0.2, 0.3, 0.6]))
        world.live(agent, START, GOAL, steps=1)
        proposals = planner.asked[0][2]
        assert proposals.shape == (3, 16, len(expected), 2)
        np.testing.assert_allclose(proposals[2, 7], expected)
    with pytest.raises(SpecError, match="goal"):
        world.live(agent, START, None, steps=1)


def test_policy_actor_carries_out_its_policy_inside_the_space():
    world = PointModel(frameskip=2)
    actor = PolicyActor(world, Hints([0.1, -0.2, 3.0, 0.4]))
    _, actions, verdicts, _ = world.live(actor, START, GOAL, steps=4)
    np.testing.assert_allclose(actions[:, 0], np.array([[0.1, -0.2], [1.0, 0.4]] * 2, np.float32))
    assert verdicts[-1].ok
    assert verdicts[-1].surprise.max() < 1e-10
    actor = PolicyActor(world, Hints([0.1, np.nan, 3.0, 0.4]))
    _, actions, verdicts, _ = world.live(actor, START, GOAL, steps=2)
    assert (actions == 0).all()
    assert not verdicts[0].ok


def test_goal_policy_acts_and_proposes():
    world = PointModel(frameskip=2)
    torch.manual_seed(0)
    policy = GoalPolicy(GoalPolicyConfig(2, world.spec.action, frameskip=2))
    position = torch.rand(512, 2, generator=torch.Generator().manual_seed(0)) * 4 - 2
    actions = torch.rand(512, 4, generator=torch.Generator().manual_seed(1)) * 2 - 1
    goals = position + actions.reshape(512, 2, 2).sum(dim=1)
    optimiser = torch.optim.Adam(policy.parameters(), 3e-3)
    for _ in range(150):
        optimiser.zero_grad()
        policy.loss(position, goals, actions).backward()
        optimiser.step()
    near = 0.4 * GOAL
    positions, _, _, _ = world.live(PolicyActor(world, policy), START, near, steps=2)
    assert np.abs(positions[-1] - near).max() < 0.3
    few = RandomShooting(samples=1)
    helped = Agent(world, few, Goal(), horizon=2, proposal=policy)
    positions, _, _, _ = world.live(helped, START, GOAL, steps=8)
    assert np.abs(positions[-1] - GOAL).max() < 0.6


@pytest.mark.parametrize("space", [Box((-1.0, -1.0), (1.0, 1.0), "delta"), Discrete(2, noop=0)])
def test_policy_actor_idles_in_the_world_that_fails(space):
    world = PointModel(space=space)
    torch.manual_seed(0)
    actor = PolicyActor(world, GoalPolicy(GoalPolicyConfig(2, space)))
    state = actor.start(seed=0, batch=3, goal={"position": GOAL})
    whole, verdict, _ = actor.act(state, {"position": START})
    assert verdict.ok
    spoilt, verdict, _ = actor.act(state, {"position": np.where([[0], [1], [0]], np.float32(np.nan), START)})
    np.testing.assert_array_equal(spoilt[[0, 2]], whole[[0, 2]])
    np.testing.assert_array_equal(spoilt[1], [0, 0] if isinstance(space, Box) else [1, 0])
    assert verdict.reason.startswith("world 1: ")


def test_a_policy_gets_the_history():
    asked = []

    class Noted(Hints):
        def propose(self, context, goal, horizon, count, noise, model):
            asked.append((context.latents, context.blocks))
            return super().propose(context, goal, horizon, count, noise, model)

    world = PointModel(history=3)
    agent = Agent(world, Recorded(), Goal(), horizon=2, proposal=Noted([0.1, 0.2]))
    positions, actions, _, _ = world.live(agent, START, GOAL, steps=4)
    latents, past = asked[-1]
    np.testing.assert_allclose(latents.transpose(0, 1), positions[1:4])
    np.testing.assert_allclose(past.transpose(0, 1), actions[1:3])


def test_policy_actor_with_choices():
    world = PointModel(space=Discrete(2, noop=0))
    _, actions, _, _ = world.live(PolicyActor(world, Hints([0.2, 0.7])), START, GOAL, steps=1)
    np.testing.assert_array_equal(actions[0], [[0, 1]] * 3)


def test_random_actor_is_uniform_held_and_seeded():
    actor = RandomActor(Box((-1.0, 2.0), (1.0, 6.0)), repeat=3)
    state = actor.start(seed=5, batch=4000)
    drawn = []
    for _ in range(6):
        action, verdict, state = actor.act(state, {})
        drawn.append(action)
    assert verdict.ok
    assert action.dtype == np.float32
    assert (drawn[0] == drawn[2]).all()
    assert (drawn[0] != drawn[3]).all()
    np.testing.assert_allclose(drawn[0].mean(axis=0), [0, 4], atol=0.06)
    np.testing.assert_allclose(drawn[0].std(axis=0), [2 / 12**0.5, 4 / 12**0.5], rtol=0.05)
    same, _, _ = actor.act(actor.start(seed=5, batch=4000), {})
    assert (same == drawn[0]).all()
    choices, _, _ = RandomActor(Discrete(3)).act(RandomActor(Discrete(3)).start(seed=0, batch=3000), {})
    np.testing.assert_allclose(choices.mean(axis=0), [1 / 3] * 3, atol=0.03)


def test_a_verdict_holds_the_plan_that_was_made():
    world = PointModel(frameskip=2)
    agent = Agent(world, CEM(samples=20, elites=4), Goal(), horizon=3, replan_every=2)
    _, actions, verdicts, _ = world.live(agent, START, GOAL, steps=8)
    assert [verdict.plan is not None for verdict in verdicts] == [True, False, False, False] * 2
    np.testing.assert_array_equal(verdicts[4].plan.actions[:, :4].transpose(0, 1), actions[4:])
    assert all(verdict.decision == ("act",) * 3 and verdict.reasons == ("",) * 3 for verdict in verdicts)


def test_acting_twice_from_one_state_does_the_same_twice():
    world = PointModel(frameskip=2)
    agent = Agent(world, CEM(samples=20, elites=4), Goal(), horizon=3)
    _, _, _, state = world.live(agent, START, GOAL, steps=4)
    (one, told, after), (two, said, then) = (agent.act(state, {"position": START}) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert told.decision == said.decision
    left, right = after.to_arrays(), then.to_arrays()
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def test_replaced_settings_leave_the_others_alone():
    agent = Agent(PointModel(), CEM(samples=50), Goal(reduce="sum"), horizon=2, repeat_action=True)
    other = agent.replace(deadline_ms=20.0, horizon=3)
    assert other.config == replace(agent.config, deadline_ms=20.0, horizon=3) and other.model is agent.model
    assert agent.replace().config == agent.config
    with pytest.raises(ConfigError, match=r"Agent has no option 'horizons'. Did you mean 'horizon'"):
        agent.replace(horizons=3)


def test_a_deadline_ends_a_search_with_the_best_plan_so_far():
    class Slow(PointModel):
        def rollout(self, context, actions):
            time.sleep(0.02)
            return super().rollout(context, actions)

    for deadline, ended in ((30.0, "stopped"), (None, "complete")):
        world = Slow()
        agent = Agent(world, CEM(samples=50, iterations=8), Goal(), horizon=2, deadline_ms=deadline)
        _, _, verdicts, _ = world.live(agent, START, GOAL, steps=1)
        plan = verdicts[0].plan
        assert verdicts[0].ok and plan.ended == ended
        assert (len(plan.trace) < 8) == (ended == "stopped")


@pytest.mark.parametrize("planner", [CEM(samples=100), ICEM(samples=100), MPPI(samples=100), Gradient()], ids=repr)
def test_a_constraint_on_the_rollout_holds_whatever_it_costs(planner):
    """The way straight to the goal leads through a wall at 1."""

    def wall(rollout):
        return rollout.latents[..., 0] - 1.0

    world = PointModel()
    agent = Agent(world, planner, Goal(reduce="sum"), horizon=3, constraints=[wall])
    goal = np.array([[3.0, 1.0], [-2.0, 0.5], [0.9, -1.0]], np.float32)
    positions, _, verdicts, _ = world.live(agent, START, goal, steps=8)
    assert positions[..., 0].max() <= 1.0 + 1e-5
    assert np.abs(positions[-1] - np.minimum(goal, [1.0, 9.0])).max() < 0.3
    assert all((verdict.plan.violation <= 0).all() for verdict in verdicts)


def test_constraints_that_are_none_are_refused():
    with pytest.raises(ConfigError, match="functions of a rollout; got 3"):
        Agent(PointModel(), CEM(), Goal(), horizon=2, constraints=[3])
    with pytest.raises(ConfigError, match=r"no option 'repeat_actions'\. Did you mean 'repeat_action'"):
        Agent(PointModel(), CEM(), Goal(), horizon=2, repeat_actions=True)
    with pytest.raises(ConfigError, match="deadline_ms"):
        Agent(PointModel(), CEM(), Goal(), horizon=2, deadline_ms=0)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="arrive_by is a number of steps"):
        Agent(PointModel(), CEM(), Goal(), horizon=3, arrive_by=0)
    world = PointModel()
    for horizon, execute in [(2, 3), (2, 0), (0, 0)]:
        with pytest.raises(ConfigError, match="1 <= replan_every <= horizon"):
            Agent(world, CEM(), Goal(), horizon=horizon, replan_every=execute)
    agent = Agent(world, CEM(), Goal(), horizon=2)
    with pytest.raises(ConfigError, match="seed >= 0"):
        agent.start(seed=-1)
    with pytest.raises(SpecError, match="each of the 2 worlds"):
        agent.start(seed=0, batch=2, goal={"position": GOAL})
    with pytest.raises(SpecError, match="each of the 2 worlds"):
        agent.act(agent.start(seed=0, batch=2), {"position": START})
    with pytest.raises(ConfigError, match="repeat >= 1"):
        RandomActor(Discrete(2), repeat=0)


def test_two_rooms_are_crossed_with_the_true_dynamics():
    env = TwoRooms(num_envs=8, size=16)
    tasks = env.tasks(8, seed=2)
    env.begin(tasks.start)
    model = TrueTwoRooms(env, tasks.start)
    agent = Agent(model, MPPI(samples=150), Goal(reduce="min"), horizon=10, repeat_action=True)
    floor = RandomActor(env.spec.action, repeat=5)
    reached = []
    for actor in (agent, floor):
        env.begin(tasks.start)
        state = actor.start(seed=0, batch=8, goal=tasks.goal)
        for _ in range(env.rules.budget):
            action, _, state = actor.act(state, env.state())
            env.step(action)
        reached.append(int((env.distance(env.state(), tasks.goal) <= env.rules.radius).sum()))
    assert reached[0] >= 7
    assert reached[1] <= 2


def test_a_small_model_plans_with_one_thread_and_the_number_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = tc.recipes.pretrained("two_rooms")
    seen: list[int] = []
    rollout = agent.model.rollout

    def watched(*arguments: object) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return rollout(*arguments)

    monkeypatch.setattr(agent.model, "rollout", watched)
    env, before = tc.envs.TwoRooms(num_envs=1), torch.get_num_threads()
    tasks = env.tasks(1, seed=0)
    try:
        torch.set_num_threads(2)
        agent.act(agent.start(seed=0, goal=env.observe(tasks.goal)), env.begin(tasks.start))
        assert seen and set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

"""Whatever happens, what an actor emits keeps to its constraints."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tacit.agent import Agent, PolicyActor
from tacit.constraints import Limits, MaxChange
from tacit.costs import Goal
from tacit.errors import ConfigError, PlanningError
from tacit.planners import CEM, ICEM, MPPI, Gradient, RandomShooting
from tacit.testing.worlds import PointModel
from tacit.types import Box, Context, Discrete, Modality, Spec

PLANNERS = [
    CEM(samples=12, elites=4, iterations=2),
    CEM(samples=12, elites=4, iterations=2, result="mean"),
    ICEM(samples=12, elites=4, iterations=2),
    MPPI(samples=12, iterations=2),
    Gradient(starts=3, iterations=3),
    RandomShooting(samples=12),
]
BOX = Box((-1.0, -1.0), (1.0, 1.0), "velocity")
START = np.zeros((2, 2), np.float32)
FAR = np.full((2, 2), 50.0, np.float32)


class Proposed:
    """Proposes numbers of any size, and now and then none."""

    def propose(self, context, goal, horizon, count, noise, model):
        width = model.frameskip * model.spec.action.size
        return 9 * torch.from_numpy(noise.normal(0, (count, horizon, width)))


def agent_of(world, planner=PLANNERS[0], **options):
    return Agent(world, planner, Goal(reduce="sum"), **{"horizon": 3, **options})


def jumps(actions, last):
    """The largest change from one step to the next of each component, ``[A]``."""
    return np.abs(np.diff(np.concatenate([last[None], actions]).astype(np.float64), axis=0)).max(axis=(0, 1))


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda planner: type(planner).__name__)
def test_a_plan_starts_from_the_last_action_and_goes_on_across_plans(planner):
    world = PointModel(frameskip=2, space=BOX)
    agent = agent_of(world, planner, constraints=[MaxChange(0.125)])
    _, actions, verdicts, _ = world.live(agent, START, FAR, steps=12)
    assert all(verdict.ok for verdict in verdicts)
    assert jumps(actions[1:], actions[0]).max() <= 0.125 + 2**-24, "half a unit in the last place below 1"
    state = agent.start(seed=0, batch=2, goal={"position": FAR}, last_action=np.full((2, 2), -1.0, np.float32))
    action, _, _ = agent.act(state, {"position": START})
    assert (action <= -0.875).all()


def test_a_held_action_jumps_between_blocks_only():
    world = PointModel(frameskip=3, space=BOX)
    agent = agent_of(world, repeat_action=True, constraints=[MaxChange(0.25)])
    last = np.full((2, 2), -1.0, np.float32)
    state, actions = agent.start(seed=0, batch=2, goal={"position": FAR}, last_action=last), []
    for _ in range(9):
        action, _, state = agent.act(state, {"position": START})
        actions.append(action)
    blocks = np.stack(actions).reshape(3, 3, 2, 2)
    assert (blocks == blocks[:, :1]).all()
    assert jumps(blocks[:, 0], last).max() <= 0.25 + 2**-24
    assert blocks[2, 0].mean() > -0.75, "more than one block's worth of change"


def test_the_search_knows_the_limits():
    """The box that a planner is given is the limited one, so that its noise is of that size."""
    asked = []

    class Noting(RandomShooting):
        def __call__(self, problem):
            asked.append(problem.space)
            return super().__call__(problem)

    world = PointModel(space=BOX)
    world.live(agent_of(world, Noting(samples=4), constraints=[Limits(-0.25, 0.5)]), START, FAR, steps=1)
    assert asked == [Box((-0.25, -0.25), (0.5, 0.5), "velocity")]


def test_a_first_position_is_commanded_near_to_the_current_one():
    world = PointModel()
    joints = {**world.spec.modalities, "joints": Modality("vector", (2,))}
    world.spec = Spec(joints, Box((-9.0, -9.0), (9.0, 9.0), "position"), position="joints")
    agent = agent_of(world, constraints=[MaxChange(0.5)])
    now = np.array([[7.0, -7.0], [0.0, 3.0]], np.float32)
    action, _, _ = agent.act(agent.start(seed=0, batch=2, goal={"position": FAR}), {"position": START, "joints": now})
    assert np.abs(action - now).max() <= 0.5


def test_a_fallback_slows_down_at_the_allowed_rate():
    class Once(RandomShooting):
        def __call__(self, problem):
            if problem.noise.steps != (0, 0):
                raise PlanningError("no more")
            return super().__call__(problem)

    world = PointModel(space=BOX)
    agent = agent_of(world, Once(samples=50), horizon=1, constraints=[MaxChange(0.25)])
    state = agent.start(seed=0, batch=2, goal={"position": FAR}, last_action=np.ones((2, 2), np.float32))
    taken = []
    for _ in range(7):
        action, verdict, state = agent.act(state, {"position": START})
        taken.append(action[0, 0])
    np.testing.assert_allclose(np.diff(taken), np.minimum(0, np.maximum(-0.25, -np.array(taken[:-1]))), atol=1e-7)
    assert taken[-1] == 0 and verdict.fallback == ("noop", "noop")


def test_constraints_are_for_boxes_only():
    world = PointModel(space=Discrete(2, noop=0))
    for make in (lambda: agent_of(world, constraints=[Limits(0, 1)]), lambda: PolicyActor(world, None, None, [1])):
        with pytest.raises(ConfigError, match="constraints restrict the actions of a Box; got Discrete"):
            make()


def test_every_candidate_of_a_search_keeps_to_the_constraints():
    class Judged(PointModel):
        def rollout(self, context, actions):
            latents, past_actions = context.latents, context.blocks
            if actions.ndim == 4 and actions.shape[2] == 3:
                rated.append(actions.detach())
            return super().rollout(Context(latents, past_actions), actions)

    for planner in PLANNERS:
        for hold in (False, True):
            world, rated = Judged(frameskip=2, space=BOX), []
            narrow = [Limits(-0.5, (0.75, 1.0)), MaxChange((0.25, 0.125))]
            agent = agent_of(world, planner, repeat_action=hold, proposal=Proposed(), constraints=narrow)
            last = np.full((2, 2), 0.5, np.float32)
            _, verdict, _ = agent.act(
                agent.start(seed=0, batch=2, goal={"position": FAR}, last_action=last), {"position": START}
            )
            assert verdict.ok, verdict.reason
            rows = torch.cat(rated, dim=1).unflatten(-1, (2, 2)).flatten(2, 3)
            rows = torch.cat([torch.full_like(rows[:, :, :1], 0.5), rows], dim=2)
            assert (rows.diff(dim=2).abs() <= torch.tensor([0.25, 0.125]) + 2**-24).all()
            assert (rows[..., 0] <= 0.75).all() and (rows >= -0.5).all()


class Fragile(PointModel):
    """Fails at steps that are drawn: NaN in one world, or an exception for both."""

    def __init__(self, failures, **options):
        super().__init__(**options)
        self.failures, self.seen = failures, -1

    def encode(self, observation):
        self.seen += 1
        failure = self.failures[self.seen % len(self.failures)] if self.seen else "none"
        if failure == "raise" and self.seen > 1:
            raise RuntimeError("camera")
        latents = super().encode(observation).clone()
        if failure == "nan":
            latents[self.seen % len(latents)] = torch.nan
        return latents


NUMBERS = st.floats(-100, 100, width=32)


@st.composite
def lives(draw):
    """An actor with everything drawn, its world, its constraints and the last action it starts from."""
    size = draw(st.integers(1, 2))
    low, high = (np.array([draw(NUMBERS) for _ in range(size)]) for _ in range(2))
    low, high = np.minimum(low, high), np.maximum(low, high)
    share = st.floats(0, 1)
    ends = [low + draw(share) * (high - low) for _ in range(2)]
    restrictions = []
    if draw(st.booleans()):
        restrictions.append(Limits(tuple(np.minimum(*ends)), tuple(np.maximum(*ends))))
    if draw(st.booleans()) or not restrictions:
        restrictions.append(MaxChange(tuple(draw(st.floats(0, 50)) for _ in range(size))))
    failures = draw(st.lists(st.sampled_from(["none", "none", "nan", "raise"]), min_size=1, max_size=6))
    world = Fragile(failures, frameskip=draw(st.integers(1, 2)), space=Box(low, high, draw(st.sampled_from(KINDS))))
    fallback = draw(st.sampled_from(["noop", "last_action", lambda shown: 9 * shown["position"], lambda shown: 1 / 0]))
    options = {"fallback": fallback, "constraints": draw(st.permutations(restrictions))}
    kind = draw(st.sampled_from([*PLANNERS, "policy"]))
    if kind == "policy":
        actor = PolicyActor(world, Proposed(), **options)
    else:
        proposal = draw(st.sampled_from([None, Proposed()]))
        execute = draw(st.integers(1, 2))
        actor = agent_of(
            world, kind, replan_every=execute, repeat_action=draw(st.booleans()), proposal=proposal, **options
        )
    last = np.asarray(low + draw(share) * (high - low), np.float32)
    return actor, world, np.tile(np.clip(last, *float32_inside(low, high)), (2, 1))


KINDS = (None, "delta", "velocity", "force")


def float32_inside(low, high):
    """The lowest and the highest float32 in each range; twice the same where there is none."""
    below, above = (bound.astype(np.float32) for bound in (low, high))
    lowest = np.where(below < low, np.nextafter(below, np.float32(np.inf)), below)
    highest = np.where(above > high, np.nextafter(above, np.float32(-np.inf)), above)
    thin = lowest > highest
    return np.where(thin, below, lowest), np.where(thin, below, highest)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives(), st.integers(0, 1000))
def test_no_emitted_action_violates_its_constraints(life, seed):
    """Limits and space hold exactly in float32; a change is exact up to half a unit in the last place."""
    actor, world, last = life
    limited = actor._limits.space
    low, high = float32_inside(np.array(limited.low), np.array(limited.high))
    space = float32_inside(np.array(world.spec.action.low), np.array(world.spec.action.high))
    rates = [np.array(one.change) for one in actor.constraints if isinstance(one, MaxChange)]
    goal = np.full_like(last, 500.0)
    state = actor.start(seed=seed, batch=2, goal={"position": goal}, last_action=last)
    before, position = last, np.zeros_like(last)
    for _ in range(8):
        action, _, state = actor.act(state, {"position": position})
        assert action.dtype == np.float32
        assert ((action >= space[0]) & (action <= space[1])).all()
        for change in rates:
            ulp = np.spacing(np.maximum(np.abs(action), np.abs(before)))
            assert (np.abs(action.astype(np.float64) - before) <= change + ulp / 2).all()
        if not rates:
            assert ((action >= low) & (action <= high)).all()
        was = (before >= low) & (before <= high)
        assert ((action >= low) & (action <= high) | ~was).all(), "once within the limits, it stays there"
        before, position = action, position + action

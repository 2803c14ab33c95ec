"""The state of an agent as data: stacked, unstacked, written as arrays and read again."""

import io

import numpy as np
import pytest

from tacit.agent import Agent, AgentState
from tacit.costs import Goal
from tacit.errors import ConfigError, SpecError
from tacit.planners import CEM, WorldNoise
from tacit.testing.worlds import PointModel
from tacit.types import Context, Modality, Spec

GOALS = np.array([[2.0, 1.0], [-3.0, 0.5], [0.5, -1.0]], np.float32)


def agent_of(world, **options):
    return Agent(world, CEM(samples=30, elites=5, iterations=3), Goal(), horizon=3, **options)


class Session:
    """One world with its own agent state."""

    def __init__(self, agent, goal, seed):
        self.position = np.zeros((1, 2), np.float32)
        self.state = agent.start(seed=[seed], goal={"position": goal[None]})
        self.actions = []

    def take(self, action, state):
        self.actions.append(action)
        self.position, self.state = self.position + action, state


def test_sessions_that_start_at_different_times_share_a_batch_and_act_as_alone():
    agent = agent_of(PointModel(frameskip=2, history=2), replan_every=2)
    alone, together = ([Session(agent, goal, seed) for seed, goal in enumerate(GOALS)] for _ in range(2))
    for session in alone:
        for _ in range(20):
            action, _, state = agent.act(session.state, {"position": session.position})
            session.take(action, state)
    largest = 0
    for tick in range(28):  # session k begins at tick 4 k
        ready = [one for k, one in enumerate(together) if tick >= 4 * k and len(one.actions) < 20]
        groups = {}
        for session in ready:
            groups.setdefault(session.state.phase, []).append(session)
        for group in groups.values():
            largest = max(largest, len(group))
            observation = {"position": np.concatenate([one.position for one in group])}
            actions, verdict, state = agent.act(AgentState.stack([one.state for one in group]), observation)
            assert verdict.ok
            for row, (session, one) in enumerate(zip(group, state.unstack(), strict=True)):
                session.take(actions[row : row + 1], one)
    assert largest == 3
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(np.stack(one.actions), np.stack(other.actions))


def test_a_state_passes_through_a_file():
    world = PointModel(frameskip=2, history=3)
    agent = agent_of(world, fallback="last_action")
    _, _, _, state = world.live(agent, np.zeros((3, 2), np.float32), GOALS, steps=5)
    file = io.BytesIO()
    np.savez(file, **state.to_arrays())
    file.seek(0)
    read = AgentState.from_arrays(np.load(file, allow_pickle=False))
    assert read.phase == state.phase
    observation = {"position": np.ones((3, 2), np.float32)}
    for _ in range(5):
        (one, _, state), (other, _, read) = agent.act(state, observation), agent.act(read, observation)
        np.testing.assert_array_equal(one, other)


def test_a_partial_goal_is_part_of_the_arrays():
    world = PointModel()
    world.spec = Spec({**world.spec.modalities, "other": Modality("vector", (1,))}, world.spec.action)
    state = agent_of(world).start(seed=1, batch=2, goal={"other": np.zeros((2, 1), np.float32)})
    arrays = state.to_arrays()
    assert arrays["partial_goal.other"].shape == (2, 1)
    assert AgentState.from_arrays(arrays).partial_goal.keys() == {"other"}


def test_states_that_do_not_fit_are_refused():
    agent = agent_of(PointModel(frameskip=2))
    state = agent.start(seed=0, batch=2, goal={"position": GOALS[:2]})
    _, _, later = agent.act(state, {"position": GOALS[:2]})
    with pytest.raises(SpecError, match=r"block of state 1 differs"):
        AgentState.stack([state, later])
    with pytest.raises(SpecError, match="at least one state"):
        AgentState.stack([])
    arrays = later.to_arrays()
    with pytest.raises(SpecError, match=r"got .*quue"):
        AgentState.from_arrays({**arrays, "quue": arrays["queue"]})
    with pytest.raises(SpecError, match="one number of worlds"):
        AgentState.from_arrays({**arrays, "queue": arrays["queue"][:1]})


def test_a_carry_has_no_arrays():
    state = AgentState.begin((1, 2), 2)
    with pytest.raises(ConfigError, match="carries"):
        AgentState(**{**vars(state), "context": Context(GOALS, carry=object())}).to_arrays()


def test_spawned_noise_is_independent_and_of_the_same_worlds():
    noise = WorldNoise((1, 2), (3, 4))
    assert noise.spawn(1) == WorldNoise((1, 2), (3, 4), 1)
    assert (noise.normal(0, (5,)) != noise.spawn(1).normal(0, (5,))).all()

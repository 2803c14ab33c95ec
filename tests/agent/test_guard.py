"""An agent with a guard: who stops, who slows down, and that nobody else notices."""

import numpy as np
import pytest
import torch

from tacit.agent import Agent, AgentState
from tacit.constraints import MaxChange
from tacit.costs import Goal
from tacit.errors import SpecError
from tacit.guard import Age, Caution, Guard, PredictionEnergy, ScoreSeries, fit
from tacit.models import WorldModel
from tacit.planners import CEM
from tacit.testing.worlds import PointModel
from tacit.types import Box, Modality, Spec

BATCH = 3
GOAL = np.full((BATCH, 2), 20.0, np.float32)
BOX = Box((-1.0, -1.0), (1.0, 1.0), "delta")


def guard_of(*more, release=0.8, calm=2, max_change=0.5):
    """A guard whose thresholds are near an energy of 0.01."""
    draw = np.random.default_rng(0)
    scores = (PredictionEnergy(1), *more)
    values = np.abs(draw.normal(0.0, 0.003, (400, 12, 1)))
    found = fit(scores, ScoreSeries(("prediction energy",), values), false_alarm_rate=0.01, slow_rate=0.1)
    return Guard(scores, found.calibration, Caution(release, calm, max_change))


def agent_of(guard=None, frameskip=2, **options):
    planner = CEM(samples=24, elites=6, iterations=3)
    options = {"horizon": 3, "fallback": "noop", "repeat_action": True, **options}
    return Agent(PointModel(frameskip=frameskip), planner, Goal(reduce="sum"), guard=guard, **options)


def live(agent, steps, change=None, state=None, start=0, position=None):
    """Actions, verdicts and the last state; ``change`` maps a step to what moves the worlds besides."""
    position = np.zeros((BATCH, 2), np.float32) if position is None else position
    state = agent.start(seed=[5, 6, 7], batch=BATCH, goal={"position": GOAL}) if state is None else state
    actions, verdicts = [], []
    for step in range(start, start + steps):
        observation = {"position": position}
        if change is not None:
            position, observation = change(step, position)
        action, verdict, state = agent.act(state, observation)
        position = position + action
        actions.append(action)
        verdicts.append(verdict)
    return np.stack(actions), verdicts, state


def teleport(step, position):
    """World 1 jumps before step 4."""
    position = position.copy()
    if step == 4:
        position[1] += 3.0
    return position, {"position": position}


def test_without_a_fault_a_guarded_agent_acts_as_one_without_a_guard():
    free, _, _ = live(agent_of(), 12)
    guarded, verdicts, _ = live(agent_of(guard_of()), 12)
    np.testing.assert_array_equal(free, guarded)
    assert all(verdict.ok for verdict in verdicts)
    assert {"prediction energy", "guard score"} <= {*verdicts[2].evidence} and verdicts[2].threshold.shape == (BATCH,)
    assert "prediction energy" not in verdicts[3].evidence, "scores are those of block boundaries"


def test_a_world_that_jumps_stops_until_it_is_resumed_and_the_others_do_not_notice():
    agent = agent_of(guard_of())
    free, _, _ = live(agent_of(), 12, teleport)
    actions, verdicts, state = live(agent, 12, teleport)
    assert [verdict.decision[1] for verdict in verdicts] == ["act"] * 4 + ["stop"] * 8
    assert (actions[4:, 1] == 0).all() and verdicts[5].fallback == ("", "noop", "")
    assert "prediction energy" in verdicts[4].reasons[1] and "above" in verdicts[4].reasons[1]
    assert "resume it to act again. Instead: noop." in verdicts[8].reasons[1]
    np.testing.assert_array_equal(actions[:, [0, 2]], free[:, [0, 2]])
    there = {"start": 12, "position": actions.sum(axis=0) + np.float32([[0.0], [3.0], [0.0]])}
    acted, after, _ = live(agent, 4, state=agent.resume(state, np.array([False, True, False])), **there)
    assert {verdict.decision[1] for verdict in after} == {"act"} and (acted[0, 1] != 0).any()
    still, _, _ = live(agent, 2, state=agent.resume(state, np.array([True, False, True])), **there)
    assert (still[:, 1] == 0).all()


def test_a_world_resumed_inside_of_a_block_waits_for_the_next_boundary():
    agent = agent_of(guard_of(), frameskip=4)
    before, verdicts, state = live(agent, 6, teleport)
    assert verdicts[-1].decision[1] == "stop"
    position = before.sum(axis=0) + np.float32([[0.0], [3.0], [0.0]])
    actions, _, _ = live(agent, 4, state=agent.resume(state), start=6, position=position)
    assert (actions[:2, 1] == 0).all() and (actions[2:, 1] != 0).any()


def drifting(step, position):
    """World 2 is moved aside by what is unusual but not alarming, once."""
    position = position.copy()
    if step == 4:
        position[2] += np.float32(0.094)
    return position, {"position": position}


def test_a_slow_world_plans_at_every_block_with_smaller_changes_and_is_released():
    guard = guard_of(calm=2)
    limits = [MaxChange(0.4)]
    agent = agent_of(guard, replan_every=3, constraints=limits)
    free, plain, _ = live(agent_of(replan_every=3, constraints=limits), 16, drifting)
    actions, verdicts, _ = live(agent, 16, drifting)
    decisions = [verdict.decision[2] for verdict in verdicts]
    assert decisions == ["act"] * 4 + ["slow"] * 4 + ["act"] * 8, "two boundaries are calm, and then it acts"
    assert [verdict.plan is not None for verdict in plain] == [step % 6 == 0 for step in range(16)]
    planned = [step for step, verdict in enumerate(verdicts) if verdict.plan is not None]
    assert planned == [0, 4, 6, 12], "steps 4 and 6 are boundaries at which world 2 is slow"
    assert verdicts[4].plan.energy.isnan().tolist() == [True, True, False]
    change = np.abs(np.diff(actions[:, 2], axis=0)).max(axis=1)
    assert change[3:7].max() <= 0.2 + 1e-6 and "slow" not in decisions[:4]
    np.testing.assert_array_equal(actions[:, :2], free[:, :2])
    assert "have to stay low" in verdicts[6].reasons[2]


def test_without_a_limit_of_the_change_a_slow_world_has_one_of_the_range():
    actions, verdicts, _ = live(agent_of(guard_of(max_change=0.05)), 8, drifting)
    slow = [step for step, verdict in enumerate(verdicts) if verdict.decision[2] == "slow"]
    change = np.abs(np.diff(actions[:, 2], axis=0)).max(axis=1)
    assert slow and change[np.array(slow) - 1].max() <= 0.05 * 2 + 1e-6


@pytest.mark.parametrize("missing", [False, True])
def test_a_missing_or_broken_modality_stops_and_is_named(missing):
    def broken(step, position):
        if step != 4:
            return position, {"position": position}
        bad = position.copy()
        bad[1] = np.nan
        return position, {} if missing else {"position": bad}

    _, verdicts, _ = live(agent_of(guard_of()), 8, broken)
    assert verdicts[4].decision == (("stop",) * 3 if missing else ("act", "stop", "act"))
    assert "position is missing or not finite" in verdicts[4].reasons[1]
    assert verdicts[7].decision[1] == "stop"


def test_an_agent_whose_guard_fails_stops_and_says_why():
    class Broken(PredictionEnergy):
        def __call__(self, sensed):
            if sensed.steps[0] >= 2:
                raise RuntimeError("no memory left")
            return super().__call__(sensed)

    whole = guard_of()
    agent = agent_of(Guard((Broken(1),), whole.calibration, whole.caution))
    actions, verdicts, state = live(agent, 8)
    assert [verdict.decision[0] for verdict in verdicts] == ["act"] * 4 + ["stop"] * 4
    assert "the guard failed: RuntimeError: no memory left" in verdicts[4].reasons[2] and not actions[4:].any()
    position = {"position": np.zeros((BATCH, 2), np.float32)}
    _, verdict, _ = agent.act(state, position, age=np.zeros(2))
    assert verdict.decision == ("stop",) * BATCH and "age is a number" in verdict.reasons[0]


def test_an_old_observation_and_a_clock_that_jumps_stop():
    agent = agent_of(guard_of(Age(slow=0.2, stop=1.0)))
    state = agent.start(seed=1, batch=BATCH, goal={"position": GOAL})
    observation = {"position": np.zeros((BATCH, 2), np.float32)}
    _, verdict, _ = agent.act(state, observation, age=np.array([0.1, 0.5, 2.0]))
    assert verdict.decision == ("act", "slow", "stop") and "age" in verdict.reasons[2]
    _, verdict, _ = agent.act(state, observation, age=np.array([0.1, -3.0, np.nan]))
    assert verdict.decision == ("act", "stop", "act") and "the clock jumped" in verdict.reasons[1]
    with pytest.raises(SpecError, match="age is a number of seconds, or one for each of the 3 worlds"):
        agent.act(state, observation, age=np.zeros(2))


def test_the_state_of_a_guarded_agent_goes_through_arrays_and_batches():
    agent = agent_of(guard_of())
    _, _, state = live(agent, 6, teleport)
    expected, verdicts, _ = live(agent, 5, lambda step, position: (position, {"position": position}), state, start=6)
    arrays = AgentState.from_arrays(state.to_arrays())
    restacked = AgentState.stack(state.unstack()[::-1])
    for other, order in ((arrays, slice(None)), (restacked, slice(None, None, -1))):
        found, after, _ = live(agent, 5, lambda step, position: (position, {"position": position}), other, start=6)
        if order == slice(None):
            np.testing.assert_array_equal(found, expected)
        assert [one.decision for one in after] == [one.decision[order] for one in verdicts]


def test_a_guard_is_saved_with_its_agent_and_part_of_the_digest(tmp_path):
    torch.manual_seed(0)
    model = WorldModel.for_spec(Spec({"state": Modality("vector", (3,))}, BOX), frameskip=2, latent=8).eval()
    options = {"horizon": 2, "repeat_action": True, "fallback": "noop"}
    agent = Agent(model, CEM(samples=16, elites=4), Goal(), guard=guard_of(Age(slow=0.2, stop=1.0)), **options)
    agent.save(tmp_path / "agent")
    again = Agent.load(tmp_path / "agent")
    assert str(again.guard) == str(agent.guard) and again.digest() == agent.digest()
    assert agent.digest() != Agent(model, CEM(samples=16, elites=4), Goal(), **options).digest()
    assert "stop above" in str(again)
    draw = np.random.default_rng(0)
    for one in (agent, again):
        state = one.start(seed=1, goal={"state": np.zeros((1, 3), np.float32)})
        _, verdict, state = one.act(state, {"state": draw.normal(size=(1, 3)).astype(np.float32)}, age=2.0)
        assert verdict.decision == ("stop",)

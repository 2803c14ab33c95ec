"""Traces: what is recorded of each step, of any kind of actor, and the scores that follow from it."""

import numpy as np
import pytest

from evaluation.line import Passing, Still, Walker
from evaluation.test_episode_scores import Counting, Pushing
from tacit.agent import RandomActor
from tacit.collection import Acting, Each
from tacit.envs import TwoRooms
from tacit.errors import ConfigError
from tacit.evaluation import ExpertActor, closed_loop, score_episodes, trace
from tacit.testing.worlds import LineWorld
from tacit.types import Tasks, Verdict

TASKS = Tasks({"x": np.array([[1.0], [2.0]])}, {"x": np.array([[4.0], [2.7]])})


def test_a_trace_of_tasks_has_distances_labels_states_and_goals():
    found = trace(Walker(), LineWorld(budget=5), TASKS, record={"vector": 1})
    np.testing.assert_allclose(found.distances, [[3.0, 2, 1, 0, 0, 0], [0.7, 0, 0, 0, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(found.actions[0, :, 0], [1, 1, 1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found.labels["position"][:, 0], TASKS.start["x"])
    np.testing.assert_allclose(found.goal_labels["position"], TASKS.goal["x"], rtol=1e-6)
    assert found.observations["vector"].shape == (1, 6, 2) and found.states["x"].shape == (1, 6, 1)
    np.testing.assert_allclose(found.goal_observations["vector"], [[4.0, 6.0]])
    assert found.within(0.5, "any").all() and len(found.latencies) == 5 and not found.planned.any()
    assert found.rewards is found.success is None and (found.decisions == "act").all()


def test_decisions_are_kept_for_each_world_and_step():
    class Hesitant(Still):
        def act(self, state, observation):
            decision = ("act", "stop") if observation["vector"][0, 0] < 2 else ("slow", "act")
            return np.ones((2, 1), np.float32), Verdict(decision, np.array([0.5, 2.0], np.float32), ("", "")), state

    found = trace(Hesitant(), LineWorld(budget=2), TASKS)
    assert found.decisions.tolist() == [["act", "slow"], ["stop", "act"]]
    assert found.not_acted.tolist() == [1, 1]
    np.testing.assert_allclose(found.surprise, [[0.5, 0.5], [2.0, 2.0]])


def test_nothing_counts_after_the_end_of_an_episode():
    found = trace(Pushing(), Counting(), 3, steps=8)
    assert found.lengths.tolist() == [4, 7, 8] and found.terminated.tolist() == [True, True, False]
    assert (found.decisions[0] == ["act"] * 4 + [""] * 4).all() and not found.actions[0, 4:].any()
    np.testing.assert_allclose(found.returns, [4.0, 3.5, 2.0])
    assert found.solved("last").tolist() == [False, False, True] and found.solved("any").all()
    ended = trace(Passing(), LineWorld(end_at=3.0, budget=9), TASKS)
    assert ended.lengths.tolist() == [2, 1] and ended.distances.shape == (2, 10)
    np.testing.assert_allclose(ended.distances[:, 2:], np.broadcast_to([[1.0], [0.3]], (2, 8)), atol=1e-6)


def test_batches_of_episodes_are_one_trace():
    whole, parts = (
        trace(RandomActor(Counting.spec.action), Counting(n), 7, steps=30, record={"sum": 2}) for n in (7, 3)
    )
    np.testing.assert_array_equal(whole.lengths, parts.lengths)
    steps = min(whole.actions.shape[1], parts.actions.shape[1])
    np.testing.assert_array_equal(whole.actions[:, :steps], parts.actions[:, :steps])
    assert parts.observations["sum"].shape == (2, parts.actions.shape[1] + 1, 1)


@pytest.mark.parametrize("as_given", [lambda function: function, Each])
def test_a_function_of_the_observation_is_an_actor(as_given):
    found = trace(as_given(lambda observation, step: np.array([0.5 if step else 1.0])), Counting(), 3, steps=3)
    np.testing.assert_allclose(found.returns, [2.0] * 3)


def test_an_actor_can_bring_its_goal():
    actor = Pushing()
    trace(Acting(actor, {"sum": np.array([2])}), Counting(), 3, steps=1)
    assert actor.goals[0]["sum"].shape == (3, 1)
    with pytest.raises(ConfigError, match="the tasks have goals"):
        trace(Acting(Walker(), {"vector": np.zeros(2)}), LineWorld(), TASKS)
    with pytest.raises(ConfigError, match="receives states"):
        trace(ExpertActor(LineWorld()), Counting(), 3)
    with pytest.raises(ConfigError, match="no modality 'image'"):
        trace(Walker(), LineWorld(), TASKS, record={"image": 1})


def test_scores_of_a_seed_stay_the_same():
    """Numbers of fixed seeds, measured before both loops became one."""
    rooms = TwoRooms()
    run = closed_loop(RandomActor(rooms.spec.action, repeat=5), rooms, episodes=20, seed=3)
    assert run.distances[:3, -1].tolist() == pytest.approx(
        [37.98369857814978, 50.76850735224188, 51.332504774598895], abs=1e-9
    )
    scores = score_episodes(RandomActor(Counting.spec.action), Counting(), episodes=6, steps=20)
    assert scores.returns.tolist() == [
        -1.8353981971740723,
        0.14988887310028076,
        -0.5157352685928345,
        1.1119029521942139,
        0.7723437547683716,
        -4.947041749954224,
    ]

import numpy as np
import pytest

from evaluation.line import Passing, Still, Walker
from tacit.errors import ConfigError, SpecError
from tacit.evaluation import Privileged, closed_loop, held_out_tasks, reached_tasks
from tacit.testing.worlds import LineWorld
from tacit.types import Tasks, Verdict


def test_a_walker_reaches_every_goal_and_a_frozen_actor_none():
    walker, still = closed_loop(Walker(), LineWorld(), episodes=40), closed_loop(Still(), LineWorld(), episodes=40)
    assert (walker.success.rate, walker.success.n, still.success.rate) == (1.0, 40, 0.0)
    assert walker.success.low > 0.9 and still.success.high < 0.1
    assert walker.not_ok == 0 and still.not_ok == 40 * LineWorld().rules.budget
    assert 0 <= walker.latency_p50 <= walker.latency_p99 and walker.batch == 40 and not walker.privileged


def test_success_at_the_last_step_and_at_any_step_are_both_reported():
    last, ever = (closed_loop(Passing(), LineWorld(success_at=at), episodes=30) for at in ("last", "any"))
    assert last.success_last.rate == ever.success_last.rate == 0.0
    assert last.success_any.rate == ever.success_any.rate == 1.0
    assert (last.success.rate, ever.success.rate) == (0.0, 1.0)
    assert not last.solved.any() and ever.solved.all()


def test_distances_and_paths_cover_the_whole_walk():
    run = closed_loop(Walker(), LineWorld(), episodes=7)
    assert run.distances.shape == (7, 13) and run.paths.shape == (7, 13, 1) and run.goals.shape == (7, 1)
    np.testing.assert_allclose(run.paths[:, 0], run.tasks.start["x"], rtol=1e-6)
    np.testing.assert_allclose(run.distances, np.abs(run.paths - run.goals[:, None])[..., 0], atol=1e-5)
    np.testing.assert_allclose(np.diff(run.paths[:, :3, 0]), 1.0, rtol=1e-5)


def test_an_actor_is_given_only_the_modalities_that_the_spec_names():
    walker = Walker()
    closed_loop(walker, LineWorld(), episodes=4)
    assert all(set(given) == {"vector"} for given in walker.given)
    with pytest.raises(KeyError, match="secret"):
        closed_loop(Walker("secret"), LineWorld(), episodes=4)


def test_an_actor_changes_the_world_by_its_actions_alone():
    class Vandal(Still, Privileged):
        def act(self, state, observation):
            observation["x"][:] = 7.0
            return super().act(state, observation)

    run = closed_loop(Vandal(), LineWorld(), episodes=4)
    np.testing.assert_array_equal(run.distances[:, 0], run.distances[:, -1])


def test_the_step_budget_is_spent_whether_solved_or_not():
    actor = Walker()
    closed_loop(actor, LineWorld(budget=9), episodes=3)
    assert len(actor.given) == 1 + 9


def test_tasks_solved_at_the_start_are_replaced_and_counted():
    env = LineWorld(solved_share=0.5)
    tasks, refused = held_out_tasks(env, 50, seed=3)
    assert len(tasks) == 50 and refused > 10
    assert (env.distance(tasks.start, tasks.goal) > env.rules.radius).all()
    assert closed_loop(Still(), env, episodes=20).success.rate == 0.0
    with pytest.raises(ConfigError, match="solved at their start"):
        held_out_tasks(LineWorld(solved_share=1.0), 5, seed=0)


def striding(env, seeds, steps):
    """Starts where the seed says, and walks to the right at full speed."""
    start = np.stack([np.random.default_rng(seed).uniform(0, 4, 1) for seed in seeds])
    return env.begin({"x": start}), lambda step, _observation: np.ones((len(seeds), 1), np.float32)


def test_reached_tasks_have_goals_of_the_policy():
    env = LineWorld()
    tasks = reached_tasks(env, striding, 30, steps=3, seed=1)
    np.testing.assert_allclose(tasks.goal["x"], tasks.start["x"] + 3.0)
    assert len(np.unique(tasks.start["x"])) == len(tasks) == 30
    np.testing.assert_array_equal(tasks.start["x"], reached_tasks(env, striding, 30, steps=3, seed=1).start["x"])
    assert not np.array_equal(tasks.start["x"], reached_tasks(env, striding, 30, steps=3, seed=2).start["x"])
    with pytest.raises(ConfigError, match="solved at their start"):
        reached_tasks(env, striding, 5, steps=0, seed=1)


def test_an_episode_that_ends_on_the_way_gives_no_goal():
    tasks = reached_tasks(LineWorld(end_at=5.0), striding, 30, steps=3, seed=1)
    assert len(tasks) == 30 and (tasks.goal["x"] < 5.0).all()
    message = r"30 tasks were asked for and 0 found\. 600 episodes ended before their goal: ask for fewer steps"
    with pytest.raises(ConfigError, match=message):
        reached_tasks(LineWorld(end_at=0.5), striding, 30, steps=3, seed=1)


def test_given_tasks_are_pursued_unchanged():
    tasks = Tasks({"x": np.array([[1.0], [2.0], [9.0]])}, {"x": np.array([[4.0], [2.7], [0.0]])})
    run = closed_loop(Walker(), LineWorld(budget=8), tasks=tasks, batch=2)
    np.testing.assert_allclose(run.distances[:, 0], [3.0, 0.7, 9.0])
    assert run.solved.tolist() == [True, True, False] and (run.success.n, run.replaced) == (3, 0)
    with pytest.raises(ConfigError, match="got 3, 3 of them within"):
        closed_loop(Walker(), LineWorld(), tasks=Tasks(tasks.start, tasks.start))


def test_the_tasks_depend_on_the_seed_and_not_on_the_batch():
    whole, parts = (
        closed_loop(Walker(), LineWorld(), episodes=10),
        closed_loop(Walker(), LineWorld(), episodes=10, batch=4),
    )
    np.testing.assert_array_equal(whole.distances, parts.distances)
    assert parts.batch == 4
    assert not np.array_equal(whole.distances, closed_loop(Walker(), LineWorld(), episodes=10, seed=2).distances)


def test_what_happens_after_the_end_of_an_episode_does_not_count():
    run = closed_loop(Passing(), LineWorld(end_at=9.0, budget=20), episodes=10)
    final = np.abs(np.minimum(np.ceil(9.0 - run.paths[:, 0, 0]) + run.paths[:, 0, 0], 10.0) - run.goals[:, 0])
    np.testing.assert_allclose(run.distances[:, -1], final, atol=1e-5)


@pytest.mark.parametrize(
    ("action", "message"),
    [
        (np.zeros((5, 2)), "shape"),
        (np.full((5, 1), np.nan), "not finite"),
        (np.full((5, 1), 1.5), "left the action space"),
    ],
)
def test_bad_actions_are_refused(action, message):
    class Bad(Still):
        def act(self, state, observation):
            return action.astype(np.float32), Verdict.acting(5), state

    with pytest.raises(SpecError, match=message):
        closed_loop(Bad(), LineWorld(), episodes=5)

"""Imagination as an environment."""

from dataclasses import replace

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import tacit as tc
from tacit.envs import Imagined, to_gymnasium
from tacit.errors import ConfigError, DataError, SpecError
from tacit.testing.environments import check_environment
from tacit.testing.worlds import PointModel
from tacit.types import Box, Discrete, Episode, Mixed

SKIP = 2


def recorded(count=4, steps=13, size=2, seed=0):
    """Return episodes of the point, whose next position is the last one plus the action."""
    rng = np.random.default_rng(seed)
    found = []
    for index in range(count):
        action = rng.uniform(-1, 1, (steps, size)).astype(np.float32)
        start = rng.normal(0, 3, (1, size))
        position = np.concatenate([start, start + np.cumsum(action, axis=0)]).astype(np.float32)
        found.append(Episode({"position": position}, action, index=index))
    return found


def imagined(num_envs=1, *, history=1, **options):
    return Imagined(PointModel(SKIP, history), recorded(), tc.costs.Goal(), num_envs, **{"goals": "any", **options})


@pytest.fixture(scope="module")
def rooms():
    """A small model of pixels with its episodes."""
    episodes = tc.collect("two_rooms:size=16", episodes=6, steps=12, seed=0)
    return tc.models.WorldModel.for_spec(episodes.spec, latent=8, frameskip=3), episodes


@pytest.mark.parametrize("options", [{}, {"history": 3}, {"goals": "later"}, {"repeat_action": True, "horizon": 4}])
def test_it_keeps_the_promises_of_an_environment(options):
    check_environment(imagined(3, **options))


def test_a_trained_kind_of_model_keeps_them_too(rooms):
    model, episodes = rooms
    check_environment(Imagined(model, episodes, tc.costs.Goal(), 4, goals="any"))


@pytest.mark.filterwarnings("ignore:.*(infinity|normalized|symmetric).*")
@pytest.mark.parametrize("goals", ["none", "any"])
def test_gymnasiums_own_checker_passes(goals):
    cost = tc.costs.Goal(torch.zeros(2)) if goals == "none" else tc.costs.Goal()
    env = to_gymnasium(Imagined(PointModel(SKIP), recorded(), cost, goals=goals))
    check_env(env, skip_render_check=True)
    assert set(env.observation_space.spaces) == ({"latent"} if goals == "none" else {"latent", "goal"})


@pytest.mark.parametrize("repeat", [False, True])
def test_it_imagines_what_the_model_predicts(repeat):
    """The dynamics of the point are known, so a plain loop gives every latent and reward."""
    env = imagined(5, repeat_action=repeat, horizon=6)
    now, rng = env.reset(3), np.random.default_rng(1)
    position, goal = now["latent"].astype(np.float64), now["goal"].astype(np.float64)
    for step in range(6):
        action = rng.uniform(-1, 1, (5, env.spec.action.size)).astype(np.float32)
        raw = np.repeat(action[:, None], SKIP, axis=1) if repeat else action.reshape(5, SKIP, 2)
        position = position + raw.sum(axis=1)
        found = env.step(action)
        np.testing.assert_allclose(found.observation["latent"], position, atol=1e-5)
        np.testing.assert_array_equal(found.observation["goal"], now["goal"])
        np.testing.assert_allclose(found.reward, -((position - goal) ** 2).mean(axis=1), rtol=1e-4)
        assert not found.terminated.any() and found.truncated.all() == (step == 5)
    assert found.reasons == ("the horizon of 6 blocks",) * 5
    again = env.step(action)
    np.testing.assert_array_equal(again.observation["latent"], found.observation["latent"])
    np.testing.assert_array_equal(again.reward, np.zeros(5))


def test_a_model_of_longer_history_receives_its_own_past():
    env = imagined(2, history=3)
    env.reset(0)
    first, second = np.full((2, 4), 0.25, np.float32), np.full((2, 4), -0.5, np.float32)
    one = env.step(first).observation["latent"]
    env.step(second)
    context = env.model.contexts[-1]
    assert context.latents.shape == (2, 3, 2) and context.blocks.shape == (2, 2, 4)
    np.testing.assert_array_equal(context.latents[:, -1], one)
    np.testing.assert_array_equal(context.blocks[:, -1], first)
    moved = context.latents[:, 1] - context.latents[:, 0]  # recorded, and so are the blocks between
    np.testing.assert_allclose(context.blocks[:, 0].reshape(2, SKIP, 2).sum(dim=1), moved, atol=1e-5)


def test_starts_and_goals_are_recorded_states():
    episodes, env = recorded(), imagined(300, goals="later")
    boundaries = [one.observation["position"][::SKIP] for one in episodes]
    shown = env.reset(7)
    starts, lags = set(), set()
    for start, goal in zip(shown["latent"], shown["goal"], strict=True):
        ((episode, row),) = np.argwhere([[(one == start).all() for one in rows] for rows in boundaries])
        (later,) = np.flatnonzero((boundaries[episode] == goal).all(axis=1))
        assert later > row
        starts.add((episode, row))
        lags.add(later - row)
    assert len(starts) == 4 * 6 and lags == {1, 2, 3, 4, 5, 6}  # every boundary but the last one of an episode


def test_an_episode_depends_on_its_seed_and_not_on_its_batch(rooms):
    model, episodes = rooms
    many, one = (Imagined(model, episodes, tc.costs.Goal(), count, goals="any") for count in (7, 1))
    seeds, rng = list(range(30, 37)), np.random.default_rng(0)
    plan = [many.spec.action.sample(rng, (7,)) for _ in range(5)]
    for world in (0, 3, 6):
        whole, alone = many.reset(seeds), one.reset([seeds[world]])
        for action in plan:
            np.testing.assert_allclose(alone["latent"][0], whole["latent"][world], atol=1e-6)
            now, single = many.step(action), one.step(action[world : world + 1])
            np.testing.assert_allclose(single.reward[0], now.reward[world], atol=1e-6)
            whole, alone = now.observation, single.observation


class Exploding(PointModel):
    """Predictions are not finite beyond a position."""

    def rollout(self, context, blocks):
        found = super().rollout(context, blocks)
        return torch.where(found > 5, torch.inf, found)


def test_a_prediction_that_is_not_finite_ends_the_episode():
    env = Imagined(Exploding(SKIP), recorded(1), tc.costs.Goal(), 2, goals="any")
    shown, push = env.reset(0), np.array([[1.0] * 4, [-1.0] * 4], np.float32)
    for _ in range(12):
        before, now = shown, env.step(push)
        shown = now.observation
        assert np.isfinite(shown["latent"]).all() and np.isfinite(now.reward).all()
        if now.truncated.any():
            break
    assert now.truncated.tolist() == [True, False] and now.reward[0] == 0
    assert "not finite" in now.reasons[0] and now.reasons[1] == ""
    np.testing.assert_array_equal(shown["latent"][0], before["latent"][0])
    single = to_gymnasium(Imagined(Exploding(SKIP), recorded(1), tc.costs.Goal(), goals="any"))
    single.reset(seed=0)
    for _ in range(12):
        *_, cut, info = single.step(push[0])
        if cut:
            break
    assert cut and "not finite" in info["reason"]


def test_a_guard_ends_episodes_that_leave_the_data():
    model, episodes = PointModel(SKIP), recorded(200, seed=1)
    guard = tc.guard.calibrate(
        model,
        recorded(300, seed=2),
        scores=[tc.guard.NearestNeighbors.fit(tc.guard.record(model, episodes).known, {})],
        false_alarm_rate=0.02,
    )
    env = Imagined(model, episodes, tc.costs.Goal(), 64, goals="any", guard=guard, horizon=25)
    env.reset(0)
    for _ in range(25):
        away = env.step(np.ones((64, 4), np.float32))  # 50 units, and recorded positions are within about 12
    stopped = np.array(["distance to recorded latents" in reason for reason in away.reasons])
    assert stopped.mean() > 0.9 and np.abs(away.observation["latent"][stopped]).max() < 40
    unguarded = replace(env, episodes=episodes, guard=None)
    unguarded.reset(0)
    for _ in range(25):
        free = unguarded.step(np.ones((64, 4), np.float32))
    assert set(free.reasons) == {"the horizon of 25 blocks"} and np.abs(free.observation["latent"]).max() > 45
    check_environment(env)


def test_a_head_predicts_the_reward():
    class Head:
        def reward(self, latents, blocks):
            return latents[:, 0] + 10 * blocks.sum(dim=-1)

    env = Imagined(PointModel(SKIP), recorded(), Head(), 3)
    start, action = env.reset(2)["latent"], np.full((3, 4), 0.5, np.float32)
    np.testing.assert_allclose(env.step(action).reward, start[:, 0] + 20, rtol=1e-6)
    critic = tc.costs.ReturnCritic(tc.costs.ReturnCriticConfig(2, 4))
    env = Imagined(PointModel(SKIP), recorded(), critic, 3)
    assert np.isfinite(env.step(action).reward).all()


@pytest.mark.parametrize(
    ("space", "block"),
    [
        (Box((-1.0, 0.0), (1.0, 2.0), ("delta", "force")), Box((-1, 0) * 2, (1, 2) * 2, ("delta", "force") * 2)),
        (Discrete(3), Mixed((Discrete(3), Discrete(3)))),
        (Mixed((Discrete(2), Box((-1.0,), (1.0,)))), Mixed((Discrete(2), Box((-1.0,), (1.0,))) * 2)),
    ],
)
def test_a_block_has_the_space_of_its_actions(space, block):
    model, episodes = PointModel(SKIP, space=space), recorded(size=space.size)
    goal = tc.costs.Goal(torch.zeros(space.size))
    assert Imagined(model, episodes, goal).spec.action == block
    assert Imagined(model, episodes, goal, repeat_action=True).spec.action == space
    check_environment(Imagined(model, episodes, goal, 3))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="'none', 'later' or 'any'; got 'all'"):
        imagined(goals="all")
    for horizon in (0, 1.5, 10**6):
        with pytest.raises(ConfigError, match="horizon"):
            imagined(horizon=horizon)
    with pytest.raises(DataError, match="at least 3 observations"):
        Imagined(PointModel(SKIP), recorded(steps=1), tc.costs.Goal())
    broken = recorded(2)
    broken[1].observation["position"][2] = np.nan
    with pytest.raises(DataError, match="episode 1"):
        Imagined(PointModel(SKIP), broken, tc.costs.Goal())
    with pytest.raises(SpecError, match=r"\[B, 1\] from a cost"):
        Imagined(PointModel(SKIP), recorded(), lambda rollout: rollout.latents, 2).step(np.zeros((2, 4), np.float32))
    with pytest.raises(ConfigError, match="needs objects"):
        tc.envs.make("imagined")


def test_it_is_a_vector_of_gymnasium_too():
    vector = gymnasium.vector.SyncVectorEnv([lambda: to_gymnasium(imagined(horizon=3)) for _ in range(2)])
    observation, _ = vector.reset(seed=1)
    assert observation["latent"].shape == (2, 2)
    back = tc.envs.GymnasiumEnvironment(lambda: to_gymnasium(imagined(horizon=3)), 2)
    check_environment(back)

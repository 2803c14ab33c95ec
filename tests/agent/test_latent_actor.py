"""A policy on latents in the real world."""

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.agent import LatentActor
from tacit.errors import SpecError
from tacit.testing.worlds import PointModel
from tacit.types import Discrete

START, GOAL = np.array([[0.0, 0.0], [4.0, -1.0]], np.float32), np.array([[3.0, 1.0], [4.0, 2.0]], np.float32)


def towards(seen):
    return np.clip((seen["goal"] - seen["latent"]) / 2, -1, 1)


@pytest.mark.parametrize("block", [False, True])
def test_the_policy_sees_what_imagination_shows_and_reaches_the_goal(block):
    world, seen = PointModel(frameskip=2), []

    def policy(given):
        seen.append(given)
        action = towards(given)
        return np.concatenate([action, action], axis=1) if block else action

    positions, actions, verdicts, _ = world.live(LatentActor(world, policy), START, GOAL, steps=8)
    np.testing.assert_allclose(positions[-1], GOAL, atol=1e-5)
    assert len(seen) == 4 and all(verdict.ok for verdict in verdicts)  # one decision for each block of two steps
    np.testing.assert_array_equal(actions[0], actions[1])
    np.testing.assert_array_equal(seen[1]["latent"], positions[2])
    np.testing.assert_array_equal(seen[1]["goal"], GOAL)


def test_without_a_goal_there_is_none_in_the_observation():
    world = PointModel()
    actor = LatentActor(world, lambda given: -given["latent"] * (len(given) == 1))
    positions, *_ = world.live(actor, START, steps=8)
    np.testing.assert_allclose(positions[-1], 0, atol=1e-5)


def test_actions_are_projected_and_worlds_fail_alone():
    world = PointModel()
    actor = LatentActor(world, lambda _: [[9.0, -0.25], [np.nan, 0.0]], constraints=[tc.constraints.Limits(-0.5, 0.5)])
    _, actions, verdicts, _ = world.live(actor, START, GOAL, steps=1)
    np.testing.assert_allclose(actions[0], [[0.5, -0.25], [0.0, 0.0]])
    assert verdicts[0].decision[0] == "act" and "not finite" in verdicts[0].reasons[1]


def test_choices_are_numbers_or_rows():
    world = PointModel(space=Discrete(3))
    for policy in (lambda _: np.array([2, 0]), lambda _: np.eye(3)[[2, 0]]):
        state = LatentActor(world, policy, fallback="last_action").start(seed=0, batch=2)
        action, _, _ = LatentActor(world, policy, fallback="last_action").act(state, {"position": np.zeros((2, 3))})
        np.testing.assert_array_equal(action, [[0, 0, 1], [1, 0, 0]])


def test_another_shape_is_refused():
    world = PointModel(frameskip=2)
    actor = LatentActor(world, lambda _: np.zeros((2, 3)))
    with pytest.raises(SpecError, match=r"\[2, 4\], or \[B, A\] = \[2, 2\]"):
        world.live(actor, START, GOAL, steps=1)


def test_a_closed_loop_takes_it():
    agent, env = tc.recipes.pretrained("two_rooms"), tc.envs.TwoRooms()
    policy = torch.nn.Linear(32, 2)

    def act(seen):
        with torch.no_grad():
            return policy(torch.from_numpy(np.concatenate([seen["latent"], seen["goal"]], axis=1))).numpy()

    found = tc.evaluation.closed_loop(LatentActor(agent.model, act), env, episodes=3)
    assert found.success.n == 3 and found.not_ok == 0


def test_a_world_whose_latent_is_not_finite_falls_back_alone():
    world, seen = PointModel(), []
    actor = LatentActor(world, lambda given: seen.append(given) or np.full((2, 2), 0.5))
    state = actor.start(seed=0, batch=2)
    action, verdict, _ = actor.act(state, {"position": np.array([[np.nan, 0.0], [1.0, 1.0]], np.float32)})
    np.testing.assert_array_equal(action, [[0.0, 0.0], [0.5, 0.5]])
    assert verdict.decision[1] == "act" and "not finite" in verdict.reasons[0]
    assert np.isfinite(seen[0]["latent"]).all()

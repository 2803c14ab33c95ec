"""The base class of wrappers."""

import copy

import numpy as np

import tacit as tc
from tacit._check import has_goals
from tacit.agent import RandomActor
from tacit.envs import PointMass, Wrapper
from tacit.testing.environments import check_environment


class Mirrored(Wrapper):
    """An environment in which every action goes the other way."""

    def step(self, action):
        return self.env.step(-action)


def test_a_wrapper_of_nothing_is_the_environment_inside():
    check_environment(Wrapper(PointMass(num_envs=3)))
    wrapped = Wrapper(PointMass(num_envs=2))
    assert has_goals(wrapped) and wrapped.rules == PointMass.rules
    assert not has_goals(Wrapper(tc.envs.make("gymnasium:CartPole-v1")))


def test_what_a_subclass_changes_is_changed_everywhere():
    plain, mirrored = PointMass(num_envs=2), Mirrored(PointMass(num_envs=2))
    action = np.full((2, 2), 0.5, np.float32)
    plain.reset([1, 2])
    mirrored.reset([1, 2])
    one, two = plain.step(action).observation["state"], mirrored.step(action).observation["state"]
    assert (one[:, 2:] != two[:, 2:]).all()
    actor = RandomActor(plain.spec.action)
    assert tc.evaluation.closed_loop(actor, mirrored, episodes=4).success.n == 4
    assert len(tc.collect(mirrored, actor, episodes=2, steps=3)) == 2


def test_a_wrapper_can_be_copied():
    wrapped = Mirrored(PointMass(num_envs=2))
    for again in (copy.copy(wrapped), copy.deepcopy(wrapped)):
        assert again.num_envs == 2 and isinstance(again, Mirrored)

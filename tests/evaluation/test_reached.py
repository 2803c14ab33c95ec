"""Success by labels in a world where every step is known."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.agent import RandomActor
from tacit.costs import Effort, Goal, Region, Target
from tacit.errors import ConfigError, SpecError
from tacit.evaluation import Reached, closed_loop, score_episodes, trace
from tacit.nn.readout import LinearReadout
from tacit.types import Array, Box, Modality, Observation, Spec, Transition


class Line:
    """A hidden place that moves by the action; what is observed never changes."""

    spec = Spec({"clock": Modality("vector", (1,))}, Box((-1.0,), (1.0,)))

    def __init__(self, num_envs: int = 2, flat: bool = False) -> None:
        self.num_envs, self.flat = num_envs, flat

    def reset(self, seed: int | Sequence[int]) -> Observation:
        self.place, self.steps = np.zeros(self.num_envs), 0
        return {"clock": np.zeros((self.num_envs, 1), np.float32)}

    def step(self, action: np.ndarray) -> Transition:
        self.place, self.steps = self.place + action[:, 0], self.steps + 1
        over = np.zeros(self.num_envs, np.bool_)
        return Transition({"clock": np.zeros((self.num_envs, 1), np.float32)}, over, over)

    def labels(self) -> Mapping[str, Array]:
        return {"place": self.place if self.flat else self.place[:, None]}

    def close(self) -> None:
        pass


def reads(name="place", size=1, error=0.1):
    """A readout whose weights say nothing: success does not ask it."""
    return LinearReadout(name, torch.zeros(3, size), torch.zeros(size), (error,) * size, (0.0,) * size)


def push(observation):
    return [1.0]


NEAR = Target(reads(), (3.0,), within=0.5)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize(
    ("cost", "steps", "last", "ever"),
    [
        (NEAR, 3, True, True),
        (NEAR, 4, False, True),
        (NEAR, 2, False, False),
        (Region(reads(), 3.5, 4.5) + 0.1 * Effort(), 4, True, True),
        (Region(reads(), 3.5) + Region(reads(), None, 4.5), 5, False, True),
        (Region(reads(), high=0.5), 1, False, False),  # it was inside before the first step alone
    ],
)
def test_success_is_that_of_the_true_value(cost, steps, last, ever, flat):
    reached, env = Reached(cost), Line(flat=flat)
    found = trace(push, env, 4, steps=steps, track=reached.targets, progress=False)
    assert reached.solved(found, "last").tolist() == [last] * 4
    assert reached.solved(found, "any").tolist() == [ever] * 4
    rate = reached.rate(found, "any")
    assert (rate.rate, rate.n) == (float(ever), 4) and rate.low < rate.high
    for at, expected in (("last", last), ("any", ever)):
        scores = score_episodes(push, env, 4, steps=steps, success=reached, success_at=at, progress=False)
        assert scores.solved.tolist() == [expected] * 4


def test_steps_after_the_end_do_not_count():
    class Ending(Line):
        def step(self, action):
            moved = super().step(action)
            over = np.full(self.num_envs, self.steps >= 2)
            return Transition(moved.observation, over, over & False)

    env = Ending()
    found = trace(push, env, 2, steps=5, track="place", progress=False)
    found.labels["place"][:, 3:] = 3.0
    assert not Reached(NEAR).solved(found, "any").any() and not Reached(NEAR).solved(found).any()


def test_tasks_are_scored_by_a_goal_in_their_labels_too():
    env = tc.envs.TwoRooms()
    everywhere = Region(reads("position", 2), 0.0, 64.0)
    left, right = Region(reads("position", 2), high=(32.0, None)), Region(reads("position", 2), low=(32.0, None))
    run = closed_loop(RandomActor(env.spec.action), env, 6, seed=1, progress=False)
    assert Reached(everywhere).rate(run.trace).rate == 1
    both = Reached(left).solved(run.trace).astype(int) + Reached(right).solved(run.trace)
    assert both.tolist() == [1] * 6


def test_goals_that_cannot_be_judged_are_refused():
    for cost, message in ((Goal(), "needs a goal in a quantity"), (Target(reads(), (3.0,)), "no tolerance")):
        with pytest.raises(ConfigError, match=message):
            Reached(cost)
    with pytest.raises(ConfigError, match=r"no label 'plac' .* there are place. Did you mean 'place'"):
        Reached(Region(reads("plac"), 1.0))({"place": np.zeros((2, 1))})
    with pytest.raises(SpecError, match=r"has 1 components, and the label has \[2\]"):
        Reached(NEAR)({"place": np.zeros((3, 2))})
    found = trace(push, Line(), 2, steps=2, track=(), progress=False)
    with pytest.raises(ConfigError, match="there are no labels"):
        Reached(NEAR).solved(found)

"""Goals that hold a part of the modalities."""

import numpy as np
import pytest
import torch

from agent.worlds import Config, Known
from tacit.agent import Agent
from tacit.costs import Goal
from tacit.errors import SpecError
from tacit.models import WorldModel
from tacit.planners import CEM
from tacit.types import Box, Modality, Rollout, Spec


class Pair(Known):
    """A latent is the place and the color; actions move the place."""

    def __init__(self):
        modalities = {"place": Modality("vector", (2,)), "color": Modality("vector", (1,))}
        self.config = Config(Spec(modalities, Box((-1.0, -1.0), (1.0, 1.0), "delta")))
        self.device = torch.device("cpu")
        self.encoded = []

    def encode(self, observation):
        for name in self.config.spec.modalities:
            if name not in observation:
                raise SpecError(f"no {name!r}")
        self.encoded.append({name: np.array(observation[name]) for name in self.config.spec.modalities})
        return torch.cat([torch.from_numpy(np.asarray(observation[n], np.float32)) for n in ("place", "color")], dim=1)

    def rollout(self, context, actions):
        latents = context.latents
        if actions.ndim == 3:
            return self.rollout(context, actions[:, None])[:, 0]
        steps = torch.nn.functional.pad(actions.cumsum(dim=2), (0, 1))
        return latents[:, None, -1:] + steps


def agent(model):
    return Agent(model, CEM(samples=64, iterations=4, elites=8), Goal(reduce="sum"), horizon=2)


def test_what_a_goal_lacks_is_taken_from_each_observation():
    model = Pair()
    actor = agent(model)
    goal = {"place": np.array([[0.5, -0.5]], np.float32)}
    state = actor.start(seed=0, goal=goal)
    assert not model.encoded  # nothing was observed yet
    place = np.zeros((1, 2), np.float32)
    for color in (7.0, -3.0, 0.0):
        action, verdict, state = actor.act(state, {"place": place, "color": np.full((1, 1), color, np.float32)})
        assert verdict.ok
        assert state.goal[0].tolist() == [0.5, -0.5, color]
        place = place + action
    np.testing.assert_allclose(place, goal["place"], atol=0.1)


def test_a_whole_goal_is_encoded_once():
    model = Pair()
    goal = {"place": np.zeros((1, 2), np.float32), "color": np.zeros((1, 1), np.float32)}
    state = agent(model).start(seed=0, goal=goal)
    assert state.partial_goal is None and len(model.encoded) == 1


@pytest.mark.parametrize("names", [("place",), ("place", "color")])
def test_a_goal_that_is_not_finite_is_refused_at_the_start(names):
    whole = {"place": np.array([[0.5, np.nan]], np.float32), "color": np.zeros((1, 1), np.float32)}
    with pytest.raises(SpecError, match="the goal's 'place' holds numbers that are not finite"):
        agent(Pair()).start(seed=0, goal={name: whole[name] for name in names})


def test_errors_of_a_goal_name_it():
    with pytest.raises(SpecError, match="the goal does not fit"):
        agent(Pair()).start(seed=0, goal={"elsewhere": np.zeros((1, 2), np.float32)})


ACTION = Box((-1.0, -1.0), (1.0, 1.0), "delta")
IMAGES, STATE = Modality("pixels", (3, 16, 16)), Modality("vector", (4,))


@pytest.mark.parametrize("modalities", [{"pixels": IMAGES, "state": STATE}, {"state": STATE}])
def test_a_state_vector_is_goal_enough(modalities):
    model = WorldModel.for_spec(Spec(modalities, ACTION), latent=8, seed=0).eval()
    rng = np.random.default_rng(0)
    seen = {"state": rng.normal(size=(2, 4)).astype(np.float32)}
    if "pixels" in modalities:
        seen["pixels"] = rng.integers(0, 256, (2, 3, 16, 16)).astype(np.uint8)
    goal = {"state": np.ones((2, 4), np.float32)}
    state = agent(model).start(seed=0, batch=2, goal=goal)
    assert (state.goal is None) == ("pixels" in modalities)
    _, verdict, state = agent(model).act(state, seen)
    assert verdict.ok
    with torch.no_grad():
        torch.testing.assert_close(state.goal, model.encode({**seen, **goal}))


def test_the_nearest_of_several_goal_images_is_pursued():
    model = WorldModel.for_spec(Spec({"pixels": IMAGES}, ACTION), latent=8, seed=0).train()
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 16, 16)).astype(np.uint8)
    cost = Goal.any_of(model, {"pixels": images}, "min")
    assert not model.training and tuple(cost.target.shape) == (1, 3, 8) and not cost.target.requires_grad
    with torch.no_grad():
        reached = model.encode({"pixels": images[[2, 0]]})[:, None, None]
        assert cost(Rollout(reached[:, 0, 0], reached, torch.zeros(2, 1, 1, 2))).abs().max() < 1e-10
    far = reached + 1.0
    assert cost(Rollout(far[:, 0, 0], far, torch.zeros(2, 1, 1, 2))).min() > 0

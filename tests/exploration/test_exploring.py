"""Exploration of rooms with a model that knows the walls, where every room can be entered."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import tacit as tc
from tacit.agent import SubGoals
from tacit.costs import TemporalCritic, TemporalCriticConfig
from tacit.errors import ConfigError
from tacit.exploration import ExploringAgent, FrontierSearch, explore
from tacit.memory import Graph, Recorded
from tacit.testing.worlds import PointModel
from tacit.types import Discrete, Modality, Spec, Transition

SKIP = 4


class Straight(TemporalCritic):
    """The Euclidean distance in blocks, which sees through walls."""

    def __init__(self) -> None:
        super().__init__(TemporalCriticConfig(2))

    def embed(self, latents):
        return latents / SKIP


class Positions:
    """One world of rooms, of which the position of the disc is observed."""

    def __init__(self, seed=0, **options) -> None:
        self.rooms, self.num_envs = tc.envs.Rooms(1, layout_seed=seed, **options), 1
        self.spec = Spec({"position": Modality("vector", (2,))}, self.rooms.spec.action)

    def reset(self, seed):
        self.rooms.reset(seed)
        return self.shown()

    def step(self, action):
        ended = self.rooms.step(action)
        return Transition(self.shown(), terminated=ended.terminated, truncated=ended.truncated)

    def shown(self):
        return {"position": self.rooms.state()["position"].astype(np.float32)}

    def labels(self):
        return self.rooms.labels()

    def close(self) -> None:
        pass


class RoomModel(PointModel):
    """The true dynamics of rooms; a latent is the position of the disc."""

    def __init__(self, rooms) -> None:
        super().__init__(SKIP, space=rooms.spec.action)
        self.rooms, self.training, self.config = rooms, False, SimpleNamespace(inputs=("position",), latent=2)

    def train(self, mode=True):
        self.training = mode

    def eval(self):
        self.training = False

    def rollout(self, context, blocks):
        if blocks.ndim == 3:
            return self.rollout(context, blocks[:, None])[:, 0]
        count, ways, length, _ = blocks.shape
        start = context.latents[:, -1].double().repeat_interleave(ways, dim=0).numpy()
        state = {name: np.repeat(values[:1], len(start), axis=0) for name, values in self.rooms.state().items()}
        moves = blocks.reshape(count * ways, length * SKIP, 2).numpy()
        states = self.rooms.simulate({**state, "position": start}, moves)
        return torch.from_numpy(states["position"][:, SKIP - 1 :: SKIP]).float().reshape(count, ways, length, 2)


def agent_of(world):
    planner = tc.planners.ICEM(samples=48, iterations=3, elites=8, std=0.7, beta=2.0)
    graph = Graph(0.8, 4.0, 4).extended(Straight(), Recorded(torch.zeros(1, 2), np.zeros(1, np.int64)))
    return tc.Agent(
        RoomModel(world.rooms),
        planner,
        tc.costs.Goal(reduce="sum"),
        horizon=5,
        repeat_action=True,
        sub_goals=SubGoals(graph, Straight(), 4.0),
    )


@pytest.fixture(scope="module")
def explored():
    world = Positions(seed=3, rows=3, columns=3)
    return world, *explore(agent_of(world), world, steps=500, seed=0)


def test_every_room_is_entered_sooner_than_by_random_actions(explored) -> None:
    world, _, episodes = explored
    rooms = len(np.unique(episodes[0].labels["cell"], axis=0))
    wandering = tc.collect(world, episodes=5, steps=500, seed=0, progress=False)
    by_chance = [len(np.unique(episode.labels["cell"], axis=0)) for episode in wandering]
    assert rooms == 9 and max(by_chance) < 9


def test_the_map_knows_ways_to_the_rooms(explored) -> None:
    world, agent, episodes = explored
    graph = agent.config.sub_goals.graph
    assert graph.episodes == 1 and len(graph) > 20
    rng, rooms = np.random.default_rng(0), world.rooms
    grid = rooms._grid
    places = torch.tensor(np.concatenate([grid.sample(rng, np.array([room])) for room in range(9)]), dtype=torch.float)
    start = torch.from_numpy(episodes[0].observation["position"][:1]).expand(9, -1)
    route = agent.config.sub_goals.route(start, places)
    assert route.reachable.all()
    true = {name: np.repeat(values, 9, axis=0) for name, values in rooms.state().items()}
    lengths = rooms.distance({**true, "position": start.numpy()}, {**true, "position": places.double().numpy()}) / SKIP
    assert (route.lengths > 0.7 * lengths - 1).all()  # the map takes no way through a wall


def test_exploration_is_a_function_of_the_seed_and_goes_on_from_a_map(explored) -> None:
    world, _, episodes = explored
    short, again = (explore(agent_of(world), world, steps=60, seed=0)[1][0].action for _ in range(2))
    np.testing.assert_array_equal(short, again)
    np.testing.assert_array_equal(short, episodes[0].action[:60])
    first, recorded = explore(agent_of(world), world, steps=60, seed=0)
    more, further = explore(first, world, steps=60, seed=0, resume=True)
    assert more.config.sub_goals.graph.episodes == 2
    assert len(more.config.sub_goals.graph) > len(first.config.sub_goals.graph)
    assert not np.array_equal(further[0].action, recorded[0].action)


def test_an_agent_with_goals_takes_known_ways_and_explores_for_unknown_goals() -> None:
    world = Positions(seed=3, rows=2, columns=2)
    exploring = ExploringAgent(agent_of(world))
    exploring.maps = [exploring.explorer(0)]
    observation = world.reset(0)
    room = world.labels()["cell"][0]
    goal = {"position": np.array([[60.0, 60.0] if room.sum() == 0 else [4.0, 4.0]], np.float32)}
    steps = []
    for _ in range(2):
        observation, state = world.reset(0), exploring.start(seed=0, goal=goal)
        for step in range(400):  # noqa: B007 - read after the loop
            action, _, state = exploring.act(state, observation)
            observation = world.step(action).observation
            if np.abs(observation["position"] - goal["position"]).max() < 2:
                break
        steps.append(step)
    assert steps[1] < steps[0] < 399  # the second episode uses the map of the first one


def test_a_frontier_is_new_near_and_not_closed() -> None:
    search = FrontierSearch(PointModel(), Straight(), horizon=4, least=0.4, most=2.0, seed=0)
    line = torch.stack([torch.arange(0.0, 6.0), torch.zeros(6)], dim=1)
    graph = Graph(0.2, 1.0, 2).extended(Straight(), Recorded(line, np.zeros(6, np.int64)))
    search.extend(graph)
    found = search.best(graph, line[0])
    apart = Straight()(found.target[None], graph.latents)
    assert found.novelty == pytest.approx(float(apart.min())) and found.novelty > 0.4
    assert found.blocks <= 4 and search.novelty(found.target) == pytest.approx(found.novelty)
    search.close(found.target)
    other = search.best(graph, line[0])
    assert float(Straight()(found.target, other.target)) > 0.4
    cut = Graph(0.2, 1.0, 1, latents=graph.latents)
    assert search.best(cut, line[0] - 100.0) is None  # no way leads to a node


def test_bad_input_is_refused(tmp_path) -> None:
    world = Positions()
    agent = agent_of(world)
    with pytest.raises(ConfigError, match="this agent has none"):
        explore(agent.replace(sub_goals=None), world, steps=10, seed=0)
    with pytest.raises(ConfigError, match="continuous actions"):
        FrontierSearch(PointModel(space=Discrete(3)), Straight(), horizon=4, least=0.4, most=2.0, seed=0)
    with pytest.raises(ConfigError, match="0 < least < most"):
        FrontierSearch(PointModel(), Straight(), horizon=4, least=2.0, most=2.0, seed=0)
    exploring = ExploringAgent(agent, [])
    with pytest.raises(ConfigError, match="maps of 0 worlds"):
        exploring.start(seed=0)
    with pytest.raises(ConfigError, match="layout_seed as a whole number"):
        tc.envs.Rooms(1, layout_seed=-1)

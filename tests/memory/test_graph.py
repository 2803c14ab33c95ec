"""Graphs of recorded states on a path around a wall, where the way from one end to the other is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

import tacit as tc
from tacit.costs import TemporalCritic, TemporalCriticConfig
from tacit.errors import ConfigError, SpecError
from tacit.memory import Graph, Recorded, Router
from tacit.memory._shortest_ways import shortest_ways
from tacit.testing.worlds import PointModel

CORNERS = np.array([(0.0, 0.0), (0.0, 10.0), (4.0, 10.0), (4.0, 0.0)])
"""A path in the shape of an arch: its ends are 4 apart, and the way between them is 24 long."""


class Straight(TemporalCritic):
    """The Euclidean distance, which sees through walls."""

    def __init__(self) -> None:
        super().__init__(TemporalCriticConfig(2))

    def embed(self, latents):
        return latents


def on_path(along):
    """Return the points of the path at some lengths along it."""
    legs = np.linalg.norm(np.diff(CORNERS, axis=0), axis=1)
    ends = np.concatenate([[0.0], legs.cumsum()])
    return np.stack([np.interp(along, ends, CORNERS[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32)


def walks(count=8, steps=60, seed=0, low=0.0, high=24.0, pace=0.5):
    """Return recorded walks along the path, with one raw action a block."""
    rng, latents, blocks = np.random.default_rng(seed), [], []
    for _ in range(count):
        along = np.clip(rng.uniform(low, high) + np.cumsum(rng.choice([-pace, pace], steps)), low, high)
        latents.append(on_path(along))
        moves = np.full((steps, 2), np.nan, np.float32)
        moves[:-1] = np.diff(latents[-1], axis=0)
        blocks.append(moves)
    return Recorded(
        torch.from_numpy(np.concatenate(latents)),
        np.repeat(np.arange(count), steps),
        blocks=torch.from_numpy(np.concatenate(blocks)),
    )


def there_and_back():
    """Return one walk that goes from end to end and back."""
    along = np.concatenate([np.arange(0, 24.1, 0.5), np.arange(24, -0.1, -0.5)])
    latents = on_path(along)
    blocks = np.full_like(latents, np.nan)
    blocks[:-1] = np.diff(latents, axis=0)
    return Recorded(torch.from_numpy(latents), np.zeros(len(along), np.int64), blocks=torch.from_numpy(blocks))


EMPTY = Graph(radius=0.6, longest=2.0, hops=3)


def test_the_shortest_ways_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 5, 40):
        dense = np.where(rng.random((count, count)) < 0.15, rng.uniform(0.1, 3, (count, count)), 0)
        edges = np.argwhere(dense > 0)
        edges = edges[np.argsort(edges[:, 1], kind="stable")]
        last = np.where(rng.random(count) < 0.3, rng.uniform(0, 2, count), np.inf)
        found = shortest_ways(edges, dense[edges[:, 0], edges[:, 1]], last)
        whole = np.zeros((count + 1, count + 1))  # the goal is one more node
        whole[:count, :count] = dense
        whole[:count, count] = np.where(np.isfinite(last), np.maximum(last, 1e-12), 0)
        expected = dijkstra(csr_array(whole.T), indices=count)[:count]
        np.testing.assert_allclose(found.length, expected, atol=1e-9)
        for node in np.flatnonzero(np.isfinite(found.length)):
            after = found.following[node]
            step = last[node] if after < 0 else dense[node, after] + found.length[after]
            assert step == pytest.approx(found.length[node])


def test_every_state_is_near_a_node_and_every_edge_was_recorded() -> None:
    critic, recorded = Straight(), walks()
    graph = EMPTY.extended(critic, recorded)
    apart = torch.cdist(recorded.latents, graph.latents)
    assert apart.min(dim=1).values.max() <= 2 * graph.radius and len(graph) < 60
    node, expected = apart.argmin(dim=1).numpy(), {}
    for first in range(len(node)):
        for count in (1, 2, 3):
            later = first + count
            if later < len(node) and recorded.episode[first] == recorded.episode[later] and node[first] != node[later]:
                key = (node[first], node[later])
                expected[key] = expected.get(key, 0) + 1
    near = {
        key: count
        for key, count in expected.items()
        if np.linalg.norm(graph.latents[key[0]] - graph.latents[key[1]]) <= graph.longest
    }
    assert {tuple(edge): count for edge, count in zip(graph.edges, graph.support, strict=True)} == near
    lengths = (graph.latents[graph.edges[:, 0]] - graph.latents[graph.edges[:, 1]]).norm(dim=1)
    np.testing.assert_allclose(graph.lengths, lengths, atol=1e-3)
    assert {tuple(visit) for visit in graph.visits} == set(zip(node, recorded.episode, strict=True))


def test_the_way_leads_around_the_wall() -> None:
    router = Router(EMPTY.extended(Straight(), there_and_back()), Straight(), ahead=2.0, near=1.0)
    start, goal = torch.tensor([[0.0, 0.0], [4.0, 0.5]]), torch.tensor([[4.0, 0.0], [4.0, 0.0]])
    route = router(start, goal).require()
    assert route.lengths[0] == pytest.approx(24.0, abs=2.0)
    assert 0.9 < route.targets[0, 1] <= 2.0 and abs(route.targets[0, 0]) < 0.1, "up, not through the wall"
    assert route.nodes[1] == -1 and torch.equal(route.targets[1], goal[1]), "near a goal, the goal itself"
    place, visited = start[:1], []
    for _ in range(40):
        place = router(place, goal[:1]).targets
        visited.append(place[0].numpy())
        if torch.equal(place, goal[:1]):
            break
    assert torch.equal(place, goal[:1]) and len(visited) <= 24 and max(point[1] for point in visited) >= 9


def test_a_route_depends_neither_on_the_batch_nor_on_the_row() -> None:
    router = Router(EMPTY.extended(Straight(), walks(20)), Straight(), 2.0, 1.0)
    start, goal = (torch.from_numpy(on_path(np.random.default_rng(seed).uniform(0, 24, 12))) for seed in (1, 2))
    whole, reverse = router(start, goal), router(start.flip(0), goal.flip(0))
    assert torch.equal(whole.targets, reverse.targets.flip(0))
    for row in range(12):
        one = router(start[row : row + 1], goal[row : row + 1])
        assert torch.equal(one.targets[0], whole.targets[row]) and one.lengths[0] == whole.lengths[row]


def test_a_goal_without_a_way_names_the_nearest_state_that_can_be_reached() -> None:
    critic = Straight()
    graph = EMPTY.extended(critic, walks(4, low=0, high=8)).extended(critic, walks(4, low=16, high=24))
    router = Router(graph, critic, 2.0, 1.0)
    start, goal = torch.tensor([[0.0, 1.0]]), torch.tensor([[4.0, 6.0]])
    route = router(start, goal)
    assert not route.reachable.any() and np.isinf(route.lengths).all()
    nearest = graph.latents[route.nearest[0]]
    assert abs(float(nearest[0])) < 0.1 and abs(float(nearest[1]) - 6.0) < 1.5
    assert route.targets[0, 1] > 1.0, "and the way leads there"
    with pytest.raises(SpecError, match=f"nearest state that can be reached is node {route.nearest[0]} "):
        route.require()
    with pytest.raises(ConfigError, match="no states yet"):
        Router(EMPTY, critic, 2.0, 1.0)


def test_a_graph_grows_and_keeps_its_nodes() -> None:
    critic, first, second = Straight(), walks(4, low=0, high=14), walks(4, low=10, high=24, seed=1)
    graph = EMPTY.extended(critic, first)
    grown = graph.extended(critic, second)
    assert torch.equal(grown.latents[: len(graph)], graph.latents) and len(grown) > len(graph)
    assert grown.episodes == 8 and {4, 5, 6, 7} <= set(grown.visits[:, 1])
    old = dict(zip(map(tuple, graph.edges), graph.support, strict=True))
    new = dict(zip(map(tuple, grown.edges), grown.support, strict=True))
    assert all(new[edge] >= count for edge, count in old.items())
    goal = torch.from_numpy(on_path([23.0]))
    start = torch.from_numpy(on_path([1.0]))
    assert Router(grown, critic, 2.0, 1.0)(start, goal).reachable.all()
    assert not Router(graph, critic, 2.0, 1.0)(start, goal).reachable.any(), "the goal is off the first graph"
    assert not Router(grown, critic, 2.0, 1.0).shared(start, goal).any(), "no episode went all the way"
    whole = Router(EMPTY.extended(critic, there_and_back()), critic, 2.0, 1.0)
    assert whole.shared(start, goal).all()
    assert grown.extended(critic, Recorded(torch.zeros(0, 2), np.zeros(0, np.int64))) is grown


def test_a_model_refuses_transitions_that_it_does_not_predict() -> None:
    critic, model, recorded = Straight(), PointModel(), there_and_back()
    confirmed = EMPTY.extended(critic, recorded, model)
    assert confirmed.refused == 0 and len(confirmed.edges) == len(EMPTY.extended(critic, recorded).edges)
    jump = Recorded(
        torch.tensor([[0.0, 5.0], [1.5, 5.0]]), np.array([0, 0]), blocks=torch.tensor([[0.0, 0.0], [torch.nan] * 2])
    )
    graph = confirmed.extended(critic, jump, model)
    assert graph.refused == 1 and len(graph.edges) == len(confirmed.edges)
    assert len(confirmed.extended(critic, jump).edges) > len(confirmed.edges)
    with pytest.raises(ConfigError, match="from recorded actions"):
        EMPTY.extended(critic, replace(recorded, blocks=None), model)


def test_a_graph_is_packed_and_damaged_ones_are_refused() -> None:
    graph = EMPTY.extended(Straight(), walks())
    values, arrays = graph.pack()
    again = Graph.unpack(values, arrays)
    assert str(again) == str(graph) and all(torch.equal(again.pack()[1][name], arrays[name]) for name in arrays)
    for wrong in (
        {**arrays, "edges": arrays["edges"] + 1000},
        {**arrays, "edges": arrays["edges"].flip(0)},
        {**arrays, "lengths": arrays["lengths"][1:]},
        {**arrays, "lengths": -arrays["lengths"]},
        {**arrays, "support": arrays["support"].float()},
        {name: array for name, array in arrays.items() if name != "visits"},
    ):
        with pytest.raises(ConfigError):
            Graph.unpack(values, wrong)
    with pytest.raises(ConfigError, match="belong to another model"):
        graph.extended(Straight(), Recorded(torch.zeros(2, 3), np.array([0, 0])))
    with pytest.raises(ConfigError, match="not finite"):
        Recorded(torch.full((2, 2), torch.nan), np.array([0, 0]))
    with pytest.raises(ConfigError, match="ascending"):
        Recorded(torch.zeros(2, 2), np.array([1, 0]))
    with pytest.raises(ConfigError, match="0 < radius <= longest"):
        Graph(2.0, 1.0, 3)


def agent_on_path(graph, ahead=2.0):
    return tc.Agent(
        PointModel(),
        tc.planners.CEM(64, 4, 8),
        tc.costs.Goal(reduce="sum"),
        horizon=3,
        sub_goals=tc.agent.SubGoals(graph, Straight(), ahead),
    )


def test_an_agent_walks_around_the_wall_and_says_how_far_it_is() -> None:
    agent = agent_on_path(EMPTY.extended(Straight(), there_and_back()))
    start, goal = np.array([[0.0, 0.0], [4.0, 4.0]], np.float32), np.array([[4.0, 0.0], [0.0, 4.0]], np.float32)
    positions, _, verdicts, _ = agent.model.live(agent, start, goal, steps=34)
    assert (positions[:, :, 1].max(axis=0) >= 9).all(), "over the arch"
    assert (np.linalg.norm(positions[-1] - goal, axis=1) < 0.5).all()
    lengths = [verdict.evidence["length of the way to the goal"] for verdict in verdicts]
    np.testing.assert_allclose(lengths[0], [24.0, 16.0], atol=2.5)
    assert (lengths[-1] < 1).all() and all(verdict.ok for verdict in verdicts)
    plain = agent.replace(sub_goals=None)
    assert plain.model.live(plain, start, goal, steps=12)[0][:, :, 1].max() < 6, "without them, straight through"
    assert "sub-goals    graph of" in str(agent)


def test_an_agent_without_a_way_heads_for_the_nearest_state_and_says_so() -> None:
    critic = Straight()
    graph = EMPTY.extended(critic, walks(4, low=0, high=8)).extended(critic, walks(4, low=16, high=24))
    agent = agent_on_path(graph)
    start, goal = np.array([[0.0, 1.0]], np.float32), np.array([[4.0, 6.0]], np.float32)
    positions, _, verdicts, _ = agent.model.live(agent, start, goal, steps=12)
    node = int(verdicts[0].evidence["nearest node to an unreachable goal"][0])
    np.testing.assert_allclose(positions[-1][0], graph.latents[node], atol=1.0)

"""Deciders as values: combined without subclasses of an actor."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from tacit.agent import AgentConfig, BlockActor, FlatSearch
from tacit.costs import Goal
from tacit.errors import SpecError
from tacit.planners import CEM
from tacit.testing.worlds import PointModel
from tacit.types import Decider, Plan, Situation

START = np.zeros((2, 2), np.float32)
FAR = np.array([[6.0, 0.0], [0.0, -6.0]], np.float32)


@dataclass(frozen=True)
class Waypoint:
    """A decider that gives another one a goal at most one unit away."""

    inner: Decider

    def __call__(self, situation: Situation) -> Plan:
        way = situation.goal - situation.context.latents[:, -1]
        near = situation.context.latents[:, -1] + way / way.norm(dim=1, keepdim=True).clamp(min=1.0)
        return self.inner(replace(situation, goal=near))


@dataclass(frozen=True)
class Unless:
    """A decider that fails in worlds beyond a limit."""

    inner: Decider
    limit: float

    def __call__(self, situation: Situation) -> Plan:
        plan = self.inner(situation)
        beyond = situation.context.latents[:, -1].abs().amax(dim=1) > self.limit
        energy = torch.where(beyond, torch.inf, plan.energy)
        return replace(plan, energy=energy, reasons=tuple("beyond the limit" if one else "" for one in beyond.tolist()))


def search(world):
    return FlatSearch(world, AgentConfig(CEM(samples=100, iterations=6), Goal(), 1))


def test_a_decider_on_top_of_a_search_sets_its_goals():
    world = PointModel()
    actor = BlockActor(world, Waypoint(search(world)))
    positions, _, verdicts, _ = world.live(actor, START, FAR, steps=20)
    assert all(verdict.ok for verdict in verdicts)
    assert np.abs(positions[-1] - FAR).max() < 0.3
    assert np.linalg.norm(np.diff(positions, axis=0), axis=2).max() < 1.1, "one unit at a time, although two fit"


def test_a_guarded_search_falls_back_in_the_worlds_that_it_refuses():
    world = PointModel()
    actor = BlockActor(world, Unless(search(world), limit=1.5), fallback="noop")
    positions, _, verdicts, _ = world.live(actor, START, np.array([[5.0, 0], [1.0, 0]], np.float32), steps=8)
    assert verdicts[-1].decision == ("stop", "act")
    assert verdicts[-1].reasons == ("beyond the limit. Instead: noop.", "")
    assert 1.5 < positions[-1, 0, 0] < 4.6
    assert abs(positions[-1, 1, 0] - 1) < 0.1


def test_a_plan_of_part_of_a_block_is_refused():
    world = PointModel(frameskip=2)

    def odd(situation):
        return Plan(torch.zeros(2, 3, 2), torch.zeros(2), (), 1)

    with pytest.raises(SpecError, match=r"blocks \* 2, A\] with B, A = \(2, 2\); got \[2, 3, 2\]"):
        world.live(BlockActor(world, odd), START, FAR, steps=1)


def test_a_plan_of_numpy_arrays_is_taken():
    world = PointModel()

    def still(situation):
        return Plan(np.full((2, 1, 2), 0.25), np.zeros(2), (), 1)

    _, actions, verdicts, _ = world.live(BlockActor(world, still), START, FAR, steps=2)
    assert (actions == 0.25).all() and actions.dtype == np.float32
    assert verdicts[0].ok

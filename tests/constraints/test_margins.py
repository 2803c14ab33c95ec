"""Constraints on imagined latents: exact slack along a path, margins, and plans of every planner."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit.agent import Agent
from tacit.constraints import KeepOut, LatentDistance, MaxChange, Within
from tacit.costs import Goal
from tacit.errors import ConfigError, SpecError
from tacit.nn.readout import LinearReadout
from tacit.planners import CEM, ICEM, MPPI, Gradient, RandomShooting
from tacit.testing.costs import check_margin_constraint
from tacit.testing.worlds import PointModel
from tacit.types import MarginConstraint, Rollout

PLANNERS = [
    CEM(samples=128, elites=16, iterations=6),
    CEM(samples=128, elites=16, iterations=6, result="mean"),
    ICEM(samples=128, elites=16, iterations=6),
    MPPI(samples=128, iterations=6),
    Gradient(starts=16, iterations=30),
    RandomShooting(samples=512),
]


def position(size=2):
    return LinearReadout("position", torch.eye(size), torch.zeros(size), (0.0,) * size, (1.0,) * size)


CONSTRAINTS = {
    "within": Within(position(), low=(-1.5, None), high=2.0, margin=0.25),
    "keep_out": KeepOut(position(), (-1.0, 0.5), (1.0, 1.5), margin=0.25),
    "half_space": KeepOut(position(), (-1.0, None), (None, 1.5)),
    "far": LatentDistance(torch.tensor([0.5, -0.5]), low=0.5, margin=0.125),
    "near": LatentDistance(torch.tensor([0.5, -0.5]), high=2.0),
}


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_they_pass_the_suite_of_their_kind(name):
    assert isinstance(CONSTRAINTS[name], MarginConstraint)
    check_margin_constraint(CONSTRAINTS[name], latent=2)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        ({"slacks": lambda self, rollout: self.slack(self.values(rollout.latents))}, "nor above that of its start"),
        ({"__call__": lambda self, rollout: -self.slacks(rollout)}, "what is missing to the margin"),
        ({"with_margin": lambda self, margin: self}, "at least the given one"),
    ],
)
def test_the_suite_finds_a_broken_promise(broken, promise):
    kind = type("Broken", (KeepOut,), broken)
    with pytest.raises(AssertionError, match=promise):
        check_margin_constraint(kind(position(), (-1.0, 0.5), (1.0, 1.5), margin=0.25), latent=2)


@pytest.mark.parametrize("name", CONSTRAINTS)
@given(st.lists(st.floats(-4, 4, width=32), min_size=4, max_size=4))
@settings(max_examples=60, deadline=None)
def test_the_lowest_slack_of_a_line_is_that_of_its_points(name, numbers):
    constraint = CONSTRAINTS[name]
    first, last = torch.tensor(numbers, dtype=torch.float64).reshape(2, 1, 2)
    share = torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None]
    sampled = constraint.slack(constraint.values((first + share * (last - first)).float()).double()).amin()
    values = [constraint.values(end.float()).double() for end in (first, last)]
    found = constraint.lowest(*values)[0]
    assert found <= sampled + 1e-5
    assert found >= sampled - 4e-3, "at most half a step of the samples lower"


@pytest.mark.parametrize("level", [-0.2, 0.0, 0.75])
def test_below_a_level_the_lowest_slack_is_exact(level):
    draw = torch.Generator().manual_seed(0)
    first, last = torch.randn(2, 3, 50, 2, generator=draw) * 2
    region = CONSTRAINTS["keep_out"]
    exact, found = region.lowest(first, last), region.lowest(first, last, level)
    near = exact < level
    assert near.any() and (~near).any()
    assert torch.equal(found[near], exact[near]) and (found[~near] >= level).all() and (found <= exact + 1e-6).all()


def imagined(start, *path, batch=1):
    """One candidate through the given positions."""
    latents = torch.tensor(path, dtype=torch.float32)[None, None]
    return Rollout(torch.tensor([start], dtype=torch.float32), latents, torch.zeros(1, 1, len(path), 2))


def test_a_path_across_a_corner_breaks_a_region_that_no_boundary_of_blocks_is_in():
    region = KeepOut(position(), (0.0, 0.0), (1.0, 1.0))
    across = imagined((-0.5, 0.5), (0.5, -0.5), (3.0, -0.5))
    assert region.slack(region.values(across.latents)).min() > 0
    assert region(across)[0, 0].tolist() == pytest.approx([0.0, -0.5], abs=1e-6), "the first block touches the corner"
    deeper = imagined((-0.5, 0.75), (0.75, -0.5))
    assert float(region(deeper)) == pytest.approx(0.125)


def test_a_violation_is_what_is_missing_to_the_margin():
    above = Within(position(), low=(2.0, None), margin=1.0)
    path = imagined((4.0, 0.0), (3.5, 0.0), (2.5, 0.0), (1.0, 0.0))
    assert above(path)[0, 0].tolist() == pytest.approx([-0.5, 0.5, 2.0])
    assert above.slacks(path)[0, 0].tolist() == pytest.approx([1.5, 0.5, -1.0]), "slack knows no margin"


def test_inside_the_margin_the_first_block_may_leave_it_but_not_go_deeper():
    region = KeepOut(position(), (0.0, 0.0), (2.0, 2.0), margin=0.5)
    near = (-0.2, 1.0)
    assert float(region(imagined(near, (-0.6, 1.0)))) <= 0, "back to the margin"
    assert float(region(imagined(near, (-0.3, 1.0)))) == pytest.approx(0.2), "not yet back"
    assert float(region(imagined(near, (-0.6, 4.0)))) <= 0
    assert float(region(imagined(near, (0.5, -0.6)))) > 0, "cuts the corner"
    inside = (0.3, 1.0)
    assert float(region(imagined(inside, (-0.6, 1.0)))) <= 0, "the shortest way out"
    assert float(region(imagined(inside, (0.4, 1.0)))) > 0
    assert float(region(imagined(inside, (2.6, 1.0)))) > 0, "through the middle"
    assert region(imagined(near, (-0.6, 1.0), (-0.4, 1.0)))[0, 0, 1] > 0, "later blocks keep the margin"


@pytest.mark.parametrize(
    "planner", PLANNERS, ids=lambda planner: f"{type(planner).__name__}-{vars(planner).get('result', '')}"
)
def test_no_planner_enters_a_region_at_any_step_for_any_cost(planner):
    world, count = PointModel(frameskip=3), 8
    region = KeepOut(position(), (2.0, -1.0), (5.0, 1.0), margin=0.05)
    agent = Agent(world, planner, 1e6 * Goal(reduce="sum"), horizon=4, repeat_action=True, constraints=[region])
    start = np.column_stack([np.zeros(count), np.linspace(-0.8, 0.8, count)]).astype(np.float32)
    goal = np.full((count, 2), (8.0, 0.0), np.float32)
    free = Agent(world, planner, 1e6 * Goal(reduce="sum"), horizon=4, repeat_action=True)
    paths = {}
    for name, one in (("free", free), ("bound", agent)):
        positions, _, verdicts, _ = world.live(one, start, goal, steps=30)
        paths[name] = positions
    slack = region.slack(torch.from_numpy(paths["bound"]))
    assert slack.min() >= 0
    assert (region.slack(torch.from_numpy(paths["free"])).amin(dim=0) < 0).sum() >= 6, "the way without it is across"
    predicted = verdicts[0].plan.slacks["KeepOut(position)"]
    block = region.lowest(*torch.from_numpy(paths["bound"])[[0, 3]])
    assert predicted.shape == (count, 4) and torch.allclose(predicted[:, 0], block, atol=1e-5)


def test_without_a_feasible_plan_the_fallback_acts_at_once_and_the_verdict_says_so():
    world = PointModel(frameskip=2)
    region = KeepOut(position(), -50.0, 50.0)
    agent = Agent(
        world, PLANNERS[0], Goal(), horizon=3, repeat_action=True, constraints=[region, MaxChange(2.0)], fallback="noop"
    )
    start = np.array([[60.0, 0.0], [51.0, 0.0], [0.0, 0.0]], np.float32)
    goal = np.array([[60.0, 5.0], [-60.0, 0.0], [60.0, 0.0]], np.float32)
    positions, actions, verdicts, _ = world.live(agent, start, goal, steps=8)
    assert {verdict.decision[:2] for verdict in verdicts} == {("act", "act")}
    assert {verdict.decision[2] for verdict in verdicts} == {"stop"} and (actions[:, 2] == 0).all()
    assert {verdict.fallback[2] for verdict in verdicts} == {"noop"}
    assert "no candidate satisfies the constraints; the least violation is" in verdicts[0].reasons[2]
    assert region.slack(torch.from_numpy(positions[:, :2])).min() >= 0


def test_a_plan_that_became_infeasible_is_not_continued():
    world = PointModel(frameskip=1)
    region = Within(position(), high=(5.0, None))
    agent = Agent(world, PLANNERS[0], Goal(), horizon=3, constraints=[region], fallback="noop")
    state = agent.start(seed=0, goal={"position": np.array([[9.0, 0.0]], np.float32)})
    _, verdict, state = agent.act(state, {"position": np.array([[0.0, 0.0]], np.float32)})
    assert verdict.decision == ("act",) and state.left[0] > 0
    action, verdict, _ = agent.act(state, {"position": np.array([[9.0, 0.0]], np.float32)})
    assert verdict.decision == ("stop",) and verdict.fallback == ("noop",) and not action.any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Within(position()), "Within needs a limit"),
        (lambda: Within(position(), low=(1.0,)), "one for each of the 2 components"),
        (lambda: Within(position(), low=2.0, high=1.0), r"low < high; component 0 has low=2 and high=1"),
        (lambda: KeepOut(position(), float("nan"), 1.0), "KeepOut.low is a finite number"),
        (lambda: KeepOut(position(), 0.0, 1.0, margin=-1.0), "the margin of KeepOut.position. is a finite number >= 0"),
        (
            lambda: KeepOut(position(), 0.0, 1.0, margin=float("inf")),
            "the margin of KeepOut.position. is a finite number >= 0",
        ),
        (lambda: LatentDistance(torch.zeros(2)), "LatentDistance needs a limit"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


def test_latents_of_another_size_are_refused():
    with pytest.raises(SpecError, match=r"latent of shape \[3\]; the latents have 2"):
        LatentDistance(torch.zeros(3), low=1.0)(imagined((0.0, 0.0), (1.0, 1.0)))


def test_the_margin_is_replaced_like_any_field():
    assert replace(CONSTRAINTS["keep_out"], margin=0.5).margin == 0.5

"""Constraints by themselves, and what an actor makes of several of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tacit import constraints
from tacit._config import from_json, to_json
from tacit.agent._limits import ActionLimits
from tacit.constraints import KeepOut, LatentDistance, Limits, MaxChange, Within
from tacit.constraints._margins import MarginConstraint
from tacit.errors import ConfigError
from tacit.nn.readout import LinearReadout
from tacit.testing.constraints import check_constraint
from tacit.testing.costs import check_rollout_constraint
from tacit.types import Box, Discrete

BOX = Box((-1.0, -2.0), (1.0, 4.0), ("force", None))
CONSTRAINTS = {"limits": Limits(-0.5, (0.25, 2.0)), "max_change": MaxChange((0.1, 0.5))}
POSITION = LinearReadout("position", torch.eye(2), torch.zeros(2), (0.0, 0.0), (1.0, 1.0))
MARGINS = {
    "within": Within(POSITION, low=0.0),
    "keep_out": KeepOut(POSITION, 0.0, 1.0, margin=0.25),
    "latent_distance": LatentDistance(torch.zeros(2), low=1.0),
}
UNKNOWN = torch.full((1, 2), torch.nan)


def test_limits_narrow_the_box_and_keep_its_kinds():
    assert Limits(-0.5, (0.25, 9.0)).limited(BOX) == Box((-0.5, -0.5), (0.25, 4.0), ("force", None))
    assert ActionLimits(BOX, [Limits(-0.5, 0.5), Limits(-1, 0.2)]).space == Box((-0.5, -0.5), (0.2, 0.2), BOX.kind)


def test_a_change_is_limited_around_the_action_before():
    low, high = MaxChange((0.25, 0.5)).after(torch.tensor([[0.0, 1.0]]))
    assert low.tolist() == [[-0.25, 0.5]] and high.tolist() == [[0.25, 1.5]]
    assert float(MaxChange(0.1).after(torch.zeros(1, 1))[1]) <= 0.1, "rounded down: 0.1 is more than itself in float32"
    assert MaxChange(0.1).limited(BOX) == BOX


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Limits(float("nan"), 1.0), "Limits.low is a finite number"),
        (lambda: Limits(0.0, (1.0, float("inf"))), "Limits.high is a finite number"),
        (lambda: Limits("0", 1.0), "Limits.low is a finite number"),
        (lambda: Limits((), 1.0), "Limits.low is a finite number"),
        (lambda: MaxChange(True), "MaxChange.change is a finite number"),
        (lambda: MaxChange(10**400), "MaxChange.change is a finite number"),
        (lambda: MaxChange((0.1, -0.1)), "MaxChange.change is at least 0"),
        (lambda: Limits((0.0,), 1.0).limited(BOX), r"Limits.low needs one number, or 2.*got 1"),
        (lambda: MaxChange((0.1,) * 3).limited(BOX), r"MaxChange.change needs one number, or 2.*got 3"),
        (lambda: Limits(1.5, 2.0).limited(BOX), r"Limits \[1.5, 2\] of action component 0 leave nothing of.*\[-1, 1\]"),
        (lambda: ActionLimits(BOX, [Limits(-1, 0.0), Limits(0.5, 1)]), r"component 0 leave nothing of.*\[-1, 0\]"),
        (lambda: ActionLimits(BOX, ["max_change"]), "have limited and after; got 'max_change'"),
        (lambda: ActionLimits(Discrete(3), [MaxChange(1.0)]), "constraints restrict the actions of a Box"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize("constraint", [Limits(-1.0, (0.5, 0.5)), MaxChange(0.25), MaxChange((0.25, 1.0))])
def test_a_constraint_round_trips(constraint):
    assert from_json(type(constraint), to_json(constraint)) == constraint
    assert constraints.load(next(n for n in constraints.names() if constraints.load(n) is type(constraint)))


def test_without_constraints_only_the_space_counts():
    limits = ActionLimits(BOX)
    wild = torch.tensor([[[9.0, -9.0], [0.5, 0.5]]])
    assert limits.project(wild, UNKNOWN).tolist() == [[[1.0, -2.0], [0.5, 0.5]]]
    assert limits.after(UNKNOWN) is None
    assert ActionLimits(Discrete(2)).project(torch.tensor([[[0.2, 0.7]]]), UNKNOWN).tolist() == [[[0.0, 1.0]]]


def test_each_action_follows_from_the_one_before():
    limits = ActionLimits(BOX, [MaxChange((0.5, 1.0))])
    wild = torch.tensor([[[9.0, -9.0], [9.0, -9.0], [-9.0, 0.0]]])
    last = torch.tensor([[0.25, 3.5]])
    assert limits.project(wild, last).tolist() == [[[0.75, 2.5], [1.0, 1.5], [0.5, 0.5]]]
    assert limits.project(wild, UNKNOWN).tolist() == [[[1.0, -2.0], [1.0, -2.0], [0.5, -1.0]]]
    half = torch.tensor([[0.25, torch.nan]])
    assert limits.project(wild[:, :1], half).tolist() == [[[0.75, -2.0]]]


@pytest.mark.parametrize("turned", [False, True])
def test_limits_that_exclude_the_last_action_are_approached_at_the_allowed_rate(turned):
    both = [Limits((-1.0, -1.0), (-0.5, 4.0)), MaxChange(0.5)]
    limits = ActionLimits(BOX, both[::-1] if turned else both)
    wild = torch.tensor([[[1.0, 9.0]] * 4])
    found = limits.project(wild, torch.tensor([[1.0, -2.0]]))[0].tolist()
    assert found == [[0.5, -1.5], [0.0, -1.0], [-0.5, -0.5], [-0.5, 0.0]]


COMPONENTS = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)


@st.composite
def situations(draw):
    """A box, constraints, an action before it and wishes ``[2, 3, 5, A]``."""
    size = draw(st.integers(1, 3))
    low, high = (np.array([draw(COMPONENTS) for _ in range(size)]) for _ in range(2))
    low, high = np.minimum(low, high), np.maximum(low, high)
    share = st.floats(0, 1)
    first, second = (low + draw(share) * (high - low) for _ in range(2))
    limits = Limits(tuple(np.minimum(first, second)), tuple(np.maximum(first, second)))
    rates = [MaxChange(tuple(draw(st.floats(0, 1e6)) for _ in range(size))) for _ in range(draw(st.integers(1, 2)))]
    box = Box(low, high)
    inside = ActionLimits(box).project
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    wishes = rng.normal(size=(2, 3, 5, size)) * (1 + high - low) * 3 + (low + high) / 2
    before = inside(torch.tensor(rng.uniform(low, high, (2, 1, size)), dtype=torch.float32), UNKNOWN)[:, 0]
    known = rng.random((2, size)) < 0.8
    before = torch.where(torch.from_numpy(known), before, torch.nan)
    order = draw(st.permutations([limits, *rates]))
    return box, order, before, torch.tensor(wishes, dtype=torch.float32)


@settings(max_examples=150, deadline=None)
@given(situations())
def test_projected_actions_keep_to_everything_and_stay_as_they_are(situation):
    """Changes are exact up to half a unit in the last place of the action; limits and space are exact."""
    box, order, before, wishes = situation
    limits = ActionLimits(box, order)
    found = limits.project(wishes, before)
    assert torch.equal(limits.project(found, before), found)
    bounds = torch.tensor([box.low, box.high], dtype=torch.float64)
    narrow = torch.tensor([limits.space.low, limits.space.high], dtype=torch.float64)
    previous = before[:, None].expand(-1, 3, -1)
    for step in range(wishes.shape[2]):
        now = found[:, :, step]
        known = ~previous.isnan()
        for rate in (one for one in order if isinstance(one, MaxChange)):
            change = torch.tensor(rate.change, dtype=torch.float64)
            jump = (now.double() - previous.double()).abs()
            ulp = torch.from_numpy(np.spacing(np.maximum(now.abs().numpy(), previous.nan_to_num().abs().numpy())))
            assert (jump <= change + ulp / 2).where(known, torch.tensor(True)).all()
        fixed = bounds[0].float() == bounds[1].float()
        assert ((now.double() >= bounds[0]) & (now.double() <= bounds[1]) | fixed).all()
        within = (now.double() >= narrow[0]) & (now.double() <= narrow[1])
        was = (previous.double() >= narrow[0]) & (previous.double() <= narrow[1]) | ~known
        thin = narrow[0].float() == narrow[1].float()
        assert (within | thin | ~was).all(), "once within the limits, an action stays there"
        nearer = (now.double() - now.double().clamp(*narrow)).abs() <= (
            previous - previous.double().clamp(*narrow)
        ).abs()
        assert (nearer | within | thin | ~known).all()
        previous = now


@pytest.mark.parametrize("name", constraints.names())
def test_constraint_conforms(name):
    """Constraints on rollouts have a suite of their own."""
    if issubclass(constraints.load(name), MarginConstraint):
        check_rollout_constraint(MARGINS[name], latent=2)
        return
    check_constraint(CONSTRAINTS[name])
    check_constraint(CONSTRAINTS[name], BOX)


class Broken(MaxChange):
    """A constraint with one promise broken."""

    def __init__(self, breakage):
        super().__init__(0.25)
        object.__setattr__(self, "breakage", breakage)

    def limited(self, space):
        if self.breakage == "wider":
            return replace(space, high=(99.0,) * space.size)
        return replace(space, kind=None) if self.breakage == "kinds" else space

    def after(self, previous):
        if self.breakage == "inplace":
            previous.add_(0.001)
        low, high = super().after(previous)
        if self.breakage == "neighbours":
            return low - previous.square().sum(), high
        return (low + 0.5, high) if self.breakage == "excludes" else (low, high)


@pytest.mark.parametrize(
    ("breakage", "promise"),
    [
        ("wider", "a part of"),
        ("kinds", "keep the kinds"),
        ("inplace", "must not change"),
        ("excludes", "one that may follow"),
        ("neighbours", "depend on the others"),
    ],
)
def test_the_suite_notices(breakage, promise):
    with pytest.raises(AssertionError, match=promise):
        check_constraint(Broken(breakage))

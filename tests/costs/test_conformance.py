"""Every cost of the registry keeps the promises of the protocol, and the suite notices those that do not."""

import numpy as np
import pytest
import torch

from costs.test_expected_return import returns
from costs.test_temporal_distance import calibrated
from tacit import costs
from tacit.costs import Effort, ExpectedReturn, Goal, RecalledGoal, Region, Target, TemporalDistance
from tacit.nn.readout import LinearReadout
from tacit.testing.costs import check_cost, check_rollout_constraint

READOUT = LinearReadout("angle", torch.randn(6, 2), torch.zeros(2), (0.1, 0.1), (0.9, 0.9))
BUILT = {
    "goal": [Goal(), Goal(reduce="sum", metric="l1"), Goal(reduce="min"), Goal(torch.randn(1, 2, 6), "sum")],
    "effort": [Effort()],
    "expected_return": [ExpectedReturn(returns()), ExpectedReturn(returns(discount=0.0))],
    "temporal_distance": [
        TemporalDistance(calibrated("expectile"), near=3),
        TemporalDistance(calibrated("pair"), reduce="last"),
        TemporalDistance(calibrated("quasimetric"), reduce="min"),
    ],
    "recalled_goal": [
        RecalledGoal(READOUT, torch.randn(2, 6)),
        RecalledGoal(READOUT, torch.randn(2, 6), calibrated("expectile"), "last", near=3),
    ],
    "region": [Region(READOUT, (0.5, None), 2.0), Region(READOUT, high=-0.5, reduce="min")],
    "target": [Target(READOUT, (1.0, None)), Target(READOUT, (1.0, 0.0), "sum", within=1.0)],
}


@pytest.mark.parametrize("name", costs.names())
def test_costs_conform(name):
    for cost in BUILT[name]:
        check_cost(cost)
        check_cost(0.5 * cost + Effort())
    check_cost(sum((cost for costs in BUILT.values() for cost in costs[1:]), start=BUILT[name][0]), arrays=False)


def wrong_shape(rollout):
    return Goal()(rollout)[:, :1]


def compares_candidates(rollout):
    energy = Goal()(rollout)
    return energy - energy.mean(1, keepdims=True)


def compares_worlds(rollout):
    energy = Goal()(rollout)
    return energy - energy.mean(0, keepdims=True)


def writes(rollout):
    rollout.latents[..., 0] = 0.0
    return Goal()(rollout)


def detached(rollout):
    return torch.as_tensor(Goal()(rollout)).detach()


def another_with_arrays(rollout):
    return Goal()(rollout) + isinstance(rollout.latents, np.ndarray)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (wrong_shape, r"energies \[B, S\]"),
        (compares_candidates, "candidate must not depend"),
        (compares_worlds, "world must not depend"),
        (writes, "must not write"),
        (detached, "NumPy arrays in|differentiable"),
        (another_with_arrays, "must agree"),
    ],
)
def test_a_broken_cost_is_noticed(broken, promise):
    with pytest.raises(AssertionError, match=promise):
        check_cost(broken)


def test_constraints_on_rollouts():
    check_rollout_constraint(lambda rollout: rollout.latents[..., 0] - 1.0)
    with pytest.raises(AssertionError, match="later blocks"):
        check_rollout_constraint(lambda rollout: rollout.latents[..., 0] - rollout.latents[:, :, -1:, 0])

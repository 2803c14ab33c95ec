"""MPPI keeps sight of the goal when some candidates pay a large penalty, as for a collision.

Seen in public: github.com/bardhh/cbfkit/pull/38. Energies were divided by their standard deviation, which a single
penalty of a million sets; all candidates without it then weigh the same.
"""

import statistics

import pytest
import torch

import tacit as tc

TARGET = torch.tensor([0.6, -0.6])
BOX = tc.Box((-1.0, -1.0), (1.0, 1.0))


def typical(planner, penalty):
    """The median energy of plans over 20 seeds; doing nothing costs 2.16."""

    def score(actions):
        far = (actions - TARGET).square().sum(dim=(2, 3))
        hit = ((actions[..., 0] > 0.65) | (actions[..., 1] < -0.65)).any(dim=-1)  # walls just behind the target
        return torch.where(hit, far + penalty, far)

    energies = []
    for seed in range(20):
        noise = tc.planners.WorldNoise((seed,))
        energies.append(float(planner(tc.types.Problem(score, BOX, 3, noise, device="cpu")).energy))
    return statistics.median(energies)


@pytest.mark.parametrize("penalty", [0.0, 10.0, 1e3, 1e6])
def test_mppi_finds_the_goal_behind_a_penalty(penalty):
    assert typical(tc.planners.MPPI(), penalty) < 0.05


def test_the_size_of_a_penalty_does_not_matter():
    assert typical(tc.planners.MPPI(), 1e6) == pytest.approx(typical(tc.planners.MPPI(), 1e3), abs=1e-3)

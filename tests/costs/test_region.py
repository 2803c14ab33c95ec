"""The cost of a quantity that is to be inside of a box."""

import numpy as np
import pytest
import torch

from costs.test_target import READOUT, rollout
from tacit.costs import Region
from tacit.errors import ConfigError


def read(latent):
    x, y, z = latent
    return 2 * x + 1, z / 2 - y


@pytest.mark.parametrize("reduce", ["last", "sum", "min"])
def test_a_region_equals_its_formula(reduce):
    latents = torch.randn(2, 3, 4, 3, generator=torch.Generator().manual_seed(0))
    energies = Region(READOUT, (0.0, None), (1.0, -0.5), reduce=reduce)(rollout(latents))
    for world in range(2):
        for sample in range(3):
            steps = []
            for x, y in map(read, latents[world, sample].tolist()):
                steps.append(max(0.0 - x, x - 1.0, 0.0) ** 2 + max(y + 0.5, 0.0) ** 2)
            expected = {"last": steps[-1], "sum": sum(steps), "min": min(steps)}[reduce]
            assert float(energies[world, sample]) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_the_energy_is_zero_inside_and_its_slope_leads_there():
    inside, outside = Region(READOUT, -1.0, 3.0), Region(READOUT, 5.0)
    latents = torch.zeros(1, 1, 1, 3, requires_grad=True)  # reads (1, 0)
    assert inside(rollout(latents)).item() == 0
    outside(rollout(latents)).sum().backward()
    assert latents.grad[0, 0, 0, 0] < 0 < latents.grad[0, 0, 0, 1]


def test_limits_that_do_not_fit_are_refused():
    for low, high, message in (
        (None, None, "needs a limit"),
        ((0.0,), 1.0, "each of the 2 components"),
        (np.nan, 1.0, "finite number"),
        ((0.0, 2.0), (1.0, 2.0), "component 1 has low=2 and high=2"),
        ((0.0, 0.0), (1.0, 0.15), "held-out error of 0.1 in component 1.*narrower"),
    ):
        with pytest.raises(ConfigError, match=message):
            Region(READOUT, low, high)
    with pytest.raises(ConfigError, match="Region reduces by"):
        Region(READOUT, 0.0, 1.0, reduce="mean")

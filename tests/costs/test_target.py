"""The cost of a quantity that is read from latents."""

import numpy as np
import pytest
import torch

from tacit.costs import Target
from tacit.errors import ConfigError, SpecError
from tacit.nn.readout import LinearReadout
from tacit.types import Readout, Rollout

WEIGHT = torch.tensor([[2.0, 0.0], [0.0, -1.0], [0.0, 0.5]])
READOUT = LinearReadout("pose", WEIGHT, torch.tensor([1.0, 0.0]), (0.1, 0.1), (0.9, 0.8))


def rollout(latents):
    return Rollout(latents[:, 0, 0], latents, torch.zeros(*latents.shape[:3], 1))


@pytest.mark.parametrize("reduce", ["last", "sum", "min"])
def test_target_equals_its_formula(reduce):
    latents = torch.randn(2, 3, 4, 3, generator=torch.Generator().manual_seed(0))
    energies = Target(READOUT, (0.5, -1.0), reduce=reduce)(rollout(latents))
    for world in range(2):
        for sample in range(3):
            steps = []
            for x, y, z in latents[world, sample].tolist():
                steps.append((((2 * x + 1) - 0.5) ** 2 + ((-y + z / 2) + 1.0) ** 2) / 2)
            expected = {"last": steps[-1], "sum": sum(steps), "min": min(steps)}[reduce]
            assert float(energies[world, sample]) == pytest.approx(expected, rel=1e-4)


def test_a_component_that_does_not_matter_is_left_out():
    latents = torch.randn(2, 3, 4, 3)
    energies = Target(READOUT, (None, 2.0))(rollout(latents))
    moved = latents.clone()
    moved[..., 0] += 5
    torch.testing.assert_close(Target(READOUT, (None, 2.0))(rollout(moved)), energies)


def test_readouts_are_differentiable_and_work_on_arrays():
    latents = torch.randn(2, 1, 2, 3, requires_grad=True)
    Target(READOUT, (3.0, 3.0))(rollout(latents)).sum().backward()
    assert latents.grad[:, :, -1].abs().min() > 0
    arrays = latents.detach().numpy()
    found = Target(READOUT, (3.0, 3.0))(rollout(arrays))
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found, Target(READOUT, (3.0, 3.0))(rollout(latents.detach())), rtol=1e-5)
    assert isinstance(READOUT, Readout)


@pytest.mark.parametrize("value", [(1.0,), (1.0, 2.0, 3.0), (None, None), (np.nan, 1.0)])
def test_values_that_do_not_fit_are_refused(value):
    with pytest.raises(ConfigError, match="each of the 2 components of 'pose'"):
        Target(READOUT, value)


def test_a_number_alone_is_refused_with_the_tuple_to_write():
    with pytest.raises(ConfigError, match=r"takes a tuple .*such as \(60.0,\); got 3.0"):
        Target(READOUT, 3.0)


def test_latents_of_another_model_are_refused():
    with pytest.raises(SpecError, match="latents of size 3"):
        READOUT(torch.zeros(2, 4))
    with pytest.raises(SpecError, match=r"weight \[D, P\]"):
        LinearReadout("pose", WEIGHT, torch.zeros(3), (0.1, 0.1), (0.9, 0.8))


def test_the_energy_is_zero_within_the_tolerance():
    values = torch.tensor([[30.0, 12.0], [31.5, 11.0], [30.0, 14.1], [33.0, 16.0]])
    energies = Target(READOUT, (30.0, 12.0), within=2.0).energy(values)
    torch.testing.assert_close(energies, torch.tensor([0.0, 0.0, (2.1**2 - 4) / 2, (25.0 - 4) / 2]))
    one = Target(READOUT, (30.0, None), within=2.0).energy(values)
    torch.testing.assert_close(one, torch.tensor([0.0, 0.0, 0.0, 9.0 - 4.0]))


def test_the_slope_of_a_tolerance_is_finite():
    latents = torch.zeros(1, 1, 1, 3, requires_grad=True)  # reads (1, 0), the value itself
    Target(READOUT, (1.0, 0.0), within=0.5)(rollout(latents)).sum().backward()
    assert latents.grad.isfinite().all()


def test_a_tolerance_below_the_error_of_the_readout_is_refused():
    with pytest.raises(ConfigError, match=r"held-out error of 0.141; within=0.12 .*at least this error"):
        Target(READOUT, (1.0, 2.0), within=0.12)
    Target(READOUT, (1.0, None), within=0.12)  # the error of the other component does not matter
    with pytest.raises(ConfigError, match="finite number >= 0"):
        Target(READOUT, (1.0, 2.0), within=-1.0)

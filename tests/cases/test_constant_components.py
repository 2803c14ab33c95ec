"""Components that are constant in training do not decide a prediction when they move a little later.

A gripper that is always closed, a set point that never changes: their standard deviation is zero, or rounding.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

import tacit as tc

CONSTANT = 0.3


def recorded(scale: float = 1.0, constant: float = CONSTANT, rounding: float = 0.0) -> tc.data.Episodes:
    rng = np.random.default_rng(0)
    spec = tc.Spec({"state": tc.Modality("vector", (3,))}, tc.Box((-1.0, -1.0), (1.0, 1.0)))
    episodes = []
    for _ in range(4):
        state = scale * rng.normal(size=(30, 3))
        state[:, 1] = constant + rounding * rng.integers(-1, 2, 30)
        action = rng.uniform(-1, 1, (29, 2))
        action[:, 0] = 0.25
        episodes.append(tc.Episode({"state": state.astype(np.float32)}, action.astype(np.float32)))
    return tc.data.from_episodes(episodes, spec)


def test_constant_components_are_named_and_not_scaled() -> None:
    with pytest.warns(UserWarning, match=r"'state' component 1 \(always 0.3\).*'action' component 0 \(always 0.25\)"):
        statistics = recorded().statistics()
    assert statistics.std["state"][1] == 1.0
    assert statistics.std["action"][0] == 1.0
    np.testing.assert_allclose(np.delete(statistics.std["state"], 1), 1.0, atol=0.3)


def test_rounding_of_a_large_number_is_constant() -> None:
    step = float(np.spacing(np.float32(1013.25)))
    with pytest.warns(UserWarning, match="component 1"):
        statistics = recorded(constant=1013.25, rounding=step).statistics()
    assert statistics.std["state"][1] == 1.0


@pytest.mark.parametrize("scale", [1e-12, 1e-7, 1e9])
def test_numbers_of_any_size_that_vary_are_scaled(scale: float) -> None:
    episodes = recorded(scale, constant=0.0).select(range(4))
    with pytest.warns(UserWarning, match="component 1"):
        std = episodes.statistics().std["state"]
    assert std[0] == pytest.approx(scale, rel=0.3)


def test_a_small_shift_of_a_constant_component_moves_a_latent_little() -> None:
    episodes = recorded()
    model = tc.models.WorldModel.for_spec(episodes.spec, latent=4)
    with pytest.warns(UserWarning, match="component 1"):
        model.set_statistics(episodes.statistics())
    model.eval()
    state = torch.from_numpy(episodes[0].observation["state"])
    moved, usual = state.clone(), state.clone()
    moved[:, 1] += 1e-4
    usual[:, 0] += 1e-4
    with torch.no_grad():
        latents = model.encode({"state": state})
        shifted = (model.encode({"state": moved}) - latents).norm()
        typical = (model.encode({"state": usual}) - latents).norm()
    assert shifted < 10 * typical


def test_a_target_of_rounding_is_no_target() -> None:
    rng = np.random.default_rng(0)
    features = []
    for part in range(2):
        values = torch.from_numpy(rng.normal(size=(60, 4)).astype(np.float32))
        target = 0.1 + 1e-9 * rng.normal(size=60)
        features.append(
            tc.probing.Features(
                values[:, None], {"still": target}, np.repeat(np.arange(6), 10), tuple(f"{part}{i}" for i in range(6))
            )
        )
    with pytest.raises(tc.probing.probes.ConstantTarget):
        tc.probing.probes.Linear()(features[0], features[1], "still")


def test_recorded_pixels_that_never_change_are_not_scaled() -> None:
    spec = tc.Spec({"pixels": tc.Modality("pixels", (1, 2, 2))})
    still = tc.Episode({"pixels": np.full((3, 1, 2, 2), 7, np.uint8)}, np.zeros((2, 0), np.float32))
    episodes = tc.data.from_episodes([still, replace(still, index=1)], spec)
    with pytest.warns(UserWarning, match="'pixels' component 0"):
        assert episodes.statistics().std["pixels"] == (1.0,)

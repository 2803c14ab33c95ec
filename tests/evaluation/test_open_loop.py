import numpy as np
import pytest
import torch

from probing.exact import Exact, recordings
from tacit.costs import Goal
from tacit.errors import ConfigError
from tacit.evaluation import energy_rank_correlation, open_loop
from tacit.testing.worlds import LineWorld


@pytest.mark.parametrize(("frameskip", "history"), [(1, 1), (3, 2)])
def test_an_exact_model_has_no_error_and_the_baselines_are_exact(frameskip, history):
    held_out = recordings()
    result = open_loop(Exact(frameskip=frameskip, history=history), held_out, horizon=3, windows=5000)
    assert (result.horizon, result.context) == (3, history)
    # Uniform actions in [-1, 1] have variance 1/3, and k blocks of them add up.
    for steps, (error, copy_last, shuffled) in enumerate(
        zip(result.error, result.copy_last, result.shuffled_actions, strict=True), start=1
    ):
        assert error.mean < 1e-9
        assert copy_last.mean == pytest.approx(steps * frameskip / 3, rel=0.35)
        assert shuffled.mean == pytest.approx(2 * steps * frameskip / 3, rel=0.35)
        assert copy_last.low <= copy_last.mean <= copy_last.high
        assert copy_last.n == len(held_out)


def test_copy_last_is_the_mean_of_the_episodes():
    held_out = recordings(3, length=4)
    result = open_loop(Exact(), held_out, horizon=3)
    position = [episode.observation["vector"][:, :2] for episode in held_out]
    expected = np.mean([[(p[step] - p[0]) ** 2 for step in (1, 2, 3)] for p in position], axis=(0, 2))
    assert result.windows == 3
    np.testing.assert_allclose([estimate.mean for estimate in result.copy_last], expected, rtol=1e-5)


def test_a_model_that_ignores_its_actions_has_the_error_of_shuffled_ones():
    deaf = open_loop(Exact(gain=0.0), recordings(), horizon=2)
    assert [e.mean for e in deaf.error] == pytest.approx([e.mean for e in deaf.shuffled_actions])
    assert [e.mean for e in deaf.error] == pytest.approx([e.mean for e in deaf.copy_last])


@pytest.mark.parametrize(("gain", "expected"), [(1.0, 1.0), (0.0, 0.0), (-1.0, -1.0)])
def test_energies_of_an_exact_model_rank_plans(gain, expected):
    # Starts and goals so far apart that no plan of three steps arrives: the distance is monotone in the plan.
    correlation = energy_rank_correlation(
        Exact(size=1, gain=gain), Goal(), LineWorld(), horizon=2, tasks=10, candidates=40, seed=3
    )
    assert correlation.mean == pytest.approx(expected, abs=0.12)
    assert correlation.low <= correlation.mean <= correlation.high
    assert correlation.n == 10


def test_blocks_are_repeated_actions():
    seen = []

    def cost(rollout):
        seen.append(rollout.blocks)
        return (rollout.latents[:, :, -1] - rollout.goal[:, None]).square().sum(dim=-1)

    correlation = energy_rank_correlation(
        Exact(frameskip=2, size=1), cost, LineWorld(), horizon=2, tasks=4, candidates=30
    )
    assert seen[0].shape == (1, 30, 2, 2)
    assert torch.equal(seen[0][..., 0], seen[0][..., 1])
    assert correlation.mean > 0.85


def test_impossible_sizes_are_refused():
    with pytest.raises(ConfigError, match="horizon >= 1"):
        open_loop(Exact(), recordings(2), horizon=0)
    with pytest.raises(ConfigError, match="candidates 3"):
        energy_rank_correlation(Exact(), Goal(), LineWorld(), horizon=1, candidates=2)

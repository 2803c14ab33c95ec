"""Episodes ranked by the surprise of a trained model: the one with another world comes first."""

import numpy as np
import pytest

import tacit as tc
from tacit.errors import ConfigError, DataError

SPEC = tc.Spec({"state": tc.Modality("vector", (2,))}, tc.Box((-1.0,), (1.0,), kind="force"))


def episode(seed, gain=0.3, steps=60):
    rng = np.random.default_rng(seed)
    action = rng.uniform(-1, 1, (steps - 1, 1)).astype(np.float32)
    state = np.zeros((steps, 2), np.float32)
    for step in range(steps - 1):
        state[step + 1] = 0.9 * state[step] + gain * action[step]
    return tc.Episode({"state": state}, action)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("ranking")
    tc.data.save(tc.data.from_episodes([episode(seed) for seed in range(20)], SPEC), place / "train")
    train = tc.data.open(place / "train")
    model = tc.models.WorldModel.for_spec(SPEC, latent=8)
    objective = tc.objectives.Prediction(steps=2) + tc.objectives.VICReg(over="pooled")
    tc.train(model, objective, train.clips(4), steps=300, seed=0, to=place / "run", batch_size=32)
    return model, place


@pytest.mark.parametrize("place", [0, 4, 7])
def test_the_odd_episode_comes_first(run, place):
    parts = [episode(100 + number, steps=60 + number % 3) for number in range(8)]
    parts[place] = episode(200, gain=-0.3)
    ranking = tc.offline.rank_episodes(run[0], tc.data.from_episodes(parts, SPEC))
    assert ranking[0].episode == place and ranking[0].ratio > 2
    assert sorted(one.episode for one in ranking) == list(range(8))
    assert [one.mean for one in ranking] == sorted((one.mean for one in ranking), reverse=True)


def test_the_step_of_the_largest_surprise_is_that_of_the_fault(run):
    parts = [episode(300 + number) for number in range(6)]
    parts[2].observation["state"][40] += 5
    worst = tc.offline.rank_episodes(run[0], tc.data.from_episodes(parts, SPEC))[0]
    assert worst.episode == 2 and worst.step in (40, 41)


def test_a_rank_does_not_depend_on_the_others(run):
    parts = [episode(400 + number) for number in range(5)]
    whole = tc.offline.rank_episodes(run[0], tc.data.from_episodes(parts, SPEC))
    single = tc.offline.rank_episodes(run[0], tc.data.from_episodes(parts[3:4], SPEC))[0]
    assert single.mean == pytest.approx(next(one.mean for one in whole if one.episode == 3), rel=1e-5)


def test_too_short_episodes_are_left_out_and_none_is_an_error(run):
    spec = tc.Spec(SPEC.modalities)
    model = tc.models.WorldModel.for_spec(spec, latent=8)
    lone = [tc.Episode({"state": np.zeros((1, 2), np.float32)}, np.zeros((0, 0), np.float32))]
    with pytest.raises(DataError, match="no episode is long enough"):
        tc.offline.rank_episodes(model, tc.data.from_episodes(lone, spec))
    with pytest.raises(ConfigError, match="needs a world model or a masked model"):
        tc.offline.rank_episodes(object(), tc.data.from_episodes(lone, spec))  # type: ignore[arg-type]

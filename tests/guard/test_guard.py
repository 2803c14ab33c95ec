"""Calibration and decisions, in a world whose noise is known."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tacit.errors import CheckpointError, ConfigError, DataError, SpecError
from tacit.guard import (
    Age,
    Caution,
    Guard,
    NearestNeighbors,
    PredictionEnergy,
    Recording,
    ScoreSeries,
    Trail,
    calibrate,
    default_scores,
    fit,
    missing_modalities,
    record,
    score_series,
)
from tacit.memory import DiskStore, entries
from tacit.testing.guard import sensed
from tacit.testing.worlds import PointModel
from tacit.types import Episode

MODEL = PointModel(frameskip=2)


def walks(count, blocks=12, noise=0.1, drift=0.0, seed=0):
    """Return episodes of noisy points; the model predicts all but the noise and the drift."""
    draw = np.random.default_rng(seed)
    actions = draw.uniform(-1, 1, (count, blocks, 4)).astype(np.float32)
    moves = actions.reshape(count, blocks, 2, 2).sum(2) + draw.normal(0, noise, (count, blocks, 2)) + drift
    starts = draw.normal(size=(count, 1, 2))
    return Recording(np.concatenate([starts, moves], axis=1).cumsum(axis=1).astype(np.float32), actions)


TRAINING, CLEAN = walks(100, seed=1), walks(900, seed=2)
SCORES = (*default_scores(MODEL, TRAINING), Age(0.2, 0.4))
SERIES = score_series(SCORES, MODEL, CLEAN)
GUARD = fit(SCORES, SERIES, false_alarm_rate=0.05, slow_rate=0.1)


def live(guard, recording, age=None):
    """Return the assessments of a guard along episodes and its last memory."""
    latents, blocks = torch.from_numpy(recording.latents), torch.from_numpy(recording.blocks)
    trail, memory, found = Trail.begin(latents[:, 0]), guard.start(len(recording)), []
    for step in range(latents.shape[1]):
        if step:
            trail = trail.extended(latents[:, step], blocks[:, step - 1], guard.reach, MODEL.history)
        assessment, memory = guard.assess(trail.sensed(MODEL, guard.reach, age), memory)
        found.append(assessment)
    return found, memory


def stopped(guard, recording):
    return live(guard, recording)[1].level == 2


def test_the_scores_of_a_recording_are_those_of_acting():
    found, _ = live(GUARD, CLEAN)
    joint = GUARD.calibration.standardization.joint(SERIES.values)
    np.testing.assert_allclose(np.fmax.reduce([one.score for one in found]), joint, rtol=1e-5)


def test_forecasts_reach_back_so_many_blocks():
    trail = Trail.begin(np.zeros((1, 2), np.float32))
    for step in range(1, 8):
        latents = torch.full((1, 2), float(step**2))
        trail = Trail(torch.as_tensor(trail.latents), trail.blocks, trail.steps)
        trail = trail.extended(latents, torch.full((1, 4), 0.5), (1, 3), 1)
    given = trail.sensed(MODEL, (1, 3))
    assert trail.latents.shape == (1, 4, 2)
    # A block moves the point by 1: from the latents 36 and 16 of one and three blocks ago.
    np.testing.assert_allclose(given.forecasts[0, :, 0], [37, np.nan, 19])
    assert given.before.latents.tolist() == [[[36, 36]]]
    assert given.steps.tolist() == [7]


def test_the_rate_of_false_alarms_is_the_requested_one():
    rates = []
    for seed in (10, 11, 12):
        series = score_series(SCORES, MODEL, walks(400, seed=seed))
        rates.append(stopped(fit(SCORES, series, false_alarm_rate=0.1, slow_rate=0.2), walks(300, seed=seed + 10)))
    # Both noises: 3 calibrations of 300 episodes and 900 tests.
    assert np.mean(rates) == pytest.approx(0.1, abs=3 * np.sqrt(0.09 * (1 / 900 + 1 / 900)))


def test_pac_thresholds_are_higher():
    strict = fit(SCORES, SERIES, false_alarm_rate=0.05, slow_rate=0.1, guarantee="pac")
    assert strict.calibration.stop.rank < GUARD.calibration.stop.rank
    assert strict.calibration.stop.value > GUARD.calibration.stop.value
    assert "n = 675, rank 33" in str(GUARD)
    assert "with confidence 0.95" in str(strict)


def test_faults_are_detected_and_named():
    teleported = walks(50, seed=5)
    latents = teleported.latents.copy()
    latents[:, 6:] += 4.0
    found, memory = live(GUARD, Recording(latents, teleported.blocks))
    assert (memory.level == 2).all()
    assert all(one.startswith("prediction energy") for one in found[6].reasons)
    assert " above " in found[6].reasons[0]
    drifting = walks(50, drift=0.15, seed=6)
    assert stopped(GUARD, drifting).mean() > 0.8


def test_cumulative_sums_find_a_drift_that_single_scores_do_not():
    drifting = score_series(SCORES, MODEL, walks(300, drift=0.1, seed=7)).values
    clean = score_series(SCORES, MODEL, walks(300, seed=8)).values
    columns, half = GUARD.calibration.standardization, len(GUARD.calibration.names)

    def power(part):
        one, other = (columns.largest(values)[:, part] for values in (clean, drifting))
        return (other > np.quantile(one, 0.95)).mean()

    assert power(half) > power(0) + 0.1  # the energy of one step


def test_a_stop_is_latched_until_resumed():
    bad = walks(3, seed=5)
    latents = bad.latents.copy()
    latents[1, 4:] += 50
    found, memory = live(GUARD, Recording(latents, bad.blocks))
    assert [one.decisions[1] for one in found] == ["act"] * 4 + ["stop"] * 9
    assert "resume" in found[-1].reasons[1] or " above " in found[-1].reasons[1]
    again = GUARD.resume(memory, np.array([False, True, False]))
    assert again.level[1] == 0
    assert again.drift[1].max() == 0
    with pytest.raises(SpecError, match="3 worlds"):
        GUARD.resume(memory, np.array([True]))


def test_slow_ends_after_calm_boundaries():
    guard = replace(GUARD, caution=Caution(calm=2))
    usual, memory = sensed(latent=2, block=4), guard.start(4)
    usual = replace(usual, latents=np.zeros((4, 2), np.float32), forecasts=np.zeros((4, 6, 2), np.float32))
    levels = []
    for age in (0.1, 0.3, 0.17, 0.1, 0.1, 0.1):
        found, memory = guard.assess(replace(usual, age=np.full(4, age, np.float32)), memory)
        levels.append(found.level[0])
    # 0.17 is below the limit but not below the release share of it.
    assert levels == [0, 1, 1, 1, 0, 0]
    found, memory = guard.assess(replace(usual, age=np.full(4, 0.5, np.float32)), memory)
    assert found.reasons[0] == "age of the observation in seconds 0.5 above 0.4"
    assert found.decisions == ("stop",) * 4


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"missing": {"pixels": np.array([False, True, False, False])}}, "pixels is missing or not finite"),
        ({"age": np.array([0, -3, 0, 0], np.float32)}, "the observation is -3 s old: the clock jumped"),
        ({"age": np.array([0, 1e9, 0, 0], np.float32)}, "the observation is 1e+09 s old: the clock jumped"),
        ({"latents": np.array([[0, 0], [np.nan, 0], [0, 0], [0, 0]], np.float32)}, "the latents are not finite"),
    ],
)
def test_a_broken_input_stops_its_world_alone(change, reason):
    usual = sensed(latent=2, block=4)
    usual = replace(usual, latents=np.zeros((4, 2), np.float32), forecasts=np.zeros((4, 6, 2), np.float32))
    found, memory = GUARD.assess(replace(replace(usual, age=np.zeros(4, np.float32)), **change), GUARD.start(4))
    assert found.decisions == ("act", "stop", "act", "act")
    assert found.reasons == ("", reason, "", "")
    assert np.isfinite(memory.drift).all()


def test_missing_modalities_are_found_in_each_world():
    position = np.zeros((3, 2), np.float32)
    position[2, 0] = np.inf
    found = missing_modalities({"position": position, "other": position[:1]}, ("position", "pixels"), 3)
    assert found["position"].tolist() == [False, False, True]
    assert found["pixels"].all()
    assert missing_modalities({"position": np.zeros((3, 2))}, ("position",), 3) == {}


def test_too_few_episodes_are_refused_with_the_number_needed():
    few = ScoreSeries(SERIES.names, SERIES.values[:100])
    with pytest.raises(ConfigError, match="needs 99 episodes for the threshold, so 132 with"):
        fit(SCORES, few)
    with pytest.raises(ConfigError, match="needs 299 episodes"):
        fit(SCORES, few, guarantee="pac", slow_rate=0.1)


def test_wrong_evidence_is_refused():
    with pytest.raises(SpecError, match="the scores are prediction energy"):
        fit(SCORES[:2], SERIES)
    values = SERIES.values.copy()
    values[3, 2, 0] = np.inf
    with pytest.raises(DataError, match="'prediction energy' is infinite"):
        fit(SCORES, ScoreSeries(SERIES.names, values))
    far = PredictionEnergy(1), PredictionEnergy(13)
    with pytest.raises(DataError, match="undefined at all steps"):
        fit(far, score_series(far, MODEL, CLEAN))
    with pytest.raises(SpecError, match="Calibrate again"):
        replace(GUARD, scores=GUARD.scores[:2]).assess(sensed(latent=2), GUARD.start(4))


def test_episodes_of_different_lengths_are_scored_to_their_ends():
    latents, blocks = CLEAN.latents.copy(), CLEAN.blocks.copy()
    latents[::2, 8:], blocks[::2, 7:] = np.nan, np.nan
    series = score_series(SCORES, MODEL, Recording(latents, blocks))
    np.testing.assert_array_equal(series.values[::2, :8], SERIES.values[::2, :8])
    assert np.isnan(series.values[::2, 8:]).all()
    guard = fit(SCORES, series, false_alarm_rate=0.05)
    assert np.isfinite(guard.calibration.stop.value)


def test_a_guard_is_calibrated_from_recorded_episodes():
    skip = MODEL.frameskip
    episodes = []
    for latents, blocks in zip(CLEAN.latents[:300], CLEAN.blocks[:300], strict=True):
        actions = blocks.reshape(-1, 2)
        positions = np.repeat(latents, skip, axis=0)[: len(actions) + 1]
        positions[::skip] = latents
        episodes.append(Episode({"position": positions}, actions))
    np.testing.assert_array_equal(record(MODEL, episodes).latents, CLEAN.latents[:300])
    guard = calibrate(MODEL, episodes, false_alarm_rate=0.05)
    assert guard.calibration.stop.n == 169  # a quarter for the constants, and a quarter of the rest standardises
    assert calibrate(MODEL, episodes, training=episodes[:50], false_alarm_rate=0.05).calibration.stop.n == 225
    with pytest.raises(DataError, match="has 1 actions"):
        record(MODEL, [Episode({"position": np.zeros((2, 2))}, np.zeros((1, 2), np.float32))])


def test_a_saved_guard_decides_the_same(tmp_path):
    GUARD.save(tmp_path / "guard")
    loaded = Guard.load(tmp_path / "guard")
    new = walks(20, drift=0.1, seed=9)
    for one, two in zip(live(GUARD, new)[0], live(loaded, new)[0], strict=True):
        assert one.reasons == two.reasons
        np.testing.assert_array_equal(one.score, two.score)
    assert loaded.caution == GUARD.caution


def test_a_guard_with_a_memory_is_saved_with_its_latents(tmp_path):
    known = CLEAN.known[:500]
    with DiskStore.create(tmp_path / "memory", latent_size=2, blocks=1, block_size=1) as store:
        store.append(entries(known, np.zeros((500, 1, 1))))
        scores = (NearestNeighbors.fit(store, {}),)
        guard = fit(scores, score_series(scores, MODEL, CLEAN), false_alarm_rate=0.05)
    guard.save(tmp_path / "guard")
    loaded = Guard.load(tmp_path / "guard")
    np.testing.assert_array_equal(loaded.scores[0].recorded, known)
    new = walks(20, drift=0.1, seed=9)
    for one, two in zip(live(guard, new)[0], live(loaded, new)[0], strict=True):
        assert one.reasons == two.reasons
        np.testing.assert_allclose(one.score, two.score, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"scores": [{"name": "os.system", "options": {}}]}, "no guard called"),
        ({"names": ["prediction energy"]}, "columns"),
        ({"other": 1}, "no option"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, change, problem):
    GUARD.save(tmp_path / "guard")
    path = tmp_path / "guard" / "guard.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(CheckpointError, match=problem):
        Guard.load(tmp_path / "guard")
    with pytest.raises(CheckpointError, match="readable"):
        Guard.load(tmp_path / "nothing")


def test_settings_are_checked():
    with pytest.raises(ConfigError, match="release"):
        Caution(release=0.0)
    with pytest.raises(ConfigError, match="slow <= stop"):
        Age(0.5, 0.2)
    with pytest.raises(ConfigError, match="false_alarm_rate <= slow_rate"):
        fit(SCORES, SERIES, false_alarm_rate=0.1, slow_rate=0.05)
